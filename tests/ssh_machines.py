"""Machines that are reached by SSH: each an OpenSSH server in a network, a mount table and a process table of its own.

Needs root, Debian's openssh-server and iproute2. A machine shares the disk with this one, but for what `setup` mounts.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from process_groups import wait_until

_NEEDED = ("ssh", "ssh-keygen", "sshd", "ip", "unshare")
_ASK = """
import json, sys, urllib.error, urllib.request
try:
    request = urllib.request.Request(sys.argv[1], headers=json.loads(sys.argv[2]))
    print(urllib.request.urlopen(request, timeout=5).status)
except urllib.error.HTTPError as error:
    print(error.code)
except OSError:
    print("nothing")
"""
_PATH = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin{os.pathsep}/sbin"


def skip_without_machines() -> None:
    """Say what is missing where machines cannot be made here."""
    if lacking := [name for name in _NEEDED if shutil.which(name, path=_PATH) is None]:
        pytest.skip(f"machines to reach by SSH cannot be made without {', '.join(lacking)} (openssh-server, iproute2)")
    if os.geteuid() != 0 or _try("unshare", "--net", "--mount", "--pid", "--fork", "true"):
        pytest.skip("machines to reach by SSH cannot be made here: that needs root, and namespaces of Linux")


def _try(*words: str) -> int:
    return subprocess.run(words, capture_output=True, check=False, env={**os.environ, "PATH": _PATH}).returncode


def _run(*words: object) -> str:
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, env={**os.environ, "PATH": _PATH}
    )
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


@dataclass
class SshMachine:
    """A machine.

    Attributes:
        host: its address.
        folder: what is its own: home, key, log.
        process: its first process; where that ends, all of it ends.
    """

    host: str
    folder: Path
    link: str
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def home(self) -> Path:
        """The home of its user."""
        return self.folder / "home"

    @property
    def host_key(self) -> str:
        """Kind and key, as known_hosts has them."""
        return " ".join((self.folder / "key.pub").read_text().split()[:2])

    def cut_power(self) -> None:
        """End it without a word to anybody: its network first."""
        _run("ip", "link", "set", self.link, "down")
        self.stop()

    def stop(self) -> None:
        """End all its processes."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)  # --kill-child takes its processes along
            self.process.wait()
            self.process = None


@dataclass
class Network:
    """Machines, and this one, which has the first address.

    Attributes:
        folder: for what the machines need.
        subnet: the first three numbers of all addresses.
        home: whose known_hosts and key are used.
    """

    folder: Path
    subnet: str
    home: Path
    bridge: str
    machines: list[SshMachine] = field(default_factory=list)

    @property
    def own(self) -> str:
        """The address of this machine."""
        return f"{self.subnet}.1"

    @property
    def key(self) -> Path:
        """The key with which machines are reached."""
        return self.home / ".ssh" / "id"

    def add(self, environment: Mapping[str, str] = {}, setup: str = "", known: str | None = None) -> SshMachine:
        """A machine that answers.

        Args:
            environment: of its sessions.
            setup: shell commands that mount what is different there.
            known: kind and key that known_hosts gets for it; its own where absent, no entry where empty.
        """
        number = len(self.machines) + 2
        name = f"{self.bridge}n{number}"
        machine = SshMachine(f"{self.subnet}.{number}", self.folder / f"machine_{number}", name)
        machine.home.mkdir(parents=True)
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", machine.folder / "key")
        self.machines.append(machine)
        _run("ip", "netns", "add", name)
        _run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        _run("ip", "link", "set", name, "master", self.bridge, "up")
        _run("ip", "-n", name, "addr", "add", f"{machine.host}/24", "dev", "eth0")
        for device in ("eth0", "lo"):
            _run("ip", "-n", name, "link", "set", device, "up")
        entry = machine.host_key if known is None else known
        if entry:
            with (self.home / ".ssh" / "known_hosts").open("a") as hosts:
                hosts.write(f"{machine.host} {entry}\n")
        self._start(machine, {"HOME": str(machine.home), **environment}, setup)
        return machine

    def ask(self, machine: SshMachine, address: str, **headers: str) -> str:
        """Status of the answer to a request of a machine, or `nothing`."""
        words = (sys.executable, "-c", _ASK, address, json.dumps(headers))
        return _run("ip", "netns", "exec", machine.link, *words).strip()

    @contextmanager
    def other_address(self) -> Iterator[str]:
        """An address of this machine to which no machine knows a way."""
        address = f"10.{199 - os.getpid() % 50}.0.1"
        _run("ip", "addr", "add", f"{address}/32", "dev", self.bridge)
        try:
            yield address
        finally:
            _run("ip", "addr", "del", f"{address}/32", "dev", self.bridge)

    def _start(self, machine: SshMachine, environment: Mapping[str, str], setup: str) -> None:
        config, log = machine.folder / "sshd_config", machine.folder / "log"
        words = " ".join(f'{name}="{value}"' for name, value in environment.items())
        config.write_text(
            f"ListenAddress {machine.host}\nHostKey {machine.folder / 'key'}\nPidFile none\nUsePAM no\nStrictModes no\n"
            f"PermitRootLogin yes\nPasswordAuthentication no\nAuthorizedKeysFile {self.key}.pub\nSetEnv {words}\n"
            "Subsystem sftp internal-sftp\n"
        )
        Path("/run/sshd").mkdir(exist_ok=True)
        daemon = shlex.join([str(shutil.which("sshd", path=_PATH)), "-D", "-e", "-f", str(config)])
        command = ["ip", "netns", "exec", machine.link, "unshare", "--mount", "--pid", "--fork", "--kill-child"]
        with log.open("wb") as file:
            machine.process = subprocess.Popen(
                [*command, "--mount-proc", "sh", "-ec", f"{setup}\nexec {daemon}"],
                stdout=file, stderr=file, stdin=subprocess.DEVNULL, env={**os.environ, "PATH": _PATH},
            )  # fmt: skip
        wait_until(lambda: "Server listening" in log.read_text() or machine.process.poll() is not None)
        assert machine.process.poll() is None, log.read_text()


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[None]:
    """A small file system of its own."""
    _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
    try:
        yield
    finally:
        _run("umount", "--lazy", folder)


@contextmanager
def network(folder: Path, home: Path) -> Iterator[Network]:
    """A network without machines; they end with it."""
    skip_without_machines()
    number = os.getpid()
    found = Network(folder, f"10.{200 + number % 50}.{number // 50 % 250}", home, f"emo{number % 10**6}")
    (home / ".ssh").mkdir()
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", found.key)
    with ExitStack() as left:
        _run("ip", "link", "add", found.bridge, "type", "bridge")
        left.callback(_run, "ip", "link", "del", found.bridge)
        _run("ip", "addr", "add", f"{found.own}/24", "dev", found.bridge)
        _run("ip", "link", "set", found.bridge, "up")
        try:
            yield found
        finally:
            for machine in found.machines:
                machine.stop()
                _try("ip", "link", "del", machine.link)
                _run("ip", "netns", "del", machine.link)
