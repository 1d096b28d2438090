"""Folds that are chosen by number, before it is known how many there are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class From:
    """A fold and all that follow.

    Attributes:
        first: its number.
    """

    first: int


FoldChoice = Sequence[int | From]


def numbers(choice: FoldChoice, count: int) -> Iterator[int]:
    """The folds of a choice among `count`; what is beyond them is given, too."""
    for each in choice:
        if isinstance(each, From):
            yield from range(each.first, max(count, each.first + 1))
        else:
            yield each
