"""Looks at a machine on which trials are to run. It is sent there as text, and needs the standard library alone."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

MARK = "emodarts-probe:"
"""What the line of its answer begins with; a shell's start-up files may print lines of their own."""
_ROOM = 4 * 2**20  # bytes
_PATIENCE = 5.0  # seconds


def look(asked: dict[str, Any]) -> dict[str, Any]:
    """What a machine is like.

    Args:
        asked: `packages` (names), `files` (paths), `manager` (address, port and greeting), `shared` (folder, name and
            content of a file that is there, name of one to write), `gpus` (whether to count them); any may be absent.

    Returns:
        `time` (seconds since 1970), `executable`, `cores`, and an answer to each question.
    """
    found: dict[str, Any] = {
        "time": time.time(),
        "executable": sys.executable,
        "cores": len(os.sched_getaffinity(0)),
        "packages": {name: _version(name) for name in asked.get("packages", ())},
        "files": {path: _digest(Path(path)) for path in asked.get("files", ())},
    }
    if "manager" in asked:
        found["manager"] = _reach(*asked["manager"])
    if "shared" in asked:
        folder, *names = asked["shared"]
        found["shared"] = _share(Path(folder), *names)
    if asked.get("gpus"):
        found["gpus"] = _gpus()
    return found


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _digest(file: Path) -> str | None:
    """SHA-256 (hex); None where it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return None


def _reach(host: str, port: int, greeting: str) -> dict[str, str]:
    """The own address towards a manager, and why it cannot be reached where it cannot."""
    own = ""
    try:
        with socket.create_connection((host, port), timeout=_PATIENCE) as connection:
            own = connection.getsockname()[0]
            with connection.makefile("r", encoding="ascii", errors="replace") as stream:
                said = stream.read(len(greeting))
    except OSError as error:
        return {"own": own, "error": error.strerror or str(error)}
    return {"own": own} if said == greeting else {"own": own, "error": "somebody else answers at this address"}


def _share(folder: Path, token: str, content: str, own: str) -> dict[str, Any]:
    """Why a folder is not the one that holds the token, or cannot be written to; nothing where it is, and can."""
    try:
        os.listdir(folder)  # noqa: PTH208 - a network file system may answer from memory otherwise
        if (folder / token).read_text() != content:
            return {"foreign": True}
    except OSError as error:
        return {"foreign": True, "error": error.strerror, "is_there": folder.is_dir()}
    mine = folder / own
    try:
        with mine.open("wb") as file:
            file.write(content.encode() + bytes(_ROOM))
            file.flush()
            os.fsync(file.fileno())
            file.truncate(len(content))
    except OSError as error:
        if error.errno != errno.EROFS:
            mine.unlink(missing_ok=True)
        return {"error": error.strerror, "number": error.errno}
    return {}


def _gpus() -> int | None:
    """Number of GPUs, counted as NNI counts them; None where their driver is not there."""
    try:
        import pynvml

        pynvml.nvmlInit()
        return int(pynvml.nvmlDeviceGetCount())
    except Exception:  # whatever keeps NNI from counting them
        return None


if __name__ == "__main__":
    print(MARK + json.dumps(look(json.loads(sys.argv[1]))))  # noqa: T201 - its answer
