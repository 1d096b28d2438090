"""A model of the figures of choices, which proposes where it expects much or knows little."""

from collections.abc import Sequence
from itertools import cycle, islice

from nni_emodarts.config import SpaceConfig
from nni_emodarts.config.strategy_options import PredictorOptions
from nni_emodarts.nni_bridge.nas import Strategy
from nni_emodarts.search.multi_trial.gaussian_process import Encoding, GaussianProcess
from nni_emodarts.search.multi_trial.proposing import Draws, FlatChoices, Network, Proposing

_UNIFORM, _NEAR = 60, 60
"""Networks that are compared for a proposal: random ones, and neighbours of the best."""
_BEST = 5
"""So many of the best have neighbours among them."""
_EXPLORATION = 1.0
"""Deviations that are added to what is expected: the upper confidence bound of Srinivas et al. (2010)."""
_TRIES = 200
"""Networks drawn in vain after which a small space counts as drawn out."""


class Predictor:
    """Proposes the network with the highest upper confidence bound of many, by a Gaussian process over the choices.

    It is a predictor-based search (White et al. 2021, "BANANAS", arXiv:1910.11858) with a model that knows noise when
    it sees it, since figures are few and noisy. It begins with random candidates.
    """

    def __init__(self, space: SpaceConfig, startup: int, seed: int) -> None:
        """Set where is searched.

        Args:
            space: the joint space.
            startup: random candidates before the first that the model proposes.
            seed: of all draws.
        """
        self._draws = Draws(space, seed)
        self._encoding = Encoding(space)
        self._startup = startup
        self._asked: set[Network] = set()
        self._told: list[tuple[FlatChoices, float]] = []

    def ask(self) -> FlatChoices:
        """A random candidate in the beginning, then the most promising of many."""
        if len(self._asked) < self._startup or len(self._told) < 2:
            return self._first_new([self._draws.uniform() for _ in range(_TRIES)])
        best = sorted(self._told, key=lambda each: -each[1])[:_BEST]
        near = [self._draws.neighbour(choices) for choices, _ in islice(cycle(best), _NEAR)]
        pool = [*near, *(self._draws.uniform() for _ in range(_UNIFORM))]
        networks = [self._draws.network(choices) for choices in pool]
        model = GaussianProcess(
            self._encoding.encode([self._draws.network(choices) for choices, _ in self._told]),
            [score for _, score in self._told],
            self._encoding.groups,
        )
        expected, deviation = model.predict(self._encoding.encode(networks))
        promise = expected + _EXPLORATION * deviation
        order = sorted(range(len(pool)), key=lambda place: -promise[place])
        return self._first_new([pool[place] for place in order])

    def tell(self, choices: FlatChoices, score: float) -> None:
        """Let the model know."""
        self._told.append((choices, score))

    def _first_new(self, pool: Sequence[FlatChoices]) -> FlatChoices:
        for choices in pool:
            network = self._draws.network(choices)
            if network not in self._asked:
                self._asked.add(network)
                return choices
        return pool[0]


def make_predictor(options: PredictorOptions, seed: int) -> Strategy:
    """The predictor as NNI runs it."""
    return Proposing(lambda space: Predictor(space, options.random_start, seed))
