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
    """More pages or frames than a day of sound has; never leaves `open_track`."""


LONGEST = 5_000_000
"""Pages or frames that are walked over: a day of sound has fewer."""


def whole(view: View) -> Part:
    """A recording that is sound."""
    return Part(view.pieces)
