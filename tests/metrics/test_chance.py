"""The test against chance, against labels that are really permuted."""

import numpy as np
import pytest

from nni_emodarts.metrics.chance import chance_p
from nni_emodarts.metrics.scores import uar


def permuted_p(true: np.ndarray, predicted: np.ndarray, draws: int) -> float:
    generator = np.random.default_rng(1)
    least = uar(true, predicted, 3) - 1e-9
    hits = sum(uar(generator.permutation(true), predicted, 3) >= least for _ in range(draws))
    return (1 + hits) / (draws + 1)


@pytest.mark.parametrize("right", [0.2, 0.4])
def test_p_is_that_of_permuted_labels(right: float) -> None:
    generator = np.random.default_rng(0)
    true = generator.choice(3, 40, p=[0.2, 0.3, 0.5])
    predicted = np.where(generator.random(40) < right, true, generator.integers(0, 3, 40))
    assert chance_p(true, predicted, 3) == pytest.approx(permuted_p(true, predicted, 600), abs=0.06)


def test_p_is_even_where_labels_mean_nothing() -> None:
    generator = np.random.default_rng(0)
    found = [chance_p(generator.integers(0, 4, 60), generator.integers(0, 4, 60), 4, 199) for _ in range(200)]
    assert np.mean(np.array(found) <= 0.1) == pytest.approx(0.1, abs=0.06)


def test_the_best_answers_have_the_least_p_and_a_single_class_the_greatest() -> None:
    true = np.repeat(np.arange(4), 10)
    assert chance_p(true, true, 4) == 1e-4
    assert chance_p(true, np.zeros(40, int), 4) == 1
    assert chance_p(true, (true + 1) % 4, 4) == 1


def test_classes_that_do_not_occur_change_nothing() -> None:
    true = np.repeat([0, 2], 8)
    predicted = np.where(np.arange(16) % 4 == 3, 1, true)
    assert chance_p(true, predicted, 3) == pytest.approx(chance_p(true // 2, predicted // 2, 2), abs=0.05)
    assert chance_p(true, predicted, 5) == chance_p(true, predicted, 3)
