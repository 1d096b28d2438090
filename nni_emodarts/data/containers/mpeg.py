"""MPEG audio (MP3): its frames are counted, and the tag that says how many is put in where it is missing or wrong."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from nni_emodarts.data.containers.part import Part, Walk, check_counts
from nni_emodarts.data.containers.view import View

BITRATES = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Generation, layer -> kbit/s by code, from code 1."""
RATES = (44100, 48000, 32000)
"""Sampling rates of MPEG-1 in Hz; those of MPEG-2 are half, those of MPEG-2.5 a quarter of them."""
FRAME_HEAD = 4 + 32 + 16
"""Bytes of a frame up to the end of a tag."""
SYNC = re.compile(rb"\xff[\xe2-\xe7\xf2-\xff][%s]" % re.escape(bytes(b for b in range(0x10, 0xF0) if b >> 2 & 3 < 3)))
"""How a frame may begin."""
JUNK = 2**20
"""Bytes of a file that are looked through for the next frame where something else lies between frames."""
TAGS = (b"Xing", b"Info")
VBRI = b"VBRI"
VBRI_PLACE = 36
TAG_BYTES = 16
"""Of a tag that counts frames and bytes: its name, flags, and both."""
COUNTS_FRAMES, COUNTS_BYTES = 1, 2
ENOUGH = 3
"""Frames of its kind that follow a frame where another kind came before: four bytes look like a header too easily."""
CLOSE = 128
"""Bytes before the end behind which no frame has to follow: a tag's."""
LEAST_SHARE = 0.5
"""Share of a file that frames take, so that the file is MPEG audio."""


class Header(NamedTuple):
    """A frame's header.

    Attributes:
        key: version, layer, rate and mono: what a stream keeps. Layers I and II keep their bit rate, too: only a tag of
            layer III tells decoders of another.
        bitrate: in kbit/s.
        size: bytes of the frame.
        samples: of each channel.
        tag_place: where a tag stands in the frame.
    """

    key: tuple[int, ...]
    bitrate: int
    size: int
    samples: int
    tag_place: int


@lru_cache(maxsize=4096)
def parse_header(data: bytes) -> Header | None:
    """A frame's first four bytes; None where they are none. Frames of a bit rate that is not listed are not known."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:
        return None
    version, layer = data[1] >> 3 & 3, 4 - (data[1] >> 1 & 3)
    bitrate_code, rate_code = data[2] >> 4, data[2] >> 2 & 3
    if version == 1 or layer == 4 or bitrate_code in (0, 15) or rate_code == 3:
        return None
    generation = 1 if version == 3 else 2
    bitrate = BITRATES[generation, layer][bitrate_code - 1]
    rate = RATES[rate_code] >> (0, 1, 2)[{3: 0, 2: 1, 0: 2}[version]]
    samples = 384 if layer == 1 else 576 if layer == 3 and generation == 2 else 1152
    padding, slot = data[2] >> 1 & 1, 4 if layer == 1 else 1
    size = (samples // 8 * bitrate * 1000 // rate // slot + padding) * slot
    mono = data[3] >> 6 == 3
    side = {(1, False): 32, (1, True): 17, (2, False): 17, (2, True): 9}[generation, mono]
    constant = 0 if layer == 3 else bitrate
    return Header((version, layer, rate, mono, constant), bitrate, size, samples, 4 + side)


@dataclass
class _Run:
    """Frames of one recording, as they are found.

    Attributes:
        first: the header of the first frame.
        place: where that is.
        behind_junk: whether something else lies before it.
        tag: whether it holds a tag.
        stated: frames that the tag counts; None where it does not, or there is none.
        ranges: where frames lie; several where there is something else between them.
        frames: how many.
        bitrates: theirs.
    """

    first: Header
    place: int
    behind_junk: bool
    tag: bool
    stated: int | None
    ranges: list[range] = field(default_factory=list)
    frames: int = 0
    bitrates: set[int] = field(default_factory=set)

    def extend(self, view: View, place: int) -> int:
        """Add the frames of this recording that follow one another from a place on; returns where they end."""
        first, key, size = place, self.first.key, len(view)
        while True:
            head = view.at(place, FRAME_HEAD)
            header = parse_header(head[:4])
            if header is None or header.key != key or place + header.size > size or _tag(head, header):
                break
            place += header.size
            self.frames += 1
            self.bitrates.add(header.bitrate)
            check_counts(self.frames)
        if place > first:
            self.ranges.append(range(first, place))
        return place


def begins(view: View) -> bool:
    """Whether MPEG audio begins there, or what libsndfile takes for it."""
    head = view.at(0, 2)
    return len(head) == 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 6 != 0


def walk_mpeg(view: View) -> Walk:
    """A file's recordings: each begins with a tag of its own, behind one of ID3, or with frames of another kind."""
    runs = [run for run in _runs(view) if run.frames]
    sound = sum(len(each) for run in runs for each in run.ranges)
    if sound < LEAST_SHARE * (len(view) - tag_size(view.at(0, 32))):
        return Walk([], len(view))
    return Walk([_part(view, run, len(runs) == 1) for run in runs], len(view))


