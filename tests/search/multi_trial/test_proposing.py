"""What proposes candidates, asked and told without any training."""

from collections.abc import Callable

import numpy as np
import pytest
from noisy_space import ALL, GOOD, SHAPE, NoisySpace

from nni_emodarts.config import SpaceConfig, load_config
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.flat_space import architecture_at, count_architectures, flat_choices, flat_sample, meant
from nni_emodarts.models.space.draws import draw_architectures
from nni_emodarts.search.multi_trial.gaussian_process import Encoding, GaussianProcess
from nni_emodarts.search.multi_trial.local import LocalSearch
from nni_emodarts.search.multi_trial.predictor import Predictor
from nni_emodarts.search.multi_trial.proposing import Draws, Proposer

SPACES = {
    "tiny": load_config("tiny").space,
    "paper": load_config("paper").space,
    "heard": NoisySpace(GOOD).space,
}
MAKERS: dict[str, Callable[[SpaceConfig, int, int], Proposer]] = {"local": LocalSearch, "predictor": Predictor}


def built(space: SpaceConfig, choices: dict[str, str]) -> Architecture:
    return Architecture.from_choices(space, choices, *SHAPE)


@pytest.mark.parametrize("name", SPACES)
def test_what_is_meant_is_what_an_architecture_keeps(name: str) -> None:
    space = SPACES[name]
    for number in range(30):
        index = (number * 7_919_317) % count_architectures(space)
        choices = architecture_at(space, index)
        assert meant(space, choices) == flat_sample(built(space, choices))


@pytest.mark.parametrize("name", SPACES)
def test_a_neighbour_is_another_network_that_differs_in_one_choice(name: str) -> None:
    space, draws = SPACES[name], Draws(SPACES[name], 0)
    for _ in range(50):
        choices = draws.uniform()
        near = draws.neighbour(choices)
        before, after = meant(space, choices), meant(space, near)
        assert built(space, dict(near)).id != built(space, dict(choices)).id
        both = set(before) & set(after)
        assert sum(before[label] != after[label] for label in both) == 1, "edges that are taken anew come on top"


def test_draws_are_uniform() -> None:
    draws = Draws(SPACES["heard"], 1)
    levels = [draws.uniform()["level_whisper_base"] for _ in range(1000)]
    counts = np.unique(levels, return_counts=True)[1]
    assert len(counts) == 5
    assert (abs(counts - 200) < 50).all(), "four standard deviations"


@pytest.mark.parametrize("name", MAKERS)
def test_equal_seeds_ask_alike_and_nothing_twice(name: str) -> None:
    noisy = NoisySpace(GOOD)
    asked = []
    for seed in (1, 1, 2):
        proposer, ids = MAKERS[name](noisy.space, 5, seed), []
        for _ in range(20):
            choices = proposer.ask()
            architecture = built(noisy.space, dict(choices))
            ids.append(architecture.id)
            proposer.tell(choices, noisy.true(architecture))
        asked.append(ids)
        assert len(set(ids)) == 20
    assert asked[0] == asked[1] != asked[2]


@pytest.mark.parametrize("name", MAKERS)
def test_who_is_told_nothing_goes_on_at_random(name: str) -> None:
    """All have failed, or are still training."""
    proposer = MAKERS[name](SPACES["tiny"], 3, 0)
    assert len({built(SPACES["tiny"], dict(proposer.ask())).id for _ in range(20)}) == 20


def test_the_incumbent_is_mutated() -> None:
    space = SPACES["heard"]
    search = LocalSearch(space, 4, 0)
    start = [search.ask() for _ in range(4)]
    for place, choices in enumerate(start):
        search.tell(choices, place == 2)
    for _ in range(10):
        near = search.ask()
        search.tell(near, 0)
        mine, best = meant(space, near), meant(space, start[2])
        assert sum(mine[label] != best[label] for label in set(mine) & set(best)) == 1


def test_local_search_climbs_where_nothing_is_noisy() -> None:
    """On sums of single choices, which it was made for: 60 figures bring it nearly to the top, 60 draws do not."""
    space = SPACES["tiny"]
    values = dict(zip(_pairs(space), np.random.default_rng(0).normal(size=999), strict=False))

    def figure(choices: dict[str, str]) -> float:
        return float(np.mean([values[pair] for pair in meant(space, choices).items()]))

    found, drawn = [], []
    for seed in range(10):
        search, draws = LocalSearch(space, 10, seed), Draws(space, seed)
        figures = []
        for _ in range(60):
            choices = search.ask()
            figures.append(figure(dict(choices)))
            search.tell(choices, figures[-1])
        found.append(max(figures))
        drawn.append(max(figure(dict(draws.uniform())) for _ in range(60)))
    assert np.mean(found) > np.mean(drawn) + 2 * np.std(drawn)


def _pairs(space: SpaceConfig) -> list[tuple[str, str]]:
    return [(label, value) for label, values in flat_choices(space).items() for value in values]


def test_a_gaussian_process_learns_which_choices_matter_and_how_noisy_figures_are() -> None:
    noisy = NoisySpace(ALL)
    encoding = Encoding(noisy.space)
    drawn = [made for _, made in zip(range(240), draw_architectures(noisy.space, *SHAPE, [5], {}), strict=False)]
    codes = encoding.encode([tuple(flat_sample(each).items()) for each in drawn])
    true = np.array([noisy.true(each) for each in drawn])
    model = GaussianProcess(codes[:40], [noisy.figure(each, 0, 1) for each in drawn[:40]], encoding.groups)
    expected, deviation = model.predict(codes[40:])
    assert np.corrcoef(expected, true[40:])[0, 1] > 0.85, "the level decides, and forty figures show it"
    assert np.sqrt(((expected - true[40:]) ** 2).mean()) < 0.6 * true[40:].std()
    assert (deviation > 0).all()
    blind = GaussianProcess(codes[:40], list(np.random.default_rng(0).normal(size=40)), encoding.groups)
    assert blind.predict(codes[40:])[0].std() < 0.5, "of noise it learns next to nothing"


def test_a_gaussian_process_of_equal_figures() -> None:
    encoding = Encoding(SPACES["tiny"])
    draws = Draws(SPACES["tiny"], 0)
    codes = encoding.encode([draws.network(draws.uniform()) for _ in range(6)])
    expected, deviation = GaussianProcess(codes[:3], [0.5] * 3, encoding.groups).predict(codes)
    assert expected == pytest.approx(np.full(6, 0.5))
    assert np.isfinite(deviation).all()
