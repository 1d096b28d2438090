"""Containers of chunks (WAV, RF64, Wave64, AIFF, CAF), whose header may state another length than the file has.

Where the samples go on behind the end that is stated, the sizes are put right in what libsndfile reads. What follows
them otherwise (metadata, padding, text, another recording) is none of theirs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from nni_emodarts.data.containers.mpeg import tag_size, walk_mpeg
from nni_emodarts.data.containers.part import Part, Walk
from nni_emodarts.data.containers.view import BLOCK, Piece, View

CHUNKS = 1000
"""Chunks that are walked over."""
STRAY = 1024
"""Bytes behind the samples that are padding or the like, where the header states some samples at all."""
UNKNOWN = (range(0x7FFFF000, 0x80000001), range(0xFFFFF000, 2**32), range(2**63 - 64, 2**64))
"""Sizes by which programs that write to a pipe say that they know none."""
LARGEST = 2**32 - 1
CLOSE = 8
"""Bytes that may lack at the end without harm: a padding byte, an incomplete sample."""
MPEG_TAGS = (0x50, 0x55)
"""Formats of a WAV file that holds MPEG audio."""
TEXT = bytes(range(0x20, 0x7F)) + b"\t\r\n"
SEARCHED = 2**26
"""Bytes in which anything but zeros is looked for."""


@dataclass(frozen=True)
class Scheme:
    """How a container writes its chunks.

    Attributes:
        kinds: what may stand at `kind_at`.
        kind_at: place of the container's kind.
        first: place of the first chunk.
        data: the chunk of samples.
        order: of the bytes of sizes.
        name_bytes: of a chunk's name.
        size_bytes: of its size.
        align: chunks begin at multiples of it.
        inclusive: whether a size counts the chunk's header.
        lead: bytes of the chunk of samples that are none.
        size_at: place of the file's own size; None where it states none.
        clamps: whether libsndfile itself mends a size that is too large.
        bounded: whether libsndfile reads no further than the size that is stated.
    """

    kinds: tuple[bytes, ...]
    kind_at: int
    first: int
    data: bytes
    order: Literal["little", "big"] = "little"
    name_bytes: int = 4
    size_bytes: int = 4
    align: int = 2
    inclusive: bool = False
    lead: int = 0
    size_at: int | None = 4
    clamps: bool = True
    bounded: bool = True

    @property
    def header(self) -> int:
        """Bytes of a chunk's header."""
        return self.name_bytes + self.size_bytes


GUID = bytes.fromhex("f3acd3118cd100c04f8edb8a")
GUID_ENDS = (GUID[-8:], bytes.fromhex("a5d628db04c10000"))
"""How the names of Wave64's chunks end."""
METADATA = (b"LIST", b"bext", b"id3 ", b"ID3 ", b"cue ", b"fact", b"PEAK", b"smpl", b"iXML", b"_PMX", b"JUNK", b"ANNO")
"""Names of chunks that often follow the samples."""
SCHEMES = {
    b"RIFF": Scheme((b"WAVE",), 8, 12, b"data"),
    b"RIFX": Scheme((b"WAVE",), 8, 12, b"data", "big"),
    b"RF64": Scheme((b"WAVE",), 8, 12, b"data", clamps=False),
    b"FORM": Scheme((b"AIFF", b"AIFC"), 8, 12, b"SSND", "big", lead=8),
    b"riff": Scheme(
        (b"wave",), 24, 40, b"data" + GUID, name_bytes=16, size_bytes=8, align=8, inclusive=True, size_at=16,
        bounded=False,
    ),
    b"caff": Scheme((b"desc",), 8, 8, b"data", "big", size_bytes=8, align=1, lead=4, size_at=None, clamps=False),
}  # fmt: skip
"""First bytes -> what follows them."""


class Chunk(NamedTuple):
    """A chunk.

    Attributes:
        name: its name.
        place: where it begins.
        body: where its content begins.
        size: bytes of its content, as stated.
    """

    name: bytes
    place: int
    body: int
    size: int


