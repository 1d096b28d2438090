"""How much a level of a pretrained encoder says by itself: out-of-fold answers of a least-squares probe."""

import numpy as np
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from nni_emodarts.metrics.truth import Answers, Truth
from nni_emodarts.models.baselines.probe_fitting import Heard, inner_divisions
from nni_emodarts.models.baselines.rating import RIDGE, fit_raters

INNER_FOLDS = 5
"""Divisions of the training speakers, each of which is judged by a probe that has not heard it."""
PENALTIES = (1.0, 0.3, 0.1)
"""Of squared weights, as shares of the number of features, by which a kernel of standardised features is as large."""


def judge_level(heard: Heard, truth: Truth, speakers: np.ndarray) -> float:
    """The highest headline, over penalties, of answers to all utterances, each by probes of other speakers.

    Least squares, since it takes a tenth of a logistic regression's time and ranks levels alike.

    Args:
        heard: features (n, D) of utterances by the level.
        truth: of the utterances; each of them has a class, where there are any.
        speakers: (n,) who speaks in each.
    """
    divisions, features = list(inner_divisions(speakers, INNER_FOLDS)), heard.judged.shape[1]

    def reached(penalty: float) -> float:
        answers = np.zeros((len(truth), truth.num_classes + truth.values.shape[1]))
        for learnt, judged in divisions:
            answers[judged] = _answers(heard, truth, (learnt, judged), penalty)
        return truth.score(answers)

    return max(reached(share * features) for share in PENALTIES)


def _answers(heard: Heard, truth: Truth, division: tuple[np.ndarray, np.ndarray], penalty: float) -> Answers:
    """Answers of probes that learn from the one part of a division to the other part."""
    (learnt, judged), parts = division, []
    features = np.asarray(heard.judged[judged], np.float64)
    if truth.num_classes:
        told = _classifier(heard, truth.labels, learnt, penalty).predict(features)
        parts.append(np.eye(truth.num_classes)[told])
    if truth.values.shape[1]:
        parts.append(fit_raters(RIDGE, heard, learnt, truth.values, penalty).rate(features))
    return np.concatenate(parts, 1)


def _classifier(heard: Heard, labels: np.ndarray, learnt: np.ndarray, penalty: float) -> Pipeline:
    """Each class weighted inversely to its frequency; utterances heard several times count as much together as one."""
    times = len(heard.draws)
    probe = make_pipeline(StandardScaler(), RidgeClassifier(alpha=penalty * times, class_weight="balanced"))
    return probe.fit(np.asarray(heard.learnt(learnt), np.float64), np.tile(labels[learnt], times))
