"""How much levels of a pretrained encoder say by themselves: out-of-fold answers of least-squares probes.

Least squares, since it takes a tenth of a logistic regression's time and ranks levels alike. It needs of the features
their inner products alone, and those of levels side by side are the sums of those of each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import solve
from sklearn.preprocessing import StandardScaler

from nni_emodarts.metrics.truth import Truth
from nni_emodarts.models.baselines.least_squares import INNER_FOLDS, PENALTY, balanced
from nni_emodarts.models.baselines.probe_fitting import Heard, inner_divisions


def judge_levels(
    levels: Sequence[Heard], candidates: Sequence[Sequence[int]], truth: Truth, speakers: np.ndarray
) -> list[float]:
    """The headline of answers to all utterances, each by probes of other speakers, for each candidate.

    Args:
        levels: features (n, D) of utterances by each level.
        candidates: of each the places of the levels that it hears side by side.
        truth: of the utterances; each of them has a class, where there are any.
        speakers: (n,) who speaks in each.
    """
    answers = np.zeros((len(candidates), len(truth), truth.num_classes + truth.values.shape[1]))
    for learnt, judged in inner_divisions(speakers, INNER_FOLDS):
        products = [_Products.of(heard, learnt, judged) for heard in levels]
        for number, places in enumerate(candidates):
            answers[number, judged] = _answers(_Products.of_all([products[at] for at in places]), truth, learnt)
    return [truth.score(each) for each in answers]


@dataclass(frozen=True)
class _Products:
    """Inner products of standardised features.

    Attributes:
        own: (m, m) of what is learnt from: all its draws, one after another.
        across: (j, m) of what is judged with it.
        features: how many there are.
        draws: how often an utterance is heard; all of them together count as much as one.
    """

    own: np.ndarray
    across: np.ndarray
    features: int
    draws: int

    @classmethod
    def of(cls, heard: Heard, learnt: np.ndarray, judged: np.ndarray) -> Self:
        """Those of a level."""
        scaler = StandardScaler().fit(heard.learnt(learnt))
        own, other = scaler.transform(heard.learnt(learnt)), scaler.transform(heard.judged[judged])
        return cls(own @ own.T, other @ own.T, own.shape[1], len(heard.draws))

    @classmethod
    def of_all(cls, parts: Sequence["_Products"]) -> Self:
        """Those of several levels side by side."""
        own = np.sum([each.own for each in parts], 0, np.float64)
        across = np.sum([each.across for each in parts], 0, np.float64)
        return cls(np.asarray(own), np.asarray(across), sum(each.features for each in parts), parts[0].draws)

    def pick(self, rows: np.ndarray) -> "_Products":
        """Those of some of what is learnt from."""
        return _Products(self.own[np.ix_(rows, rows)], self.across[:, rows], self.features, self.draws)

    def answers(self, goals: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Ridge regression of goals (m, O) with weights (m,) -> what it says of what is judged (j, O)."""
        share, root = weights / weights.sum(), np.sqrt(weights)[:, None]
        mean, middle = share @ self.own, share @ goals
        centred = self.own - mean - mean[:, None] + share @ mean
        system = root * centred * root.T + PENALTY * self.features * self.draws * np.eye(len(goals))
        solved = root * solve(system, root * (goals - middle), assume_a="pos")
        across = self.across - mean - (self.across @ share)[:, None] + share @ mean
        return np.asarray(middle + across @ solved)


def _answers(products: _Products, truth: Truth, learnt: np.ndarray) -> np.ndarray:
    """What probes that learn from some utterances answer to those that are judged."""
    parts = []
    if truth.num_classes:
        goals = np.tile(np.eye(truth.num_classes)[truth.labels[learnt]], (products.draws, 1))
        told = products.answers(2 * goals - 1, balanced(goals)).argmax(1)
        parts.append(np.eye(truth.num_classes)[told])
    for column in truth.values[learnt].T:
        values = np.tile(column, products.draws)
        known = np.flatnonzero(~np.isnan(values))
        parts.append(products.pick(known).answers(values[known, None], np.ones(len(known))))
    return np.concatenate(parts, 1)