def scheme_of(view: View) -> Scheme | None:
    """How the container at a view's beginning writes its chunks; None where it is none."""
    scheme = SCHEMES.get(view.at(0, 4))
    if scheme is None:
        return None
    return scheme if view.at(scheme.kind_at, 4) in scheme.kinds else None


class Samples(NamedTuple):
    """Where samples lie.

    Attributes:
        first: the place of the first.
        last: the place behind the last.
        end: the place where another recording may begin.
        share: the part of them that the header states; None where it fits.
        wrong: whether libsndfile would read others.
    """

    first: int
    last: int
    end: int
    share: float | None
    wrong: bool


@dataclass(frozen=True)
class Container:
    """A container up to its samples.

    Attributes:
        view: its bytes, and what follows it.
        scheme: how it writes its chunks.
        before: the chunks before the samples, by name.
        data: the chunk of samples.
    """

    view: View
    scheme: Scheme
    before: Mapping[bytes, Chunk]
    data: Chunk

    def samples(self) -> Samples:
        """As many as the header states, or all that follow where it states fewer and nothing else follows."""
        first, size = self.data.body + self.scheme.lead, len(self.view)
        stated, there = self._stated(), max(0, size - first)
        if stated is None:
            return Samples(first, size, size, None, not self.scheme.clamps)
        if stated < there:
            end = _end(self.view, self.scheme, first + stated, bool(stated))
            if end is not None:
                return Samples(first, first + stated, end, None, not self.scheme.bounded)
            return Samples(first, size, size, stated / there, wrong=True)
        share = stated / there if there and stated - there >= CLOSE else None
        return Samples(first, size, size, share, stated > there and not self.scheme.clamps)

    def _stated(self) -> int | None:
        """Bytes of samples that the header states; None where it knows none."""
        sizes = self.before.get(b"ds64")
        if sizes is not None and self.data.size == LARGEST:
            return int.from_bytes(self.view.at(sizes.body + 8, 8), "little")
        unknown = any(self.data.size in sizes for sizes in UNKNOWN)
        return None if unknown else max(0, self.data.size - self.scheme.lead)

    def parts(self, found: Samples) -> list[Part]:
        """What libsndfile is to read."""
        if self._holds_mpeg():
            return self._mpeg_parts(found)
        if found.wrong and found.last > found.first:
            return [Part(self._mended(found), True, found.share)]
        return [Part(self.view.cut(0, found.end).pieces, share=found.share)]

    def _holds_mpeg(self) -> bool:
        form = self.before.get(b"fmt ")
        return form is not None and int.from_bytes(self.view.at(form.body, 2), "little") in MPEG_TAGS

    def _mpeg_parts(self, found: Samples) -> list[Part]:
        """Those of the MPEG audio inside, which says itself how long it is."""
        parts = walk_mpeg(self.view.cut(found.first, found.last)).parts
        if len(parts) == 1 and not parts[0].mended and not found.wrong:
            return [parts[0]._replace(pieces=self.view.cut(0, found.end).pieces)]
        return [part._replace(mended=True) for part in parts]

    def _mended(self, found: Samples) -> Sequence[Piece]:
        """The container up to the last sample, its sizes put right."""
        view, size = self.view.cut(0, found.last), found.last - found.first
        if len(view) > LARGEST and self.scheme is SCHEMES[b"RIFF"]:
            return _as_rf64(view, self.data, size)
        scheme, field = self.scheme, self._field
        patches = {self.data.place + scheme.name_bytes: field(size + scheme.lead + scheme.header * scheme.inclusive)}
        if scheme.size_at is not None:
            patches[scheme.size_at] = field(len(view) - scheme.header * (not scheme.inclusive))
        if (sizes := self.before.get(b"ds64")) is not None:
            patches |= {4: field(LARGEST), self.data.place + 4: field(LARGEST), sizes.body: _sizes(view, size)}
        if (common := self.before.get(b"COMM")) is not None:
            patches |= {common.body + 2: field(size // _frame_bytes(view.at(common.body, 8)))}
        return view.patched(patches).pieces

    def _field(self, value: int) -> bytes:
        width = self.scheme.size_bytes
        return min(value, (1 << 8 * width) - 1).to_bytes(width, self.scheme.order)


def walk_chunks(view: View) -> Walk:
    """The recording of a container, and where another may begin."""
    scheme = scheme_of(view)
    before: dict[bytes, Chunk] = {}
    for chunk in _chunks(view, scheme, scheme.first) if scheme else ():
        if scheme and chunk.name == scheme.data:
            container = Container(view, scheme, before, chunk)
            found = container.samples()
            return Walk(container.parts(found), found.end)
        before.setdefault(chunk.name, chunk)
    return Walk([], len(view))


def _chunks(view: View, scheme: Scheme, place: int) -> Iterator[Chunk]:
    for _ in range(CHUNKS):
        head = view.at(place, scheme.header)
        if len(head) < scheme.header:
            return
        size = int.from_bytes(head[scheme.name_bytes :], scheme.order) - scheme.header * scheme.inclusive
        chunk = Chunk(head[: scheme.name_bytes], place, place + scheme.header, max(size, 0))
        yield chunk
        place = _aligned(chunk.body + chunk.size, scheme)


def _aligned(place: int, scheme: Scheme) -> int:
    return -(-place // scheme.align) * scheme.align


def _end(view: View, scheme: Scheme, place: int, some: bool) -> int | None:
    """Where what follows the stated samples ends, and another recording may begin; None where it is more of them.

    Args:
        view: the container.
        scheme: how it writes its chunks.
        place: where the samples should end.
        some: whether the header states any.
    """
    for begins in dict.fromkeys((_aligned(place, scheme), place)):
        if _is_another(view, begins):
            return begins
        chunks = _chunks(view, scheme, begins)
        if (first := next(chunks, None)) is not None and _is_metadata(view, first):
            return next((each.place for each in chunks if _is_another(view, each.place)), len(view))
    few = some and len(view) - place < STRAY
    return len(view) if few or is_padding(view, place) else None


def _is_another(view: View, place: int) -> bool:
    return view.at(place, 4) == view.at(0, 4) and scheme_of(view.cut(place)) is not None


def _is_metadata(view: View, chunk: Chunk) -> bool:
    """Whether a chunk has a name that can be read, and is there; a known one may be cut short."""
    name, rest = chunk.name[:4], chunk.name[4:]
    if name.strip(TEXT) or (rest and rest[-8:] not in GUID_ENDS):
        return False
    return name in METADATA or chunk.body + chunk.size <= len(view) + 1


def is_padding(view: View, place: int) -> bool:
    """Whether what follows a place is zeros, text or a tag, and so no samples."""
    head = view.at(place, 512)
    if tag_size(head[:32]) or not head.strip(TEXT):
        return True
    last = min(len(view), place + SEARCHED)
    return not any(view.at(at, BLOCK).strip(b"\0") for at in range(place, last, BLOCK))


def _sizes(view: View, size: int) -> bytes:
    return (len(view) - 8).to_bytes(8, "little") + size.to_bytes(8, "little")


def _as_rf64(view: View, data: Chunk, size: int) -> Sequence[Piece]:
    """A WAV file beyond 4 GB under the header that can state its length."""
    unknown = LARGEST.to_bytes(4, "little")
    ds64 = b"ds64" + (28).to_bytes(4, "little") + _sizes(view, size) + bytes(12)
    head = [b"RF64" + unknown + b"WAVE" + ds64, *view.cut(12, data.place).pieces, b"data" + unknown]
    return [*head, *view.cut(data.body).pieces]


def _frame_bytes(common: bytes) -> int:
    """Bytes of a frame by AIFF's chunk COMM: channels (2), frames (4), bits (2)."""
    channels, bits = int.from_bytes(common[:2], "big"), int.from_bytes(common[6:8], "big")
    return max(1, channels * -(-bits // 8))
