"""What a walk over a container finds: recordings, each as libsndfile can read the whole of it."""

from collections.abc import Sequence
from typing import NamedTuple

from nni_emodarts.data.containers.view import Piece, View


class Part(NamedTuple):
    """A recording that a file holds.

    Attributes:
        pieces: the bytes that libsndfile is to read.
        mended: whether these are others than the file's, since it would misread those.
        share: the part of its samples that its header states, above 1 where it was cut short; None where the header
            fits, or states no length as streams do.
        samples: of each channel, where they are known better than libsndfile tells.
        reason: what is the matter besides.
    """

    pieces: Sequence[Piece]
    mended: bool = False
    share: float | None = None
    samples: int | None = None
    reason: str = ""


class Walk(NamedTuple):
    """What was found from a view's beginning on.

    Attributes:
        parts: the recordings.
        end: the place behind the last of them.
    """

    parts: list[Part]
    end: int


class EndlessError(Exception):
    """More than is walked over, in words; never leaves this room."""


MOST_FRAMES = 3_000_000
"""Pages or frames that are walked over: most of a day of sound has fewer."""
MOST_PARTS = 4096
"""Recordings of one file that are read."""


def check_counts(frames: int, parts: int = 0) -> None:
    """Refuse what would take too long.

    Raises:
        EndlessError: there are too many.
    """
    if frames > MOST_FRAMES:
        raise EndlessError(f"has more than {MOST_FRAMES:,} frames, as of a day of sound")
    if parts > MOST_PARTS:
        raise EndlessError(f"holds more than {MOST_PARTS:,} recordings one behind the other")


def whole(view: View) -> Part:
    """A recording that is sound."""
    return Part(view.pieces)
