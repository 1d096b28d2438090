"""Files of JSON, an object a line, that several processes append to: each line is whole, whatever ends a process."""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from nni_emodarts.errors import RunFolderError
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.reading import MEGABYTE, UnreadableError, open_file
from nni_emodarts.runtime.writing import replacing

LARGEST_LINES = 1024 * MEGABYTE
_SHOWN = 60
"""Characters of a damaged line that a message shows."""


@dataclass(frozen=True)
class Line:
    """A line of a file.

    Attributes:
        number: its number, from 1.
        text: its bytes with the line's end; a kill may have cut it off before that.
    """

    number: int
    text: bytes

    @property
    def ended(self) -> bool:
        """Whether its end was written."""
        return self.text.endswith(b"\n")

    @property
    def blank(self) -> bool:
        """Whether nothing stands on it."""
        return not self.text.strip()

    def parse(self) -> JsonObject:
        """The object.

        Raises:
            ValueError: it holds none.
        """
        try:
            data = json.loads(self.text)
        except RecursionError:
            raise ValueError("it nests too deep") from None
        if not isinstance(data, dict):
            raise ValueError("no object")  # noqa: TRY004 - what json itself raises
        return data

    def __str__(self) -> str:
        """How it begins."""
        text = " ".join(self.text.decode(errors="backslashreplace").split())
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def read_lines(file: Path) -> list[Line]:
    """All lines that are not blank; none where there is no file. A line that is being written is waited for.

    Raises:
        RunFolderError: it is no regular file, or larger than any.
    """
    try:
        with open_file(file, LARGEST_LINES) as stream:
            with suppress(OSError):  # a file system without locks: what is being written may be taken for cut off
                fcntl.flock(stream, fcntl.LOCK_SH)
            return _lines(stream.read(LARGEST_LINES))
    except FileNotFoundError:
        return []
    except UnreadableError as error:
        raise RunFolderError(f"{file} {error}") from None


class LockedLines:
    """A file of lines that no other process reads or changes meanwhile; `locked` gives it."""

    def __init__(self, file: Path, opened: BinaryIO) -> None:
        self._file, self._opened = file, opened

    def read(self) -> list[Line]:
        """All lines that are not blank."""
        self._opened.seek(0)
        return _lines(self._opened.read())

    def append(self, objects: Iterable[JsonObject]) -> None:
        """Write a line for each object, in one piece and to the disk; where that fails, none of them.

        What a kill has cut off at the end of the file gives way.
        """
        text = b"".join(
            json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for data in objects
        )
        end = self._mend()
        descriptor = self._opened.fileno()
        try:
            while text:
                text = text[os.write(descriptor, text) :]
            os.fsync(descriptor)
        except BaseException as error:
            os.ftruncate(descriptor, end)
            if isinstance(error, OSError):
                error.filename = str(self._file)  # a write that fails names no file
            raise

    def keep(self, lines: Iterable[Line]) -> None:
        """Replace the file by some of its lines, as they are; delete it where none is left."""
        text = b"".join(line.text for line in lines)
        if not text:
            self._file.unlink()
            return
        with replacing(self._file) as temporary:
            temporary.write_bytes(text)
            temporary.chmod(self._file.stat().st_mode)

    def _mend(self) -> int:
        """Make the file end with a line's end; its size then."""
        last = next(reversed(self.read()), None)
        descriptor = self._opened.fileno()
        size = os.fstat(descriptor).st_size
        if last is None or last.ended:
            return size
        try:
            last.parse()
        except ValueError:
            os.ftruncate(descriptor, size - len(last.text))
        else:
            os.write(descriptor, b"\n")  # the line is whole but for its end
        return os.fstat(descriptor).st_size


@contextmanager
def locked(file: Path) -> Iterator[LockedLines]:
    """A file of lines for this process alone; it is made where there is none, and its folder, too.

    Raises:
        RunFolderError: the file system has no locks.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with file.open("a+b", buffering=0) as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX)
            except OSError as error:
                raise RunFolderError(
                    f"{file} cannot be locked ({error.strerror}), so that two commands would spoil it; name a folder "
                    f"on another disk"
                ) from None
            if _is_that_of(opened, file):
                yield LockedLines(file, opened)
                return


def _is_that_of(opened: BinaryIO, file: Path) -> bool:
    """Whether the file has not been replaced or deleted while its lock was waited for."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(opened.fileno()), file.stat())
    return False


def _lines(text: bytes) -> list[Line]:
    lines = [Line(number, line) for number, line in enumerate(text.splitlines(keepends=True), 1)]
    return [line for line in lines if not line.blank]
