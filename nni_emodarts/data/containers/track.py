"""A file's recordings, decoded as one."""

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import soundfile

from nni_emodarts.data.containers.layout import Layout, find_layout
from nni_emodarts.data.containers.part import EndlessError, Part
from nni_emodarts.data.containers.quiet import quiet
from nni_emodarts.data.containers.view import View
from nni_emodarts.runtime.reading import UnreadableError

UNKNOWN_FRAMES = 2**62
"""Number of samples from which a header means that it knows none: FLAC that an encoder wrote to a pipe."""
SKIPPED_AT_ONCE = 2**16


class Form(NamedTuple):
    """What a part's header says.

    Attributes:
        samplerate: in Hz.
        channels: channels.
        format: container.
        subtype: encoding.
        frames: samples of each channel.
    """

    samplerate: int
    channels: int
    format: str
    subtype: str
    frames: int


class _Sound:
    """A part that is open. What its file raises while libsndfile reads is raised behind that.

    Args:
        file: its name, or its bytes.
        samples: of each channel, where they are known better than by its header.
    """

    def __init__(self, file: bytes | View, samples: int | None = None) -> None:
        self._view = file if isinstance(file, View) else None
        with self._watched():
            self._sound = soundfile.SoundFile(file)
        sound = self._sound
        frames = sound.frames if samples is None else samples
        self.form = Form(sound.samplerate, sound.channels, sound.format, sound.subtype, frames)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            with quiet:
                yield
        finally:
            if self._view is not None and self._view.fault is not None:
                raise OSError(str(self._view.fault))

    def go_to(self, first: int) -> None:
        """Go to a sample; codecs of telephones (GSM 6.10) know no way but to decode all before it."""
        with self._watched():
            if first and self._sound.seekable():
                self._sound.seek(first)
                return
            while first > 0 and (read := len(self._sound.read(min(first, SKIPPED_AT_ONCE), always_2d=True))):
                first -= read

    def read(self, count: int) -> np.ndarray:
        """(B, channels) float32, at most that many samples."""
        with self._watched():
            sound = self._sound
            if sound.seekable() and sound.tell() >= sound.frames:  # of damaged MP3, even behind
                return np.empty((0, sound.channels), np.float32)
            block: np.ndarray = sound.read(count, dtype="float32", always_2d=True)
        return block

    def close(self) -> None:
        """Close it."""
        with quiet:
            self._sound.close()


Opener = Callable[[int], _Sound]
"""Opens a part by its number."""


class Track:
    """Recordings one behind the other, read as one. Only one is open at a time.

    Attributes:
        layout: the parts.
        samplerate: in Hz.
        channels: channels; 1 where the parts have different ones, since these are averaged then.
        format: container of the first part.
        subtype: encoding of the first part.
        frames: samples of each channel, as far as headers tell; `UNKNOWN_FRAMES` or more where they do not.

    Args:
        layout: the parts.
        open_part: opens them.

    Raises:
        UnreadableError: their sampling rates differ.
    """

    def __init__(self, layout: Layout, open_part: Opener) -> None:
        self.layout = layout
        self._open = open_part
        self._number, self._sound = 0, open_part(0)
        forms = [self._sound.form, *(_form(open_part, number) for number in range(1, len(layout.parts)))]
        self.samplerate, channels, self.format, self.subtype, _ = forms[0]
        self._mixed = any(form.channels != channels for form in forms)
        self.channels = 1 if self._mixed else channels
        self._ends = list(accumulate(form.frames for form in forms))
        self.frames = self._ends[-1]
        if rates := {form.samplerate for form in forms} - {self.samplerate}:
            different = " and ".join(map(str, (self.samplerate, *sorted(rates))))
            raise UnreadableError(f"holds recordings of {different} Hz one behind the other; cut it into several")

    def close(self) -> None:
        """Close the part that is open."""
        self._sound.close()

    def seek(self, first: int) -> None:
        """Go to a sample."""
        number = min(bisect_right(self._ends, first), len(self._ends) - 1)
        self._go_to_part(number)
        self._sound.go_to(first - (self._ends[number - 1] if number else 0))

    def read(self, count: int) -> np.ndarray:
        """(B, channels) float32; fewer samples than that many, or none, only at the end."""
        blocks: list[np.ndarray] = []
        while count > 0:
            block = self._sound.read(count)
            if len(block):
                blocks.append(block.mean(axis=1, keepdims=True) if self._mixed else block)
                count -= len(block)
            elif self._number + 1 < len(self._ends):
                self._go_to_part(self._number + 1)
            else:
                break
        return blocks[0] if len(blocks) == 1 else np.concatenate([np.empty((0, self.channels), np.float32), *blocks])

    def _go_to_part(self, number: int) -> None:
        if number != self._number:
            self.close()
            self._number, self._sound = number, self._open(number)


def _form(open_part: Opener, number: int) -> Form:
    sound = open_part(number)
    sound.close()
    return sound.form


@contextmanager
def open_track(source: Path | BinaryIO) -> Iterator[Track]:
    """Open a file, or a file that is open in binary mode and can be sought in.

    Raises:
        UnreadableError: its parts cannot be read as one.
        soundfile.SoundFileError: it is no recording.
        OSError: it cannot be read.
    """
    layout = layout_of(source) if isinstance(source, Path) else _walk(source, source.seek(0, os.SEEK_END))
    with _opener(source, layout) as open_part, closing(Track(layout, open_part)) as track:
        yield track


def layout_of(path: Path) -> Layout:
    """How a file is to be read.

    Raises:
        UnreadableError: it is too long.
        OSError: it cannot be read.
    """
    found = path.stat()
    return _layout_at(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=16)
def _layout_at(path: Path, size: int, changed: int) -> Layout:
    """Kept, since a manifest may name many stretches of a file; one that changed is another one."""
    with path.open("rb") as stream:
        return _walk(stream, size)


def _walk(stream: BinaryIO, size: int) -> Layout:
    try:
        return find_layout(stream, size)
    except EndlessError as error:
        raise UnreadableError(f"{error}; cut it into several") from None


@contextmanager
def _opener(source: Path | BinaryIO, layout: Layout) -> Iterator[Opener]:
    parts = layout.parts or (Part(()),)
    if isinstance(source, Path) and layout.as_it_stands:
        # as bytes, since a name need not be text
        yield lambda number: _Sound(os.fsencode(source), parts[number].samples)
        return
    with source.open("rb") if isinstance(source, Path) else nullcontext(source) as stream:
        whole = [range(stream.seek(0, os.SEEK_END))]
        yield lambda number: _Sound(View(stream, parts[number].pieces or whole), parts[number].samples)
