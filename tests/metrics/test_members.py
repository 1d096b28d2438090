"""Members of an ensemble: picked by answers that none has learnt from."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from nni_emodarts.metrics.dimensions import ccc
from nni_emodarts.metrics.logits import Logits, fit_temperature, log_loss
from nni_emodarts.metrics.members import LEAST, MOST, Step, averaged, member_weights, pick_members
from nni_emodarts.metrics.truth import Truth


def drawn(seed: int, count: int, utterances: int = 60, classes: int = 3) -> tuple[list[Logits], np.ndarray]:
    """Candidates whose answers err independently of each other."""
    rng = np.random.default_rng(seed)
    true = np.arange(utterances) % classes
    signal = np.eye(classes)[true]
    strengths = rng.uniform(0.5, 2.5, count)
    return [(strength * signal + rng.standard_normal(signal.shape)).astype(np.float32) for strength in strengths], true


def picked(candidates: list[Logits], true: np.ndarray, most: int = MOST) -> list[Step]:
    """By probabilities of classes alone."""
    answers = [softmax(each.astype(np.float64), axis=1) for each in candidates]
    return pick_members(answers, Truth(true, 3, np.empty((len(true), 0))), most)


def loss_of(candidates: list[Logits], taken: tuple[int, ...], true: np.ndarray) -> float:
    """Of the members' mean probability, at its best temperature."""
    powers = [np.exp(candidates[number].astype(np.float64)) for number in taken]
    mean = np.mean([each / each.sum(1, keepdims=True) for each in powers], axis=0)
    logits = np.log(mean).astype(np.float32)
    return log_loss(logits, true, fit_temperature(logits, true))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 6))
def test_each_member_is_the_best_next_one(seed: int, count: int, most: int) -> None:
    candidates, true = drawn(seed, count)
    steps = picked(candidates, true, most)
    taken: tuple[int, ...] = ()
    for step in steps:
        losses = [loss_of(candidates, (*taken, number), true) for number in range(count)]
        assert step.loss == pytest.approx(min(losses), abs=1e-6)
        taken += (step.candidate,)
    assert min(LEAST, most) <= len(steps) <= most
    if len(steps) > LEAST:
        assert steps[-1].loss == min(step.loss for step in steps)


def test_it_is_as_good_as_the_best_of_all_pairs_nearly() -> None:
    candidates, true = drawn(3, 6)
    best = min(loss_of(candidates, pair, true) for pair in itertools.combinations(range(6), 2))
    assert picked(candidates, true)[-1].loss <= best + 1e-6


def test_different_errors_beat_the_best_member() -> None:
    candidates, true = drawn(5, 8, utterances=300)
    steps = picked(candidates, true)
    assert len({step.candidate for step in steps}) >= 3
    assert steps[-1].loss < steps[0].loss - 0.02


def test_a_candidate_that_knows_all_stays_alone() -> None:
    candidates, true = drawn(7, 4)
    candidates[2] = (12 * np.eye(3)[true]).astype(np.float32)
    assert member_weights(picked(candidates, true)) == {2: 1.0}


def test_weights_are_those_of_the_mean() -> None:
    candidates, true = drawn(11, 5)
    steps = picked(candidates, true)
    weights = member_weights(steps)
    assert sum(weights.values()) == pytest.approx(1)
    told = [np.exp(each) / np.exp(each).sum(1, keepdims=True) for each in candidates]
    mean = averaged([told[number] for number in weights], list(weights.values()))
    assert np.allclose(mean, np.mean([told[step.candidate] for step in steps], axis=0))


def test_answers_to_other_utterances_are_refused() -> None:
    candidates, true = drawn(1, 2)
    with pytest.raises(ValueError, match="2 candidates of shapes"):
        picked([candidates[0], candidates[1][:-1]], true)
    with pytest.raises(ValueError, match="0 candidates"):
        picked([], true)


@pytest.mark.parametrize("classes", [0, 3])
def test_of_dimensions_the_loss_has_one_less_the_mean_ccc(classes: int) -> None:
    """Besides that of classes, of which those without a majority have none."""
    rng = np.random.default_rng(0)
    labels = np.where(np.arange(40) % 10, np.arange(40) % 3, -1)
    values = rng.uniform(1, 7, (40, 2))
    truth = Truth(labels, classes, values)
    answers = [
        np.concatenate([rng.dirichlet(np.ones(3), 40)[:, :classes], values + rng.normal(size=(40, 2))], 1)
        for _ in range(4)
    ]
    steps, taken = pick_members(answers, truth), []
    for step in steps:
        losses = []
        for each in answers:
            mean = np.mean([*taken, each], axis=0)
            rated = 1 - np.mean([ccc(values[:, d], mean[:, classes + d]) for d in range(2)])
            logits = np.log(mean[labels >= 0, :classes]).astype(np.float32)
            known = labels[labels >= 0]
            losses.append(rated + (log_loss(logits, known, fit_temperature(logits, known)) if classes else 0.0))
        assert step.loss == pytest.approx(min(losses), abs=1e-6)
        taken.append(answers[step.candidate])
    assert steps[-1].figures["ccc"] > max(truth.figures(each)["ccc"] for each in answers)
