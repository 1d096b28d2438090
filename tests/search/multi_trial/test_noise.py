"""Whether proposing helps where figures are as noisy as those of real tables."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from noisy_space import ALL, GOOD, SHAPE, NoisySpace

from nni_emodarts.config import SpaceConfig
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.search.multi_trial.predictor import Predictor
from nni_emodarts.search.multi_trial.proposing import Draws, Proposer

BUDGET, PLANTS, SEEDS = 48, range(100, 108), range(4)
noisy_space = cache(NoisySpace)


class RandomDraws:
    """Asked and told like any other."""

    def __init__(self, space: SpaceConfig, startup: int, seed: int) -> None:
        self._draws = Draws(space, seed)
        self.ask = self._draws.uniform

    def tell(self, choices: object, score: float) -> None:
        """Nothing is learnt."""


def regret(make: Callable[[SpaceConfig, int, int], Proposer], noisy: NoisySpace, seed: int) -> float:
    """Of a search with single trainings: the candidate with the best figure is taken."""
    proposer, best = make(noisy.space, BUDGET // 4, seed), (-np.inf, -np.inf)
    for _ in range(BUDGET):
        choices = proposer.ask()
        architecture = Architecture.from_choices(noisy.space, choices, *SHAPE)
        figure = noisy.figure(architecture, 0, seed)
        proposer.tell(choices, figure)
        best = max(best, (figure, noisy.true(architecture)))
    return noisy.best - best[1]


@pytest.mark.parametrize("deviation", [GOOD, ALL])
def test_a_predictor_beats_random_draws(deviation: float) -> None:
    """The threshold was set beforehand, on other plants: nine tenths of the regret of as many random draws."""
    found = {
        make: np.mean([regret(make, noisy_space(deviation, plant), seed) for plant in PLANTS for seed in SEEDS])
        for make in (RandomDraws, Predictor)
    }
    assert found[Predictor] < 0.9 * found[RandomDraws], found
