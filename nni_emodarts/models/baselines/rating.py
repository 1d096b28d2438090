"""How places in dimensions are learnt without a network: ridge and support vector regression, on any features."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from nni_emodarts.metrics.dimensions import mean_ccc, moments
from nni_emodarts.models.baselines.probe import COMPLEXITIES
from nni_emodarts.models.baselines.probe_fitting import Heard, inner_divisions
from nni_emodarts.models.baselines.ridge import PENALTIES

MARGIN = 0.1
"""Half the width of the tube in which errors of support vectors cost nothing, in halves of the scale."""


@dataclass(frozen=True)
class Regression:
    """A way to learn a dimension.

    Attributes:
        strengths: to choose from, the strongest regularisation first, as the regression counts it.
        make: makes one from a strength and how many times it hears each utterance, which count as much together as one.
    """

    strengths: tuple[float, ...]
    make: Callable[[float, int], Ridge | SVR]


RIDGE = Regression(PENALTIES, lambda penalty, times: Ridge(alpha=penalty * times))
"""Linear, with a penalty of squared weights."""
SUPPORT_VECTORS = Regression(
    COMPLEXITIES, lambda complexity, times: SVR(kernel="linear", C=complexity / times, epsilon=MARGIN)
)
"""Linear support vectors, by their complexity C."""


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
class ChosenRating:
    """What was chosen on training speakers.

    Attributes:
        level: place of the level.
        strength: of the regularisation, as the regression counts it.
        ccc: mean CCC of the utterances of all inner folds together.
    """

    level: int
    strength: float
    ccc: float


def fit_raters(regression: Regression, heard: Heard, rows: np.ndarray, places: np.ndarray, strength: float) -> Raters:
    """Standardise features and fit a regression for each dimension, on the utterances that have a value.

    Args:
        regression: which.
        heard: features of utterances.
        rows: those that are learnt from.
        places: of all of them (n, D), NaN where there is none.
        strength: of the regularisation, for features that are heard once.
    """
    times, fitted = len(heard.draws), []
    for column in places[rows].T:
        known = np.flatnonzero(~np.isnan(column))
        pipeline = make_pipeline(StandardScaler(), regression.make(strength, times))
        features = np.asarray(heard.learnt(rows[known]), np.float64)
        fitted.append(pipeline.fit(features, np.tile(column[known], times)))
    return Raters(tuple(fitted))


def choose_rating(
    regression: Regression, levels: Sequence[Heard], places: np.ndarray, speakers: np.ndarray, inner_folds: int
) -> ChosenRating:
    """The level and the strength with the highest mean CCC over inner folds, which share no speaker.

    Between equals the earlier level, then the stronger regularisation.

    Args:
        regression: which.
        levels: features of the training utterances by each level.
        places: of the utterances (n, D), NaN where there is none.
        speakers: (n,) who speaks in each.
        inner_folds: divisions of the speakers.
    """
    folds = list(inner_divisions(speakers, inner_folds))
    judged = np.concatenate([rows for _, rows in folds])
    found = []
    for (place, heard), strength in product(enumerate(levels), regression.strengths):
        fitted = [(fit_raters(regression, heard, learnt, places, strength), rows) for learnt, rows in folds]
        answers = [raters.rate(heard.judged[rows]) for raters, rows in fitted]
        reached = float(mean_ccc(moments(places[judged], np.concatenate(answers))))
        found.append(ChosenRating(place, strength, reached))
    return max(found, key=lambda each: each.ccc)
