"""Some bytes of a file, with others before or between them, read as a file of their own."""

import io
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import BinaryIO

Piece = bytes | range
"""Bytes that are put in, or a range of the file's."""
BLOCK = 2**16
"""Bytes that are read at once where a container is walked over."""


class View(io.RawIOBase):
    """Pieces of a file, one behind the other, as a file that can be read and sought in.

    Attributes:
        stream: the file.
        pieces: what is to be seen of it.
        fault: what went wrong when libsndfile read it, to which nothing may be raised.
    """

    def __init__(self, stream: BinaryIO, pieces: Iterable[Piece]) -> None:
        self.stream = stream
        self.fault: Exception | None = None
        self.pieces = tuple(piece for piece in pieces if len(piece))
        self._ends = list(accumulate(map(len, self.pieces)))
        self._position = 0
        self._first, self._block = 0, b""

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def cut(self, first: int, last: int | None = None) -> "View":
        """The bytes from one place to before another; to the end where that is absent."""
        return View(self.stream, self._between(first, len(self) if last is None else last))

    def patched(self, patches: Mapping[int, bytes]) -> "View":
        """The same bytes with others in place of those at some offsets."""
        pieces: list[Piece] = []
        done = 0
        for offset, data in sorted(patches.items()):
            pieces += [*self._between(done, offset), data]
            done = offset + len(data)
        return View(self.stream, [*pieces, *self._between(done, len(self))])

    def at(self, place: int, count: int) -> bytes:
        """That many bytes from a place; fewer where the end comes first."""
        offset = place - self._first
        if offset < 0 or offset + count > len(self._block):
            self.seek(place)
            self._first, self._block, offset = place, self.read(max(count, BLOCK)), 0
        return self._block[offset : offset + count]

    def find(self, pattern: re.Pattern[bytes], width: int, first: int, last: int) -> int:
        """Where a pattern of that many bytes begins in a stretch of the bytes; -1 where it does not."""
        while first + width <= last:
            self.at(first, width)
            found = pattern.search(self._block, first - self._first, last - self._first)
            if found is not None:
                return self._first + found.start()
            first = self._first + len(self._block) - width + 1
        return -1

    def _between(self, first: int, last: int) -> list[Piece]:
        pieces: list[Piece] = []
        number = bisect_right(self._ends, first)
        while number < len(self.pieces) and first < last:
            begins = self._ends[number] - len(self.pieces[number])
            pieces.append(self.pieces[number][first - begins : last - begins])
            first = self._ends[number]
            number += 1
        return pieces

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The place of the next byte."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: len(self)}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, count: int = -1, /) -> bytes:
        """That many bytes, fewer only at the end, for which libsndfile takes a short answer."""
        wanted = len(self) - self._position if count < 0 else count
        pieces = []
        while wanted > 0 and (data := self._read_piece(wanted)):
            pieces.append(data)
            wanted -= len(data)
            self._position += len(data)
        return b"".join(pieces)

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Fill a buffer for libsndfile; what fails ends the file, and is kept."""
        try:
            data = self.read(len(buffer))
        except Exception as error:  # a file object of others may raise anything
            self.fault, data = error, b""
        buffer[: len(data)] = data
        return len(data)

    def _read_piece(self, count: int) -> bytes:
        number = bisect_right(self._ends, self._position)
        if number == len(self.pieces):
            return b""
        piece = self.pieces[number]
        offset = self._position - (self._ends[number] - len(piece))
        wanted = piece[offset : offset + count]
        if isinstance(wanted, bytes):
            return wanted
        self.stream.seek(wanted.start)
        return self.stream.read(len(wanted))
