"""A question to another machine over SSH, by the system's `ssh`, under the conditions under which NNI connects.

NNI (ssh2 of Node.js) reads no `~/.ssh/config`, asks no agent, and takes the key file that it is given. It compares no
host key; here one that `known_hosts` does not hold is refused, and `remote_ssh.js` has NNI's manager refuse it, too.
"""

import json
import re
import shlex
import shutil
import subprocess
from importlib import resources
from pathlib import Path

from nni_emodarts.errors import ExperimentError
from nni_emodarts.nni_bridge.remote.machines import Machine
from nni_emodarts.nni_bridge.remote.probe import MARK
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject
from nni_emodarts.runtime.plain_text import visible

_CONNECT = 10  # seconds
_PATIENCE = 60.0  # seconds, of a machine that has to start Python
_NO_PYTHON = 127
"""Exit code of a shell that does not find a command."""
_SSH_FAILED = 255


class UnansweredError(ExperimentError):
    """Why a machine did not answer, with the remedy."""


def known_hosts() -> Path:
    """The file of host keys that are trusted; that of the system (/etc/ssh/ssh_known_hosts) is read besides."""
    return Path.home() / ".ssh" / "known_hosts"


def ask_machine(machine: Machine, asked: JsonMapping) -> JsonObject:
    """What `probe.py` finds on a machine.

    Args:
        machine: the machine.
        asked: what to look at.

    Raises:
        UnansweredError: it does not answer.
    """
    words = _command(machine, asked)
    script = resources.files("nni_emodarts.nni_bridge.remote").joinpath("probe.py").read_text(encoding="utf-8")
    try:
        done = subprocess.run(  # noqa: S603
            words, input=script, capture_output=True, text=True, errors="replace", check=False, timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise UnansweredError(f"does not answer within {_PATIENCE:.0f} s; look at its load and its network") from None
    found = re.search(rf"^{re.escape(MARK)}(.*)$", done.stdout, re.MULTILINE)
    if done.returncode != 0 or found is None:
        raise UnansweredError(_reason(machine, done.returncode, done.stderr))
    answer: JsonObject = json.loads(found[1])
    return answer


def _command(machine: Machine, asked: JsonMapping) -> list[str]:
    ssh = shutil.which("ssh")
    if ssh is None:
        raise UnansweredError("cannot be asked, since there is no ssh here; install OpenSSH's client")
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": str(_CONNECT),
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "LogLevel": "ERROR",
        "PreferredAuthentications": "publickey",
        "ServerAliveInterval": "5",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": f'"{known_hosts()}"',
    }
    path = f'PATH="{machine.python_path}:$PATH" ' if machine.python_path else ""
    return [
        ssh, "-F", "none", "-T", "-p", str(machine.port), "-l", machine.user, "-i", machine.ssh_key_file,
        *(word for name, value in options.items() for word in ("-o", f"{name}={value}")),
        "--", machine.host, f"{path}python - {shlex.quote(json.dumps(asked))}",
    ]  # fmt: skip


def _reason(machine: Machine, code: int, said: str) -> str:
    """Why there is no answer, in one sentence."""
    by_hand = f"ssh -p {machine.port} {machine.user}@{machine.host}"
    if code == _NO_PYTHON:
        return "has no `python` in the PATH of its SSH sessions; name the folder of the environment's as pythonPath"
    if code != _SSH_FAILED:
        return f"cannot run Python ({_last_line(said)}); look at it by {by_hand}"
    if "IDENTIFICATION HAS CHANGED" in said:
        return (
            f"shows another host key than {known_hosts()} holds; where that is right, ssh-keygen -R {machine.host} and "
            f"{by_hand} once"
        )
    if "Host key verification failed" in said:
        return f"has a host key that is not in {known_hosts()}; connect once by {by_hand}, and compare its fingerprint"
    if not Path(machine.ssh_key_file).is_file():
        return f"has {machine.ssh_key_file} as sshKeyFile, and there is no such file here; name a private key"
    if "Permission denied" in said:
        return (
            f"refuses {machine.user} with {machine.ssh_key_file}; add its public key there (ssh-copy-id), and name a "
            f"key without passphrase, since NNI asks no agent"
        )
    return f"cannot be reached ({_last_line(said)}); look at host, port and network by {by_hand}"


def _last_line(said: str) -> str:
    lines = said.strip().splitlines()
    return visible(lines[-1].strip())[:200] if lines else "it says nothing"
