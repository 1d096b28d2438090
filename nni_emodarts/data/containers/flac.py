"""FLAC: how many samples there are is known from the last frame, whatever the header states."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from nni_emodarts.data.containers.part import Part, Walk, check_counts, whole
from nni_emodarts.data.containers.view import View

MAGIC = b"fLaC"
STREAMINFO = 34
"""Bytes of the first block of metadata."""
NEXT = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
"""How another stream begins: with its magic, and a block of metadata of that size."""
NEXT_BYTES = 8
METADATA_BLOCKS = 1000
LARGEST_FRAME = 2**21
"""Bytes from a stream's end within which its last frame is looked for: of eight channels of 24 bits."""
MOST_SYNCS = 50_000
"""Places that are looked at for it."""
BITS = (0, 8, 12, 0, 16, 20, 24, 32)
"""Bits of a sample by their code in a frame's header; 0 stands for the stream's."""


class Stream(NamedTuple):
    """What a stream's header states of it.

    Attributes:
        block: samples of a frame; 0 where they vary.
        channels: channels.
        bits: of a sample.
        total: samples of each channel; 0 where unknown.
        first: where its frames begin.
    """

    block: int
    channels: int
    bits: int
    total: int
    first: int


class Frame(NamedTuple):
    """A frame of a stream.

    Attributes:
        place: where it begins.
        sample: number of its first sample.
        samples: how many it has of each channel.
    """

    place: int
    sample: int
    samples: int


def walk_flac(view: View) -> Walk:
    """The streams of a file, the number of samples of each put right."""
    parts, first = [], 0
    while first < len(view):
        behind = view.find(NEXT, NEXT_BYTES, first + len(MAGIC), len(view))
        end = len(view) if behind < 0 else behind
        parts.append(_part(view.cut(first, end)))
        first = end
        check_counts(0, len(parts))
    return Walk(parts, len(view))


def _part(view: View) -> Part:
    stream = _stream(view)
    end = _sound_end(view)
    last = None if stream is None else _last_frame(view, stream, end)
    if stream is None or last is None:
        return whole(view)
    there = last.sample + last.samples
    if not _is_whole(view.at(last.place, end - last.place), last.samples + last.sample == stream.total):
        there, end = last.sample, last.place
    if not there or there == stream.total:
        return whole(view)
    mended = view.cut(0, end).patched({18: _total(view.at(18, 8), there)})
    return Part(mended.pieces, True, stream.total / there if stream.total else None)


def _total(field: bytes, samples: int) -> bytes:
    """The eight bytes whose last 36 bits count the samples."""
    value = int.from_bytes(field, "big")
    return (value >> 36 << 36 | samples).to_bytes(8, "big")


def _stream(view: View) -> Stream | None:
    head = view.at(0, 8 + STREAMINFO)
    if len(head) < 8 + STREAMINFO or head[4] & 0x7F:
        return None
    least, most, packed = (int.from_bytes(head[a:b], "big") for a, b in ((8, 10), (10, 12), (18, 26)))
    place = len(MAGIC)
    for _ in range(METADATA_BLOCKS):
        block = view.at(place, 4)
        place += 4 + int.from_bytes(block[1:], "big")
        if len(block) < 4 or place >= len(view):
            return None
        if block[0] & 0x80:
            channels, bits = (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1
            return Stream(least if least == most else 0, channels, bits, packed & (1 << 36) - 1, place)
    return None


def _sound_end(view: View) -> int:
    """Where frames end: before a tag that other programs put behind them."""
    return len(view) - 128 if view.at(max(0, len(view) - 128), 3) == b"TAG" else len(view)


def _last_frame(view: View, stream: Stream, end: int) -> Frame | None:
    size, seen = 2**14, 0
    while seen < min(end - stream.first, LARGEST_FRAME):
        seen = min(size, end - stream.first)
        for place in islice(_syncs_backwards(view.at(end - seen, seen)), MOST_SYNCS):
            frame = _frame(view.at(end - seen + place, 16), stream, end - seen + place)
            if frame is not None:
                return frame
        size *= 4
    return None


def _syncs_backwards(data: bytes) -> Iterator[int]:
    place = data.rfind(b"\xff")
    while place >= 0:
        if data[place + 1 : place + 2] in (b"\xf8", b"\xf9"):
            yield place
        place = data.rfind(b"\xff", 0, place)


def _frame(head: bytes, stream: Stream, place: int) -> Frame | None:
    """A frame's header, if it is one of this stream."""
    if len(head) < 6 or not _fits(head, stream):
        return None
    number, length = _coded_number(head[4:])
    block, rate = head[2] >> 4, head[2] & 15
    after = 4 + length
    extra = {6: 1, 7: 2}.get(block, 0)
    samples = int.from_bytes(head[after : after + extra], "big") + 1 if extra else _block_samples(block)
    after += extra + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if not length or after >= len(head) or _crc8(head[:after]) != head[after]:
        return None
    variable = head[1] & 1
    if not variable and not stream.block:
        return None
    return Frame(place, number if variable else number * stream.block, samples)


def _fits(head: bytes, stream: Stream) -> bool:
    channels, bits = head[3] >> 4, BITS[head[3] >> 1 & 7]
    if head[2] >> 4 == 0 or head[2] & 15 == 15 or head[3] & 1:
        return False
    if channels > 10 or (channels < 8 and channels + 1 != stream.channels) or (channels >= 8 and stream.channels != 2):
        return False
    return bits in (0, stream.bits)


def _block_samples(code: int) -> int:
    if code == 1:
        return 192
    return 576 << (code - 2) if code < 6 else 256 << (code - 8)


def _coded_number(data: bytes) -> tuple[int, int]:
    """A number in the manner of UTF-8, and its bytes; 0 bytes where it is none."""
    lead = data[0]
    if lead < 0x80:
        return lead, 1
    length = 8 - (lead ^ 0xFF).bit_length()
    if not 2 <= length <= 7 or len(data) < length:
        return 0, 0
    number = lead & (1 << (7 - length)) - 1
    for byte in data[1:length]:
        if byte >> 6 != 2:
            return 0, 0
        number = number << 6 | byte & 0x3F
    return number, length


def _table(polynomial: int, bits: int) -> list[int]:
    table, top = [], 1 << (bits - 1)
    for value in range(256):
        rest = value << (bits - 8)
        for _ in range(8):
            rest = (rest << 1 ^ polynomial if rest & top else rest << 1) & (1 << bits) - 1
        table.append(rest)
    return table


_CRC8 = _table(0x07, 8)
_CRC16 = _table(0x8005, 16)


def _crc8(data: bytes) -> int:
    rest = 0
    for byte in data:
        rest = _CRC8[rest ^ byte]
    return rest


def _is_whole(frame: bytes, expected: bool) -> bool:
    """Whether a frame's check sum ends it; bytes behind it are let pass in the frame that is expected to be the last.

    The sum over a frame and its check sum is zero.
    """
    rest = 0
    ended = False
    for byte in frame:
        rest = (rest << 8 ^ _CRC16[rest >> 8 ^ byte]) & 0xFFFF
        ended |= rest == 0
    return rest == 0 or (expected and ended)
