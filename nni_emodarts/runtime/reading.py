"""Files that a person names or was sent: read whole, within bounds, and refused by what they are."""

import codecs
import errno
import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from nni_emodarts.runtime.plain_data import JsonObject

KILOBYTE, MEGABYTE = 2**10, 2**20
LARGEST_JSON = 32 * MEGABYTE
"""Bytes of a JSON file, which may list all recordings of a corpus; parsed they are 700 MB at worst."""
MOST_KEYS = 200_000
"""Keys of a JSON file, and likewise lists and objects: each takes far more memory than a value."""
LARGEST_TABLE = 128 * MEGABYTE
"""Bytes of a CSV file."""
MOST_LINES = 1_000_000
"""Lines of a CSV file, each of which takes memory by itself."""
MOST_CELLS = 6_000_000
"""Cells of a CSV file; with as many lines as there may be it takes 1 GB at worst."""
MOST_COLUMNS = 10_000
"""Cells of a line of a CSV file."""

_OTHERS = (
    (b"version https://git-lfs.github.com/", "a pointer of Git LFS, not the file itself; run git lfs pull"),
    (b"PK\x03\x04", "a ZIP archive, as Excel's .xlsx is; unpack it, or export the table as CSV in UTF-8"),
    (b"\xd0\xcf\x11\xe0", "an Excel file (.xls); export the table as CSV in UTF-8"),
    (b"\x1f\x8b", "compressed by gzip; unpack it"),
    (b"%PDF", "a PDF; name the text file"),
    (b"RIFF", "a recording; name the text file"),
    (b"fLaC", "a recording; name the text file"),
    (b"OggS", "a recording; name the text file"),
    (b"ID3", "a recording; name the text file"),
)
"""How files begin that are no text that was meant."""
_PAGES = (b"<!doctype html", b"<html")
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)
_LEGACY = "cp1252"
"""What a text that is no UTF-8 is most likely in: Windows in Western Europe and America, and nearly Latin 1."""


class UnreadableError(ValueError):
    """Why a file is not read, with the remedy: the end of a sentence that begins with its name."""


@contextmanager
def open_file(path: str | Path, most: int) -> Iterator[BinaryIO]:
    """A regular file for reading; a pipe that nobody writes to is never waited for.

    Args:
        path: the file.
        most: bytes that it may have.

    Raises:
        OSError: the system refuses to read it.
        UnreadableError: it is no regular file, or longer than that.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with open(handle, "rb") as file:  # noqa: PTH123 - of a handle
        state = os.fstat(handle)
        _refuse_kind(path, state.st_mode)
        _refuse_size(state.st_size, most)
        yield file


def read_bytes(path: str | Path, most: int) -> bytes:
    """A file's content.

    Args:
        path: the file.
        most: bytes that it may have.

    Raises:
        OSError: the system refuses to read it.
        UnreadableError: it is no regular file, or longer than that.
    """
    with open_file(path, most) as file:
        data = file.read(most + 1)
    _refuse_size(len(data), most)  # files of the system state no size
    return data


def read_text(path: str | Path, most: int) -> str:
    """A text file's content, in UTF-8 or in what its byte order mark says, without that mark.

    Raises:
        OSError: the system refuses to read it.
        UnreadableError: it is no regular file, longer than that, or no such text.
    """
    return decode(read_bytes(path, most))


def read_table_bytes(path: str | Path, separators: bytes = b",") -> bytes:
    """A CSV file's content, not parsed yet.

    Args:
        path: the file.
        separators: bytes that end a cell.

    Raises:
        OSError: the system refuses to read it.
        UnreadableError: it is no regular file, or is larger than any table of this package.
    """
    data = read_bytes(path, LARGEST_TABLE)
    lines = data.count(b"\n")
    if lines > MOST_LINES:
        raise UnreadableError(f"has {lines:,} lines, more than the {MOST_LINES:,} that are read; name another")
    cells = max(data.count(bytes([each])) for each in separators) + lines + 1
    if cells > MOST_CELLS:
        raise UnreadableError(f"has {cells:,} cells, more than the {MOST_CELLS:,} that are read; name another")
    head = data[: data.find(b"\n") if b"\n" in data else None]
    columns = max(head.count(bytes([each])) for each in separators) + 1
    if columns > MOST_COLUMNS:
        raise UnreadableError(f"has {columns:,} columns, more than the {MOST_COLUMNS:,} that are read; name another")
    return data


def read_json(path: str | Path, most: int = LARGEST_JSON) -> Any:
    """What a JSON file holds.

    Raises:
        OSError: the system refuses to read it.
        UnreadableError: it is no regular file, longer than that, has more keys than are read, or is no JSON; or an
            object names a key twice.
    """
    text = read_text(path, most)
    if max(text.count(":"), text.count("[") + text.count("{")) > MOST_KEYS:
        raise UnreadableError(f"holds more than {MOST_KEYS:,} keys or lists, the most that are read; name another")
    try:
        return json.loads(text, object_pairs_hook=_once)
    except UnreadableError:
        raise
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"is no JSON: {error}") from None


def decode(data: bytes) -> str:
    """Bytes as text; line ends stay as they are.

    Raises:
        UnreadableError: they are no text, or in an encoding that they do not name; the first such line is named.
    """
    refuse_other_formats(data)
    try:
        return data.decode(encoding_of(data))
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise UnreadableError(f"is no UTF-8: line {number}{_as_legacy(data, error.start)}") from None


def encoding_of(data: bytes) -> str:
    """The encoding that a text's first bytes tell of: UTF-8, or UTF-16 and UTF-32 as Excel and Windows write them."""
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = data[:64]
    if len(head) >= 8 and len(head) % 2 == 0:  # English letters take every other byte alone
        for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
            if not any(head[first::2]) and all(head[1 - first :: 2]):
                return name
    return "utf-8-sig"