def _runs(view: View) -> list[_Run]:
    runs: list[_Run] = []
    place, fresh, junk, frames = 0, True, JUNK, 0
    while place < len(view):
        header = _frame(view, place, runs)
        if header is None:
            if size := tag_size(view.at(place, 32)):
                fresh |= view.at(place, 3) == b"ID3"
                place += size
            else:
                found = _next_frame(view, place, min(len(view), place + junk))
                junk -= found - place
                place = found
            continue
        head = view.at(place, FRAME_HEAD)
        tag = _tag(head, header)
        if fresh or tag or header.key != runs[-1].first.key:
            runs.append(_Run(header, place, junk < JUNK, bool(tag), _count(head, header, tag)))
            fresh = False
        frames -= runs[-1].frames
        place = runs[-1].extend(view, place + header.size * bool(tag))
        frames += runs[-1].frames
        check_counts(frames, len(runs))
    return runs


def _frame(view: View, place: int, runs: Sequence[_Run]) -> Header | None:
    """The header of a whole frame; one of another kind than that before it counts where more of its kind follow."""
    header = parse_header(view.at(place, 4))
    if header is None or place + header.size > len(view) or (runs and header.key == runs[-1].first.key):
        return header if header is not None and place + header.size <= len(view) else None
    last, behind = header, place
    for _ in range(ENOUGH):
        behind += last.size
        following = parse_header(view.at(behind, 4))
        if following is None:
            return header if 0 <= len(view) - behind <= CLOSE else None
        if following.key != header.key:
            return None
        last = following
    return header


def _next_frame(view: View, place: int, last: int) -> int:
    """Where a frame comes behind what is none; the view's end where none comes soon."""
    while (place := view.find(SYNC, 3, place + 1, last)) >= 0:
        if _frame(view, place, ()) is not None:
            return place
    return len(view)


def tag_size(head: bytes) -> int:
    """Bytes of a tag that begins so (ID3v2, ID3v1, APE); 0 where none does."""
    if head.startswith(b"ID3") and len(head) >= 10 and max(head[6:10]) < 0x80:
        size = sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        return 10 + size + (10 if head[5] & 0x10 else 0)
    if head.startswith(b"TAG"):
        return 128
    if head.startswith(b"APETAGEX") and len(head) == 32:
        return 32 + int.from_bytes(head[12:16], "little")
    return 0


def _tag(head: bytes, header: Header) -> bytes:
    """The name of the tag that a frame holds in place of sound."""
    name = head[header.tag_place : header.tag_place + 4]
    if name in TAGS and header.key[1] == 3:
        return name
    return VBRI if head[VBRI_PLACE : VBRI_PLACE + 4] == VBRI else b""


def _count(head: bytes, header: Header, tag: bytes) -> int | None:
    """Frames that a tag counts."""
    flags, count = head[header.tag_place + 4 : header.tag_place + 8], head[header.tag_place + 8 : header.tag_place + 12]
    counts = tag in TAGS and int.from_bytes(flags, "big") & COUNTS_FRAMES
    return int.from_bytes(count, "big") if counts else None


def _part(view: View, run: _Run, only: bool) -> Part:
    """A recording as it stands where that is read right, else with a tag that makes it so."""
    contiguous = len(run.ranges) == 1 and not (only and run.behind_junk)
    as_it_stands = view.pieces if only else view.cut(run.place, run.ranges[-1].stop).pieces
    if run.stated is not None:
        more = run.frames - run.stated > 1  # some encoders count the tag as a frame
        if not more and contiguous:  # of frames that lack, the decoder tells
            return Part(as_it_stands)
        return Part(_with_count(view, run), True, run.stated / run.frames if more else None)
    samples = run.frames * run.first.samples
    constant = len(run.bitrates) == 1
    if constant and not run.tag and contiguous:
        return Part(as_it_stands, samples=samples)
    reason = "" if constant or run.tag else "is an MP3 of variable bit rate whose header states no length"
    layer = run.first.key[1]
    return Part(_with_tag(view, run), True, samples=None if layer == 3 else samples, reason=reason)


def _sound(view: View, run: _Run) -> Iterator[bytes | range]:
    for piece in run.ranges:
        yield from view.cut(piece.start, piece.stop).pieces


def _with_count(view: View, run: _Run) -> list[bytes | range]:
    """With the tag that is there, in which the number of frames is put right."""
    place = run.first.tag_place + 8
    tag = view.cut(run.place, run.place + run.first.size).patched({place: run.frames.to_bytes(4, "big")})
    return [*tag.pieces, *_sound(view, run)]


def _with_tag(view: View, run: _Run) -> list[bytes | range]:
    """With a tag of our own in front, in a frame of the stream's kind that is large enough."""
    if run.first.key[1] != 3:
        return list(_sound(view, run))
    frame, header = _empty_frame(view.at(run.ranges[0].start, 4))
    size = header.size + sum(map(len, run.ranges))
    counts = (COUNTS_FRAMES | COUNTS_BYTES, run.frames, size)
    tag = TAGS[0] + b"".join(count.to_bytes(4, "big") for count in counts)
    return [(frame + bytes(header.tag_place - 4) + tag).ljust(header.size, b"\0"), *_sound(view, run)]


def _empty_frame(head: bytes) -> tuple[bytes, Header]:
    """The smallest header of a frame that holds a tag, of the same kind but without a check sum; and what it says."""
    frames = (bytes([0xFF, head[1] | 1, code << 4 | head[2] & 0x0C, head[3]]) for code in range(1, 15))
    read = ((frame, header) for frame in frames if (header := parse_header(frame)) is not None)
    return next((frame, header) for frame, header in read if header.size >= header.tag_place + TAG_BYTES)
