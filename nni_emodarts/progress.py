"""How long jobs say how far they are. They are given a callable and never print."""

from collections.abc import Callable
from typing import Protocol

Report = Callable[[float], None]
"""Given a figure after each epoch, or of each candidate."""


class Progress(Protocol):
    """Told of every step of a long job."""

    def __call__(self, what: str, done: int, total: int, **figures: float) -> None:
        """Step `done` of `total` of the job `what` is over; figures are worth showing beside it."""


def silent(what: str, done: int, total: int, **figures: float) -> None:
    """Show nothing."""
