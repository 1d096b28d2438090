"""How long jobs say how far they are. They are given a callable and never print."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

_Item = TypeVar("_Item")

Report = Callable[[float], None]
"""Given a figure after each epoch, or of each candidate."""


class Progress(Protocol):
    """Called after every step of a long job."""

    def __call__(self, what: str, done: int, total: int, **figures: float) -> None:
        """Step `done` of `total` of the job `what` is over; figures are worth showing beside it."""


def silent(what: str, done: int, total: int, **figures: float) -> None:
    """Show nothing."""


def counted(items: Sequence[_Item], what: str, progress: Progress) -> Iterator[_Item]:
    """The items one by one; progress is called for each once the next is asked for."""
    for done, item in enumerate(items, 1):
        yield item
        progress(what, done, len(items))
