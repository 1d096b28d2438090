"""A file's recordings, and how libsndfile is to read them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from nni_emodarts.data.containers import chunks, flac, headers, mpeg, ogg
from nni_emodarts.data.containers.part import Part, Walk, check_counts
from nni_emodarts.data.containers.view import View


@dataclass(frozen=True)
class Layout:
    """What is to be read of a file.

    Attributes:
        parts: the recordings, one behind the other; none where the container is none that is walked over.
    """

    parts: tuple[Part, ...] = ()

    @property
    def as_it_stands(self) -> bool:
        """Whether libsndfile reads all of the file, and nothing else, from the file itself."""
        return not self.parts or (len(self.parts) == 1 and not self.parts[0].mended)

    def fault(self, seconds: float) -> str | None:
        """How the file's header and its content differ; None where they agree.

        Args:
            seconds: what was read, all parts together.
        """
        if len(self.parts) > 1:
            return f"holds {len(self.parts)} recordings one behind the other; all are read, {seconds:.2f} s together"
        part = self.parts[0] if self.parts else Part(())
        if part.reason:
            return f"{part.reason}; its {seconds:.2f} s are read, where other programs may stop before"
        if part.share is None:
            return None
        stated = part.share * seconds
        if part.share > 1:
            return f"its header promises {stated:.2f} s, but only {seconds:.2f} s are there; the copy may be cut short"
        statement = f"states {stated:.2f} s" if part.share else "states no sample, as where a recorder stopped early"
        return f"its header {statement}, but {seconds:.2f} s are there; all are read"


def find_layout(stream: BinaryIO, size: int) -> Layout:
    """Walk over a file.

    Args:
        stream: the file.
        size: its bytes.

    Raises:
        EndlessError: it has more recordings, pages or frames than are walked over.
    """
    parts: list[Part] = []
    rest = View(stream, [range(size)])
    while (walk := _walk_of(rest)) is not None:
        found = walk(rest)
        parts += found.parts
        check_counts(0, len(parts))
        if not found.parts or found.end >= len(rest):
            break
        rest = rest.cut(found.end)
    return Layout(tuple(parts))


def _walk_of(view: View) -> Callable[[View], Walk] | None:
    """The walk over the container at a view's beginning."""
    behind_tag = view.cut(mpeg.tag_size(view.at(0, 32)))
    magic = behind_tag.at(0, 8)
    if magic.startswith(ogg.MAGIC):
        return ogg.walk_ogg
    if magic.startswith(flac.MAGIC) and len(behind_tag) == len(view):
        return flac.walk_flac
    if chunks.scheme_of(view) is not None:
        return chunks.walk_chunks
    if magic[:4] in headers.AU:
        return headers.walk_au
    if magic == headers.NIST:
        return headers.walk_nist
    return mpeg.walk_mpeg if mpeg.begins(behind_tag) else None
