"""How levels are judged by probes: as scikit-learn judges them, alone and side by side."""

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.model_selection import GroupKFold

from nni_emodarts.metrics.scores import uar
from nni_emodarts.metrics.truth import Truth
from nni_emodarts.models.baselines.level_choice import judge_levels
from nni_emodarts.models.baselines.probe_fitting import Heard

UTTERANCES, FEATURES, FOLDS = 90, 12, 5


def drawn(classes: int, dimensions: int) -> tuple[list[np.ndarray], Truth, np.ndarray]:
    """Features (n, D) of two levels, what is true of them, and speakers."""
    generator = np.random.default_rng(4)
    levels = [generator.standard_normal((UTTERANCES, FEATURES)).astype(np.float32) + 3 for _ in range(2)]
    tells = levels[0][:, 0] + levels[1][:, 0] - 6
    labels = (tells + generator.standard_normal(UTTERANCES) > 0.5).astype(np.int64)
    values = levels[0][:, :dimensions].astype(np.float64) + generator.standard_normal((UTTERANCES, dimensions))
    return levels, Truth(labels, classes, values), np.repeat(np.arange(9), UTTERANCES // 9)


def reference(
    features: np.ndarray, target: np.ndarray, speakers: np.ndarray, regression: Any, times: int
) -> np.ndarray:
    """Out-of-fold answers of a regression of scikit-learn's on features that NumPy standardises."""
    answers = np.zeros(len(features))
    wide = features.astype(np.float64)
    for learnt, judged in GroupKFold(FOLDS).split(wide, groups=speakers):
        scaled = (wide - wide[learnt].mean(0)) / wide[learnt].std(0)
        fitted = regression.fit(np.tile(scaled[learnt], (times, 1)), np.tile(target[learnt], times))
        answers[judged] = fitted.predict(scaled[judged])
    return answers


@pytest.mark.parametrize("times", [1, 3])
def test_levels_are_judged_as_scikit_learn_judges_them(times: int) -> None:
    levels, truth, speakers = drawn(2, 0)
    heard = [Heard(np.stack([each] * times), each) for each in levels]
    candidates = [[0], [1], [0, 1]]
    reached = judge_levels(heard, candidates, truth, speakers)
    for places, figure in zip(candidates, reached, strict=True):
        features = np.concatenate([levels[at] for at in places], 1)
        regression = RidgeClassifier(alpha=times * features.shape[1], class_weight="balanced")
        told = reference(features, truth.labels, speakers, regression, times)
        assert figure == pytest.approx(uar(truth.labels, told.astype(np.int64), 2), abs=1e-9)
    assert reached[2] > max(reached[:2])


def test_levels_are_judged_by_what_is_learnt() -> None:
    levels, truth, speakers = drawn(0, 2)
    truth.values[::7, 1] = np.nan

    def ccc(true: np.ndarray, told: np.ndarray) -> float:
        known = ~np.isnan(true)
        true, told = true[known], told[known]
        covariance = np.mean((true - true.mean()) * (told - told.mean()))
        return float(2 * covariance / (true.var() + told.var() + (true.mean() - told.mean()) ** 2))

    expected, wide = [], levels[0].astype(np.float64)
    for column in truth.values.T:
        answers = np.zeros(UTTERANCES)
        for learnt, judged in GroupKFold(FOLDS).split(wide, groups=speakers):
            scaled = (wide - wide[learnt].mean(0)) / wide[learnt].std(0)
            known = learnt[~np.isnan(column[learnt])]
            answers[judged] = Ridge(alpha=FEATURES).fit(scaled[known], column[known]).predict(scaled[judged])
        expected.append(ccc(column, answers))
    reached = judge_levels([Heard.once(each) for each in levels], [[0]], truth, speakers)
    assert reached[0] == pytest.approx(np.mean(expected), abs=1e-5)
    assert reached[0] > 0.3
