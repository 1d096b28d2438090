"""How decided a search is: the figure, the term that brings it about, and that a search of noise says so."""

import itertools
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from nni_emodarts import EmoDartsSpace, load_preset
from nni_emodarts.config.strategy_options import DartsOptions
from nni_emodarts.metrics.chance import chance_p
from nni_emodarts.metrics.decision import ENTROPY_BOUND, describe_decision, warn_undecided
from nni_emodarts.metrics.scores import uar
from nni_emodarts.models.space.mixed import MixedNode, MixedOperation
from nni_emodarts.search.one_shot.darts import CuredDartsSearch, Darts, DartsSearch
from nni_emodarts.search.one_shot.decision import measure_decision
from nni_emodarts.search.one_shot.entropy import mean_entropy, normalized_entropy, pair_probabilities
from nni_emodarts.search.one_shot.proxyless import Proxyless, ProxylessSearch
from nni_emodarts.search.one_shot.terms import Sharpening
from nni_emodarts.training.task import EmotionTask
from tests.search.one_shot.planted import PLANTED, answers, batch, searched


def task_of(strategy: type[Darts] = Darts) -> EmotionTask:
    """A supernet, ready to be searched."""
    task = EmotionTask(torch.ones(4), 1)
    space = EmoDartsSpace(**load_preset("tiny"), num_classes=4)
    task.set_model(strategy(DartsOptions(), 5.0, []).mutate_model(space))
    return task


def search_of(epoch: int = 0, epochs: int = 5, **options: Any) -> CuredDartsSearch:
    search = CuredDartsSearch(task_of(), DartsOptions(**options), 5.0, [])
    search.trainer = SimpleNamespace(current_epoch=epoch, max_epochs=epochs)
    return search


@torch.no_grad()
def decide(search: CuredDartsSearch, strength: float) -> None:
    """The first operation of each edge and the first two inputs of each node, by so much."""
    for part in search.model.modules():
        if isinstance(part, MixedOperation | MixedNode):
            part._arch_alpha.zero_()
            part._arch_alpha[: 2 if isinstance(part, MixedNode) else 1] = strength


def test_pairs_have_the_chances_of_draws_without_replacement() -> None:
    weights = torch.softmax(torch.randn(5, dtype=torch.float64), 0)
    expected = [
        sum(float(weights[a] * weights[b] / (1 - weights[a])) for a, b in (pair, pair[::-1]))
        for pair in itertools.combinations(range(5), 2)
    ]
    assert pair_probabilities(weights).tolist() == pytest.approx(expected)
    assert sum(expected) == pytest.approx(1)


def test_the_entropy_of_a_choice_lies_between_zero_and_one() -> None:
    assert float(normalized_entropy(torch.full((7,), 1 / 7))) == pytest.approx(1)
    assert float(normalized_entropy(torch.tensor([0.0, 1.0, 0.0]))) == 0
    half = torch.tensor([0.5, 0.5, 0.0, 0.0])
    assert float(normalized_entropy(half)) == pytest.approx(math.log(2) / math.log(4))
    assert float(mean_entropy([half, torch.ones(1), torch.tensor([1.0, 0.0])])) == pytest.approx(0.25)
    assert float(mean_entropy([torch.ones(1)])) == 0, "there is nothing to choose"


@pytest.mark.parametrize("alphas", [[60.0, 60.0, 0.0], [120.0, 60.0, 0.0]])
def test_a_node_of_two_inputs_is_decided_whether_these_are_alike_or_not(alphas: list[float]) -> None:
    pairs = pair_probabilities(torch.softmax(torch.tensor(alphas, dtype=torch.float64), 0))
    assert float(normalized_entropy(pairs)) == pytest.approx(0, abs=1e-9)


def test_the_entropy_of_a_search_counts_edges_and_nodes_alike() -> None:
    search = search_of()
    decide(search, 0)
    assert search.figures()["entropy"] == pytest.approx(1)
    decide(search, 100)
    assert search.figures()["entropy"] == pytest.approx(0, abs=1e-6)
    nodes = [found[0] for found in search.by_label(MixedNode).values() if found[0].n_candidates > 2]
    for node in nodes:
        torch.nn.init.zeros_(node._arch_alpha)
    choices = len(nodes) + len(search.by_label(MixedOperation))
    assert search.figures()["entropy"] == pytest.approx(len(nodes) / choices, abs=1e-6)


