"""Files that are whole or absent, and never written over another unasked."""

import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from nni_emodarts.errors import RunFolderError
from nni_emodarts.runtime.plain_data import JsonMapping

_TRIES = 100
"""Of a move into a folder that may be deleted between two system calls."""

_PAUSE = 0.002
"""Between two such moves, at most, in seconds."""


def check_output(out: Path, overwrite: bool, example: str) -> None:
    """Refuse the name of a file before there is anything to write to it.

    Args:
        out: the file.
        overwrite: it may be replaced.
        example: a file name, for who named a folder.

    Raises:
        RunFolderError: it is that of a folder, or of a file that is not to be replaced.
    """
    if out.is_dir():
        raise RunFolderError(f"output {out} is a folder; name a file, such as {out / example}")
    if out.exists() and not overwrite:
        raise RunFolderError(f"output {out} exists; name another file, or add --overwrite to replace it")


def write_output(out: Path, data: bytes) -> None:
    """Write a file that a person named, and its folder where there is none.

    Raises:
        RunFolderError: it cannot be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, data)
    except OSError as error:
        raise RunFolderError(f"output {out}: {error.strerror or error}; name another") from None


def write_json_file(file: Path, data: JsonMapping) -> None:
    """Write data as JSON that is whole or absent, a line for each figure."""
    write_atomically(file, (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode())


def put_json_file(file: Path, data: JsonMapping) -> None:
    """As `write_json_file`, in a folder that another process deletes whenever nothing is in it."""
    folder = file.parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    whole = folder.with_name(f".{file.name}.{token_hex(8)}")  # where nobody deletes; what is left to do takes no time
    write_json_file(whole, data)
    try:
        _move_into_fleeting(folder, whole, file)
    finally:
        whole.unlink(missing_ok=True)


def _move_into_fleeting(folder: Path, whole: Path, file: Path) -> None:
    for tries_left in reversed(range(_TRIES)):
        try:
            folder.mkdir(exist_ok=True)
            whole.replace(file)
        except (FileNotFoundError, FileExistsError):
            if not tries_left:
                raise
            time.sleep(random.SystemRandom().uniform(0, _PAUSE))  # else two stay in step
        else:
            return


def look_anew(folder: Path) -> None:
    """Let a network's file system ask its server what lies in a folder, where else it may say what it knew before."""
    for each in (folder.parent, folder):
        with suppress(OSError):
            os.utime(each)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file such that it is whole or absent, whatever happens."""
    with replacing(path) as temporary, temporary.open("xb") as file:  # for whom the umask allows
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name of its own beside a file, which becomes the file once all is written; where that fails, it is deleted."""
    temporary = path.with_name(f".{path.name}.{token_hex(8)}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(FileNotFoundError, NotADirectoryError):
            temporary.unlink()
        if isinstance(error, OSError):
            error.filename = str(path)  # a write that fails names no file
        raise
