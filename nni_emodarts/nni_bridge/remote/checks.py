"""Checks of all machines before trials are sent there: each fault with its remedy, all faults at once."""

import errno
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from nni_emodarts.config.faults import enumerate_faults
from nni_emodarts.errors import ExperimentError
from nni_emodarts.nni_bridge.remote.machines import Machine, Remote
from nni_emodarts.nni_bridge.remote.ssh import UnansweredError, ask_machine
from nni_emodarts.runtime.plain_data import JsonObject

_PACKAGES = ("nni", "nni_emodarts")
_CLOCK = 30.0  # seconds
_SEEN = 5.0  # seconds that a file may take to be seen over a network
_MANY = 16  # machines that are asked at once
_SHARED_REMEDIES = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some space there",
    errno.EROFS: "mount it for writing there",
    errno.EACCES: "let the user of that machine write there, who has best the number (uid) of yours",
}


@dataclass
class _Question:
    """What every machine is asked.

    Attributes:
        remote: the machines, and what trials there need.
        files: files that must be the same there.
        port: where this machine greets them.
        greeting: what it says.
        content: of the file in the shared folder.
    """

    remote: Remote
    files: dict[str, str]
    port: int
    greeting: str = field(default_factory=lambda: secrets.token_hex(16))
    content: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def token(self) -> str:
        """Name of the file that this machine writes into the shared folder."""
        return f".emodarts-{self.content[:8]}"

    def written_by(self, number: int) -> str:
        """Name of the file that a machine writes there."""
        return f"{self.token}-{number}"

    def to_machine(self, number: int) -> JsonObject:
        """The question to one machine."""
        shared = self.remote.shared
        more = {} if shared is None else {"shared": [str(shared), self.token, self.content, self.written_by(number)]}
        return {
            "packages": _PACKAGES,
            "files": list(self.files),
            "manager": [self.remote.manager, self.port, self.greeting],
            "gpus": self.remote.gpus > 0 or self.remote.machines[number].gpu_indices is not None,
            **more,
        }


def check_machines(remote: Remote, files: Sequence[Path] = (), port: int = 0) -> int:
    """Ask every machine whether trials can run there.

    Args:
        remote: the machines.
        files: files that trials read, which must be the same there.
        port: where NNI's manager will listen; a free one where 0.

    Returns:
        Processor cores of the machine that has the fewest.

    Raises:
        ExperimentError: what is wrong with each.
    """
    digests = {str(file): sha256(file.read_bytes()).hexdigest() for file in files}
    with _greeting(remote.manager, port) as (listener, greet):
        question = _Question(remote, digests, listener)
        greet.append(question.greeting)
        with _marked(question), ThreadPoolExecutor(min(_MANY, len(remote.machines))) as pool:
            found = list(pool.map(lambda number: _look(question, number), range(len(remote.machines))))
    faults = [
        f"{machine}: {fault}" for machine, (_, of_it) in zip(remote.machines, found, strict=True) for fault in of_it
    ]
    if faults:
        raise ExperimentError(enumerate_faults("the list of machines", faults))
    return min(cores for cores, _ in found)


def address_towards(machines: Sequence[Machine]) -> str:
    """The address of this machine at which others reach it: the first of them that there is a way to.

    Raises:
        ExperimentError: there is no way to any.
    """
    faults = []
    for machine in machines:
        try:
            return _address_towards(machine)
        except OSError as error:
            faults.append(f"{machine}: there is no way there ({error.strerror or error}); look at host")
    raise ExperimentError(enumerate_faults("the list of machines", faults))


def _address_towards(machine: Machine) -> str:
    kind, _, _, _, place = socket.getaddrinfo(machine.host, machine.port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(kind, socket.SOCK_DGRAM) as probe:
        probe.connect(place)  # sends nothing
        return str(probe.getsockname()[0])


@contextmanager
def _greeting(address: str, port: int) -> Iterator[tuple[int, list[str]]]:
    """Greet whoever connects at an address of this machine, with what is put into the list: its port, and the list.

    Raises:
        ExperimentError: nobody can listen there.
    """
    said: list[str] = []
    kind = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        server = socket.create_server((address, port), family=kind)
    except OSError as error:
        raise ExperimentError(
            f"NNI's manager cannot listen at {address} ({error.strerror or error}); give an address of this machine "
            f"that the others reach as --manager-ip"
        ) from None

    def greet() -> None:
        with suppress(OSError):  # it is closed in the end
            while True:
                connection, _ = server.accept()
                with connection, suppress(OSError):
                    connection.sendall(said[0].encode())

    threading.Thread(target=greet, daemon=True).start()
    try:
        yield server.getsockname()[1], said
    finally:
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)  # which wakes the thread
        server.close()


