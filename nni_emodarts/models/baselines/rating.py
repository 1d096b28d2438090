"""How places in dimensions are learnt without a network: ridge regression on levels, support vectors on functionals."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from nni_emodarts.metrics.dimensions import mean_ccc, moments
from nni_emodarts.models.baselines.probe_fitting import Heard

PENALTIES = (1e4, 1e3, 1e2, 1e1)
"""Penalties of the ridge regression that are chosen from, the strongest first."""
MARGIN = 0.1
"""Half the width of the tube in which errors of support vectors cost nothing, in halves of the scale."""


@dataclass(frozen=True)
class Raters:
    """A fitted regression of each dimension.

    Attributes:
        fitted: pipelines whose `predict` takes features (m, F), one a dimension.
    """

    fitted: tuple[Pipeline, ...]

    def rate(self, features: np.ndarray) -> np.ndarray:
        """Features (m, F) -> places (m, D), from -1 to 1 where they are on the scale."""
        return np.stack([each.predict(np.asarray(features, np.float64)) for each in self.fitted], 1)

    @property
    def parameters(self) -> int:
        """Weights and offsets."""
        return int(sum(each[-1].coef_.size + 1 for each in self.fitted))


@dataclass(frozen=True)
class ChosenRidge:
    """What was chosen on training speakers.

    Attributes:
        level: place of the level.
        penalty: of the ridge regression.
        ccc: mean CCC of the utterances of all inner folds together.
    """

    level: int
    penalty: float
    ccc: float


def fit_ridge(heard: Heard, rows: np.ndarray, places: np.ndarray, penalty: float) -> Raters:
    """Standardise features and fit a ridge regression for each dimension, on the utterances that have a value.

    Args:
        heard: features of utterances.
        rows: those that are learnt from.
        places: of all of them (n, D), NaN where there is none.
        penalty: of squared weights, for features that are heard once.
    """
    times = len(heard.draws)
    return _fit(lambda: Ridge(alpha=penalty * times), lambda known: heard.learnt(rows[known]), places[rows], times)


def fit_support_vectors(features: np.ndarray, places: np.ndarray, complexity: float) -> Raters:
    """Standardise features and fit a linear support vector regression for each dimension.

    Args:
        features: of the training utterances (n, F).
        places: theirs (n, D), NaN where there is none.
        complexity: C.
    """
    return _fit(lambda: SVR(kernel="linear", C=complexity, epsilon=MARGIN), lambda known: features[known], places, 1)


def _fit(
    make: Callable[[], Ridge | SVR], read: Callable[[np.ndarray], np.ndarray], places: np.ndarray, times: int
) -> Raters:
    fitted = []
    for column in places.T:
        known = np.flatnonzero(~np.isnan(column))
        pipeline = make_pipeline(StandardScaler(), make())
        fitted.append(pipeline.fit(np.asarray(read(known), np.float64), np.tile(column[known], times)))
    return Raters(tuple(fitted))


def choose_ridge(levels: Sequence[Heard], places: np.ndarray, speakers: np.ndarray, inner_folds: int) -> ChosenRidge:
    """The level and the penalty with the highest mean CCC over inner folds, which share no speaker.

    Between equals the earlier level, then the stronger penalty.

    Args:
        levels: features of the training utterances by each level.
        places: of the utterances (n, D), NaN where there is none.
        speakers: (n,) who speaks in each.
        inner_folds: divisions of the speakers.
    """
    folds = list(_inner(speakers, inner_folds))
    judged = np.concatenate([rows for _, rows in folds])
    found = []
    for (place, heard), penalty in product(enumerate(levels), PENALTIES):
        answers = [fit_ridge(heard, learnt, places, penalty).rate(heard.judged[rows]) for learnt, rows in folds]
        reached = float(mean_ccc(moments(places[judged], np.concatenate(answers))))
        found.append(ChosenRidge(place, penalty, reached))
    return max(found, key=lambda each: each.ccc)


def _inner(speakers: np.ndarray, folds: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    count = min(folds, len(np.unique(speakers)))
    if count < 2:  # one speaker alone: nothing can be chosen, and every choice is as good
        everything = np.arange(len(speakers))
        yield everything, everything
        return
    yield from GroupKFold(count).split(speakers[:, np.newaxis], groups=speakers)
