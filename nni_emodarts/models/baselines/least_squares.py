"""A linear classifier in closed form, whose outputs are calibrated on speakers whom it has not heard."""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nni_emodarts.metrics.logits import fit_temperature
from nni_emodarts.models.baselines.probe_fitting import Heard, inner_divisions

PENALTY = 1.0
"""Of squared weights, as a share of the number of features, by which a kernel of standardised features is as large."""
INNER_FOLDS = 5
"""Divisions of the training speakers, each of which is judged by a classifier that has not heard it."""
CALIBRATION_FOLDS = 3
"""The same, where nothing but a temperature is fitted."""


@dataclass(frozen=True)
class Targets:
    """What is learnt of n utterances.

    Attributes:
        classes: (n, K) distributions of classes, of one class alone where that is known; NaN where none is.
        places: (n, D) places in dimensions from -1 to 1; NaN where there is none.
        weighted: whether each class is weighted inversely to its frequency.
    """

    classes: np.ndarray
    places: np.ndarray
    weighted: bool = True

    def weights(self, rows: np.ndarray) -> np.ndarray:
        """Weights of some utterances (m,) among classes; zero where there is no class."""
        known = np.nan_to_num(self.classes[rows])
        return balanced(known) if self.weighted else known.sum(1)


def balanced(classes: np.ndarray) -> np.ndarray:
    """(n,) weights of utterances with distributions of classes (n, K), so that all classes count alike."""
    count = classes.sum(0)
    each = np.divide(count.sum(), np.count_nonzero(count) * count, where=count > 0, out=np.zeros(len(count)))
    return np.asarray(classes @ each)


@dataclass(frozen=True)
class Linear:
    """outputs = features (n, F) @ weight.T (O, F) + bias (O,)."""

    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Features (n, F) -> outputs (n, O)."""
        return np.asarray(features @ self.weight.T + self.bias)


def fit_calibrated(heard: Heard, targets: Targets, speakers: np.ndarray) -> Linear:
    """The classifier of all utterances; its logits have the temperature of those of inner folds.

    Args:
        heard: features of the utterances.
        targets: what is learnt of them.
        speakers: (n,) who speaks in each; inner folds share none.
    """
    everything = np.arange(len(speakers))
    fitted, classes = _fit(heard, targets, everything), targets.classes.shape[1]
    if not classes:
        return fitted
    logits = np.zeros((len(speakers), classes))
    for learnt, judged in inner_divisions(speakers, CALIBRATION_FOLDS):
        logits[judged] = _fit(heard, targets, learnt)(heard.judged[judged])[:, :classes]
    known = ~np.isnan(targets.classes).any(1)
    temperature = fit_temperature(logits[known].astype(np.float32), targets.classes[known].argmax(1))
    scale = np.ones(len(fitted.bias))
    scale[:classes] = 1 / temperature
    return Linear(fitted.weight * scale[:, None], fitted.bias * scale)


def _fit(heard: Heard, targets: Targets, rows: np.ndarray) -> Linear:
    """The classifier of some utterances: classes are 1 and -1, each dimension is what it is."""
    weights, parts = targets.weights(rows), []
    if targets.classes.shape[1]:
        known = weights > 0
        parts.append(_ridge(heard, rows[known], 2 * targets.classes[rows[known]] - 1, weights[known]))
    for column in targets.places.T:
        told = rows[~np.isnan(column[rows])]
        parts.append(_ridge(heard, told, column[told, None], np.ones(len(told))))
    return Linear(np.concatenate([each.weight for each in parts]), np.concatenate([each.bias for each in parts]))


def _ridge(heard: Heard, rows: np.ndarray, goals: np.ndarray, weights: np.ndarray) -> Linear:
    """Ridge regression of standardised features; utterances heard several times count as much together as one."""
    times, features = len(heard.draws), heard.learnt(rows)
    pipeline = make_pipeline(StandardScaler(), Ridge(alpha=PENALTY * features.shape[1] * times))
    pipeline.fit(features, np.tile(goals, (times, 1)), ridge__sample_weight=np.tile(weights, times))
    scaler, ridge = pipeline[0], pipeline[1]
    weight = np.reshape(ridge.coef_, (goals.shape[1], -1)) / scaler.scale_
    return Linear(weight, np.reshape(ridge.intercept_, -1) - weight @ scaler.mean_)
