"""The linear classifier in closed form: as scikit-learn has it, and calibrated on speakers whom it has not heard."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from nni_emodarts.metrics.logits import fit_temperature
from nni_emodarts.models.baselines.least_squares import CALIBRATION_FOLDS, Targets, balanced, fit_calibrated
from nni_emodarts.models.baselines.probe_fitting import Heard

UTTERANCES, FEATURES, CLASSES = 120, 10, 3
NOWHERE = np.empty((UTTERANCES, 0))
SPEAKERS = np.repeat(np.arange(8), UTTERANCES // 8)


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Features (n, F), and classes (n,) that they tell by and large, one of them rare."""
    generator = np.random.default_rng(2)
    features = generator.standard_normal((UTTERANCES, FEATURES)) * 2 + 5
    noisy = features[:, :CLASSES] + 2 * generator.standard_normal((UTTERANCES, CLASSES)) - [0, 0, 2]
    return features.astype(np.float32), noisy.argmax(1)


def standardised(features: np.ndarray, learnt: np.ndarray) -> np.ndarray:
    wide = features.astype(np.float64)
    return np.asarray((wide - wide[learnt].mean(0)) / wide[learnt].std(0))


def expected(features: np.ndarray, labels: np.ndarray, learnt: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """What scikit-learn's ridge regression of 1 and -1 answers."""
    scaled, goals = standardised(features, learnt), 2 * np.eye(CLASSES)[labels] - 1
    weights = len(learnt) / (CLASSES * np.bincount(labels[learnt])[labels[learnt]])
    ridge = Ridge(alpha=FEATURES).fit(scaled[learnt], goals[learnt], sample_weight=weights)
    return np.asarray(ridge.predict(scaled[judged]))


def test_it_is_scikit_learns_at_a_temperature_of_other_speakers() -> None:
    features, labels = drawn()
    everything, others = np.arange(UTTERANCES), np.zeros((UTTERANCES, CLASSES), np.float32)
    for learnt, judged in GroupKFold(CALIBRATION_FOLDS).split(features, groups=SPEAKERS):
        others[judged] = expected(features, labels, learnt, judged)
    temperature = fit_temperature(others, labels)
    assert temperature < 1  # answers of a ridge regression to 1 and -1 are too timid for a softmax
    fitted = fit_calibrated(Heard.once(features), Targets(np.eye(CLASSES)[labels], NOWHERE), SPEAKERS)
    wanted = expected(features, labels, everything, everything) / temperature
    np.testing.assert_allclose(fitted(features), wanted, rtol=1e-3, atol=1e-3)


def test_what_is_heard_several_times_counts_once() -> None:
    features, labels = drawn()
    targets = Targets(np.eye(CLASSES)[labels], NOWHERE)
    once = fit_calibrated(Heard.once(features), targets, SPEAKERS)
    thrice = fit_calibrated(Heard(np.stack([features] * 3), features), targets, SPEAKERS)
    np.testing.assert_allclose(thrice(features), once(features), rtol=1e-3, atol=1e-3)


def test_utterances_without_a_class_teach_dimensions_alone() -> None:
    features, labels = drawn()
    classes, places = np.eye(CLASSES)[labels], features[:, :2].astype(np.float64) / 10
    classes[::5], places[1::5, 1] = np.nan, np.nan
    fitted = fit_calibrated(Heard.once(features), Targets(classes, places), SPEAKERS)
    known = np.flatnonzero(np.arange(UTTERANCES) % 5 != 1)
    scaled = standardised(features, known)
    ridge = Ridge(alpha=FEATURES).fit(scaled[known], places[known, 1])
    np.testing.assert_allclose(fitted(features)[:, -1], ridge.predict(scaled), atol=1e-4)
    told = np.flatnonzero(np.arange(UTTERANCES) % 5)
    alone = fit_calibrated(Heard.once(features[told]), Targets(classes[told], NOWHERE[told]), SPEAKERS[told])
    # The temperature is of other folds, once utterances without a class are among them.
    np.testing.assert_array_equal(fitted(features)[:, :CLASSES].argmax(1), alone(features).argmax(1))


@pytest.mark.parametrize("classes", [np.eye(3)[[0, 0, 0, 1, 2, 2]], np.array([[0.5, 0.5, 0], [0.1, 0.9, 0]])])
def test_balanced_weights_make_classes_alike(classes: np.ndarray) -> None:
    weights = balanced(classes)
    assert weights.sum() == pytest.approx(len(classes))
    if (classes.max(1) == 1).all():
        np.testing.assert_allclose(weights @ classes, 2.0)
