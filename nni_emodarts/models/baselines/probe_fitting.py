"""How a probe learns: a logistic regression, its level and its strength chosen inside the training speakers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from nni_emodarts.metrics.scores import uar

_ITERATIONS = 1000


@dataclass(frozen=True)
class Heard:
    """Features of utterances, as they are learnt from and as they are judged.

    Attributes:
        draws: (d, n, D) as they are learnt from: several times each where they are normalised by random recordings.
        judged: (n, D) as they are recognised.
    """

    draws: np.ndarray
    judged: np.ndarray

    @classmethod
    def once(cls, features: np.ndarray) -> "Heard":
        """Features (n, D) that are heard once, and learnt from as they are judged."""
        return cls(features[np.newaxis], features)

    @classmethod
    def joined(cls, parts: Sequence["Heard"]) -> "Heard":
        """Features of several levels side by side."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([each.draws for each in parts], 2), np.concatenate([each.judged for each in parts], 1)
        )

    def learnt(self, rows: np.ndarray) -> np.ndarray:
        """(d x rows, D) of some utterances."""
        return np.concatenate(list(self.draws[:, rows]))


@dataclass(frozen=True)
class Chosen:
    """What was chosen on training speakers.

    Attributes:
        level: place of the level.
        strength: C of the logistic regression.
        uar: of the utterances of all inner folds together.
    """

    level: int
    strength: float
    uar: float


def fit_probe(heard: Heard, rows: np.ndarray, labels: np.ndarray, strength: float) -> Pipeline:
    """Standardise features and fit a logistic regression, each class weighted inversely to its frequency.

    Args:
        heard: features of utterances.
        rows: those that are learnt from.
        labels: classes of all of them (n,).
        strength: C, for features that are heard once; those heard several times count as much together.

    Returns:
        A pipeline whose `predict` and `predict_proba` take features (m, D).
    """
    times = len(heard.draws)
    regression = LogisticRegression(C=strength / times, class_weight="balanced", max_iter=_ITERATIONS)
    probe = make_pipeline(StandardScaler(), regression)
    return probe.fit(np.asarray(heard.learnt(rows), np.float64), np.tile(labels[rows], times))


def choose(
    levels: Sequence[Heard], strengths: Sequence[float], labels: np.ndarray, speakers: np.ndarray, inner_folds: int
) -> Chosen:
    """The level and the strength with the highest UAR over inner folds, which share no speaker.

    Between equals the earlier level, then the stronger regularisation.

    Args:
        levels: features of the training utterances by each level.
        strengths: to choose from, the strongest regularisation first.
        labels: classes (n,).
        speakers: (n,) who speaks in each.
        inner_folds: divisions of the speakers.
    """
    classes = int(labels.max()) + 1
    folds = list(inner_divisions(speakers, inner_folds))
    judged = np.concatenate([rows for _, rows in folds])
    found = []
    for (place, heard), strength in product(enumerate(levels), strengths):
        answers = [
            fit_probe(heard, learnt, labels, strength).predict(heard.judged[rows].astype(np.float64))
            for learnt, rows in folds
        ]
        found.append(Chosen(place, strength, uar(labels[judged], np.concatenate(answers), classes)))
    return max(found, key=lambda each: each.uar)


def inner_divisions(speakers: np.ndarray, folds: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Utterances (n,) of speakers divided into those that are learnt from and those that are judged, folds times."""
    count = min(folds, len(np.unique(speakers)))
    if count < 2:  # one speaker alone: nothing can be chosen, and every choice is as good
        everything = np.arange(len(speakers))
        yield everything, everything
        return
    yield from GroupKFold(count).split(speakers[:, np.newaxis], groups=speakers)


def count_parameters(fitted: Pipeline) -> int:
    """Weights and offsets of a fitted probe."""
    regression = fitted[-1]
    return int(regression.coef_.size + regression.intercept_.size)