@pytest.mark.parametrize(("strategy", "kind"), [(Darts, CuredDartsSearch), (Proxyless, ProxylessSearch)])
def test_an_edge_that_settles_on_none_has_not_decided(strategy: type[Darts], kind: type[DartsSearch]) -> None:
    search = kind(task_of(strategy), DartsOptions(), 5.0, [])
    with torch.no_grad():
        for found in search.by_label(MixedOperation).values():
            found[0]._arch_alpha.zero_()
            found[0]._arch_alpha[found[0].names.index("none")] = 100
    chances = search.choice_probabilities()
    for label, found in search.by_label(MixedOperation).items():
        others = len(found[0].names) - 1
        assert chances[label].tolist() == pytest.approx([1 / others] * others)


def test_sharpening_grows_over_the_epochs_and_decides_for_what_leads() -> None:
    losses = [float(Sharpening(3.0)(search_of(epoch)).detach()) for epoch in range(5)]
    assert losses == pytest.approx([3 * (epoch + 1) / 5 for epoch in range(5)], abs=1e-3), "undecided: entropy 1"
    search = search_of(4)
    decide(search, 0.5)
    led = search.export()
    optimizer = torch.optim.Adam(search.arch_parameters(), 0.1)
    for _ in range(60):
        optimizer.zero_grad()
        Sharpening(3.0)(search).backward()
        optimizer.step()
    assert search.figures()["entropy"] < 0.1
    assert search.export() == led


def test_what_was_not_chosen_has_no_say_once_it_is_cut_away() -> None:
    search = search_of()
    torch.manual_seed(1)
    for alpha in search.arch_parameters():
        torch.nn.init.normal_(alpha)
    choices = search.export()
    search.discretize(choices)
    for label, found in search.by_label(MixedOperation).items():
        for edge in found:
            assert edge.probabilities().tolist() == [float(name == choices[label]) for name in edge.names]
    for label, found in search.by_label(MixedNode).items():
        for node in found:
            assert np.flatnonzero(node.probabilities().detach().numpy()).tolist() == choices[label]
            assert float(node.probabilities().detach().sum()) == pytest.approx(2)


def test_options_that_are_off_add_no_term_and_no_meaning() -> None:
    assert "sharpening" not in DartsOptions().meaning()
    assert CuredDartsSearch(EmotionTask(torch.ones(4), 1), DartsOptions(), 5.0, [])._terms == []


SHARP = {"alpha_learning_rate": 0.1, "sharpening": 0.3}
SEARCHES, EPOCHS = 3, 6


class HeldOut:
    """New samples, as a part of the data that a search is asked about."""

    def __init__(self, seed: int, shuffled: bool = False) -> None:
        self._batch = batch(torch.Generator().manual_seed(seed), 256)
        order = torch.randperm(256, generator=torch.Generator().manual_seed(seed)) if shuffled else torch.arange(256)
        self._true = self._batch.labels[order].numpy()

    figure = "val_uar"

    def score(self, search: Any) -> float:
        return uar(self._true, answers(search, self._batch), 2)

    def chance_p(self, search: Any) -> float:
        return chance_p(self._true, answers(search, self._batch), 2)

    def recalibrate(self, search: Any) -> None:
        """It has no batch normalisation."""


def test_a_search_decides_for_what_was_planted_and_says_so() -> None:
    """Chance finds it in all of 3 searches once in 1,728 times."""
    for seed in range(SEARCHES):
        search = searched("darts", SHARP, seed, epochs=EPOCHS)
        choices = search.export()
        assert choices == PLANTED
        measured = measure_decision(search, choices, HeldOut(2000 + seed), HeldOut(3000 + seed))
        assert measured["decided"]
        assert measured["entropy"] <= ENTROPY_BOUND
        assert measured["discrete_val_uar"] > 0.85


def test_a_search_of_shuffled_labels_says_that_it_is_undecided() -> None:
    """Also where it is cooled until its entropy is low; its validation part has true labels, or shuffled ones."""
    for seed in range(SEARCHES):
        search = searched("darts", SHARP | {"sharpening": 10.0}, seed, shuffled=True, epochs=EPOCHS)
        parts = HeldOut(2000 + seed, shuffled=seed % 2 == 0), HeldOut(3000 + seed, shuffled=True)
        measured = measure_decision(search, search.export(), *parts)
        assert measured["entropy"] <= ENTROPY_BOUND, "cooled"
        assert not measured["decided"]
        assert "has learnt nothing that holds for other speakers" in str(warn_undecided({"val_uar": 0.5, **measured}))


def test_strategies_without_alphas_say_nothing_of_it() -> None:
    search = searched("random_one_shot", {}, 0, epochs=1)
    assert measure_decision(search, {}, HeldOut(1), HeldOut(2)) == {}
    assert warn_undecided({"val_uar": 0.5}) is None
    assert describe_decision({"val_uar": 0.5}) is None