def refuse_other_formats(data: bytes) -> None:
    """Refuse the beginning of what is no text of a person's at all.

    Raises:
        UnreadableError: with what it is.
    """
    other = next((what for start, what in _OTHERS if data.startswith(start)), None)
    if data[:1024].lstrip(codecs.BOM_UTF8 + b" \t\r\n").lower().startswith(_PAGES):
        other = "a web page (HTML) that was saved in its place; download it again"
    if data and not any(data[:MEGABYTE]):
        other = "nothing but zeros, as of a copy that was cut short; copy it again"
    if other is not None:
        raise UnreadableError(f"is {other}")


def _refuse_kind(path: str | Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "no file")
        raise UnreadableError(f"is {kind} and no file; save what it gives to a file, and name that")


def _refuse_size(size: int, most: int) -> None:
    if size > most:
        raise UnreadableError(f"is larger than {_size(most)}, the most that is read of such a file; name another")


def _as_legacy(data: bytes, place: int) -> str:
    """The line at a place, as Windows would have written it, and how to make it UTF-8."""
    first, last = data.rfind(b"\n", 0, place) + 1, data.find(b"\n", place)
    line = data[max(first, place - 30) : min(len(data) if last < 0 else last, place + 30)]
    text = line.decode(_LEGACY, errors="replace").strip()
    if not text.isprintable():
        return " holds bytes that are no text; name another file, or save it as UTF-8"
    return f" would be {text!r} in Windows-1252; save it as UTF-8, such as by iconv -f WINDOWS-1252 -t UTF-8"


def _once(pairs: Iterable[tuple[str, Any]]) -> JsonObject:
    """An object of JSON, whose keys are all different."""
    items = list(pairs)
    made = dict(items)
    if len(made) < len(items):
        names = [name for name, _ in items]
        twice = next(name for name in made if names.count(name) > 1)
        raise UnreadableError(f"names {twice[:80]!r} twice in one object; keep one")
    return made


def _size(count: int) -> str:
    unit, name = (MEGABYTE, "MB") if count >= MEGABYTE else (KILOBYTE, "KB")
    return f"{count / unit:g} {name}"