@contextmanager
def _marked(question: _Question) -> Iterator[None]:
    """Have a file in the shared folder by which it is known; what the machines write there is deleted in the end.

    Raises:
        ExperimentError: this machine cannot write there.
    """
    shared = question.remote.shared
    if shared is None:
        yield
        return
    try:
        (shared / question.token).write_text(question.content)
    except OSError as error:
        raise ExperimentError(
            f"shared folder {shared} cannot be written to here ({error.strerror or error}); name one that is mounted "
            f"on this machine and all others"
        ) from None
    try:
        yield
    finally:
        for file in shared.glob(f"{question.token}*"):
            with suppress(OSError):
                file.unlink()


def _look(question: _Question, number: int) -> tuple[int, list[str]]:
    """Cores of a machine, and what is wrong with it."""
    machine = question.remote.machines[number]
    began = time.time()
    try:
        found = ask_machine(machine, question.to_machine(number))
    except UnansweredError as error:
        return 1, [str(error)]
    off = max(began - found["time"], found["time"] - time.time(), 0.0)
    faults = [
        *_faults_of_python(machine, found),
        *([f"its clock is off by {off:.0f} s, of at most {_CLOCK:.0f}; set it, best by NTP"] if off > _CLOCK else []),
        *_faults_of_manager(question, machine, found["manager"]),
        *_faults_of_share(question, number, found.get("shared")),
        *_faults_of_files(question, found["files"]),
        *_faults_of_gpus(question.remote, machine, found.get("gpus")),
    ]
    return found["cores"], faults


def _faults_of_python(machine: Machine, found: JsonObject) -> Iterator[str]:
    python = Path(found["executable"])
    if machine.python_path and python.parent != Path(machine.python_path):
        yield f"{machine.python_path} holds no `python`, so that NNI would take {python}; correct pythonPath"
        return
    for name in _PACKAGES:
        here, there = version(name), found["packages"][name]
        if here != there:
            said = f"has {name} {there}" if there else f"has no {name}"
            yield f"{python} {said}, but here it is {here}; install the same there, or name another pythonPath"


def _faults_of_manager(question: _Question, machine: Machine, found: JsonObject) -> Iterator[str]:
    manager = question.remote.manager
    if "error" in found:
        yield (
            f"cannot reach NNI's manager at {manager}:{question.port} ({found['error']}); open the port to it, or give "
            f"another address of this machine as --manager-ip"
        )
    elif found["own"] not in _addresses(machine.host):
        yield f"comes to {manager} from {found['own']}, which the manager would refuse; give that as its host"


def _addresses(host: str) -> set[str]:
    return {str(place[0]) for *_, place in socket.getaddrinfo(host, None)}


def _faults_of_share(question: _Question, number: int, found: JsonObject | None) -> Iterator[str]:
    shared = question.remote.shared
    if shared is None or found is None:
        return
    if found.get("foreign"):
        state = "is another folder than here" if found.get("is_there", True) else f"is not there ({found['error']})"
        yield f"{shared} {state}; mount there what is mounted here, under the same path"
    elif "error" in found:
        remedy = _SHARED_REMEDIES.get(found["number"], "look at it there")
        yield f"{shared} cannot be written to ({found['error']}); {remedy}"
    elif not _arrives(shared / question.written_by(number), question.content):
        yield f"what it writes to {shared} is not seen here; mount there what is mounted here, under the same path"


def _arrives(file: Path, content: str) -> bool:
    until = time.monotonic() + _SEEN
    while True:
        with suppress(OSError):
            if file.read_text() == content:
                return True
        if time.monotonic() > until:
            return False
        time.sleep(0.1)


def _faults_of_files(question: _Question, found: JsonObject) -> Iterator[str]:
    for name, digest in question.files.items():
        if found[name] != digest:
            state = "is not there" if found[name] is None else "is another file there"
            yield f"{name} {state}; put it, with what it names, into the shared folder, or copy it to the same path"


def _faults_of_gpus(remote: Remote, machine: Machine, found: int | None) -> Iterator[str]:
    wanted = max(remote.gpus, *(index + 1 for index in machine.gpu_indices or (-1,)))
    if wanted and (found or 0) < wanted:
        has = "NNI sees no GPU there (NVIDIA's driver and nvidia-ml-py)" if not found else f"it has {found} GPUs"
        yield f"{has}, but {wanted} are asked for; correct --gpus or gpuIndices, or leave the machine out"
