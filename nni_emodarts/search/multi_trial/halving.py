"""Successive halving over replicates: only the better half of the candidates goes from each training to the next."""

import math
from collections.abc import Callable, Iterable

from nni_emodarts.models.architecture import Architecture
from nni_emodarts.nni_bridge.nas import Strategy
from nni_emodarts.search.multi_trial.ledger import Entry

_LEAST = 2
"""Candidates that are always left to compare."""

Held = Callable[[Architecture, int], float | None]
"""Architecture, number of replicates -> the score that an earlier run left; None where it must be trained."""


class Halving(Strategy):  # type: ignore[misc]
    """Lets another strategy propose, by the figure of one replicate each, and then halves (Jamieson & Talwalkar 2016).

    There the resource is epochs; here it is replicates (splits and seeds), so that those who are compared have always
    been trained on the same ones, each to its end. Two candidates at least get all of them.
    """

    def __init__(self, proposing: Strategy, replicates: int, held: Held = lambda *_: None) -> None:
        """Set what halves.

        Args:
            proposing: the strategy that proposes candidates.
            replicates: trainings of a candidate that is never left behind.
            held: what is known of candidates already.
        """
        super().__init__()
        self._proposing = proposing
        self._replicates = replicates
        self._held = held

    def _run(self) -> None:
        self._proposing(self.model_space, self.engine)
        self.engine.wait_models()
        racing = _trained(self.engine.entries.values())
        for replicates in range(2, self._replicates + 1):
            racing = better_half(racing)
            for entry in racing:
                self._train_further(entry, replicates)
            self.engine.wait_models()
            racing = _trained(racing)

    def _train_further(self, entry: Entry, replicates: int) -> None:
        score = self._held(entry.architecture, replicates)
        if score is not None:
            entry.score = score
            return
        self.engine.train_further(self.model_space.candidate(entry.architecture, replicates))


def better_half(entries: list[Entry]) -> list[Entry]:
    """The better half of candidates that were trained, in the order of the search; two at least, if there are two."""
    ranked = sorted(entries, key=lambda entry: -(entry.score or 0.0))  # stable: the earlier one of equals
    return in_order(ranked[: left_of(len(entries))])


def left_of(count: int) -> int:
    """How many of so many candidates go on."""
    return min(count, max(_LEAST, math.ceil(count / 2)))


def rounds_of(count: int, replicates: int) -> list[int]:
    """How many of so many candidates get the second replicate, the third, and so on to the last."""
    rounds = []
    for _ in range(replicates - 1):
        count = left_of(count)
        rounds.append(count)
    return rounds


def in_order(entries: list[Entry]) -> list[Entry]:
    """Candidates in the order of the search; last those that only an earlier run proposed."""
    return sorted(entries, key=lambda entry: (entry.number is None, entry.number))


def _trained(entries: Iterable[Entry]) -> list[Entry]:
    return in_order([entry for entry in entries if entry.score is not None])
