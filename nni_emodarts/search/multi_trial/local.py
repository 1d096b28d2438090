"""Local search (White, Nolen & Savani 2021, arXiv:2005.02960): mutations of the incumbent."""

from nni_emodarts.config import SpaceConfig
from nni_emodarts.config.strategy_options import LocalOptions
from nni_emodarts.nni_bridge.nas import Strategy
from nni_emodarts.search.multi_trial.proposing import Draws, FlatChoices, Network, Proposing

_TRIES = 200
"""Neighbours drawn in vain after which an incumbent counts as surrounded."""


class LocalSearch:
    """Proposes neighbours of the best candidate so far, and a random one where it has no new ones.

    A better neighbour becomes the incumbent as soon as it is known (the paper's variant that queries until something is
    better), so that a budget of a few dozen trainings is enough for several steps. It begins with random candidates.
    """

    def __init__(self, space: SpaceConfig, startup: int, seed: int) -> None:
        """Set where is searched.

        Args:
            space: the joint space.
            startup: random candidates before the first neighbour.
            seed: of all draws.
        """
        self._draws = Draws(space, seed)
        self._startup = startup
        self._asked: set[Network] = set()
        self._incumbent: tuple[float, FlatChoices] | None = None

    def ask(self) -> FlatChoices:
        """A random candidate in the beginning, then a neighbour of the incumbent."""
        if len(self._asked) >= self._startup and self._incumbent is not None:
            for _ in range(_TRIES):
                near = self._draws.neighbour(self._incumbent[1])
                if self._is_new(near):
                    return near
        choices = self._draws.uniform()
        for _ in range(_TRIES):
            if self._is_new(choices):
                break
            choices = self._draws.uniform()
        return choices

    def tell(self, choices: FlatChoices, score: float) -> None:
        """Take a better candidate as the incumbent."""
        if self._incumbent is None or score > self._incumbent[0]:
            self._incumbent = score, choices

    def _is_new(self, choices: FlatChoices) -> bool:
        network = self._draws.network(choices)
        if network in self._asked:
            return False
        self._asked.add(network)
        return True


def make_local(options: LocalOptions, seed: int) -> Strategy:
    """Local search as NNI runs it."""
    return Proposing(lambda space: LocalSearch(space, options.random_start, seed))
