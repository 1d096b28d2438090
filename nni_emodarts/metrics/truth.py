"""What is true of some utterances, and how good answers to them are."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nni_emodarts.metrics.chance import chance_p, permutation_p
from nni_emodarts.metrics.dimensions import mean_ccc, moments
from nni_emodarts.metrics.headline import BOTH, CCC, UAR, Headline
from nni_emodarts.metrics.scores import uar

Answers = npt.NDArray[np.floating]
"""(n, K + D) probability of each class, then the value in each dimension."""


@dataclass(frozen=True)
class Truth:
    """What is true of some utterances.

    Attributes:
        labels: (n,) numbers of their classes; -1 where annotators did not agree, so that no answer is right or wrong.
        num_classes: number of classes K; 0 where there are none to tell apart.
        values: (n, D) places in each dimension, NaN where there is none.
        shares: (n, K) distributions of votes, where those are learnt instead of classes.
    """

    labels: npt.NDArray[np.int64]
    num_classes: int
    values: npt.NDArray[np.float64]
    shares: npt.NDArray[np.floating] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def headline(self) -> Headline:
        """The figure that chooses."""
        if not self.values.shape[1]:
            return UAR
        return BOTH if self.num_classes else CCC

    def figures(self, answers: Answers) -> dict[str, float]:
        """UAR, CCC and their mean of answers, those that there are, by key."""
        found: dict[str, float] = {}
        if self.num_classes:
            known = self.labels >= 0  # of what annotators did not agree on nothing is right
            told = answers[known, : self.num_classes].argmax(1)
            found[UAR.key] = uar(self.labels[known], told, self.num_classes) if known.any() else 0.0
        if self.values.shape[1]:
            found[CCC.key] = float(mean_ccc(moments(self.values, answers[:, self.num_classes :])))
        if len(found) > 1:
            found[BOTH.key] = (found[UAR.key] + found[CCC.key]) / 2
        return found

    def score(self, answers: Answers) -> float:
        """The headline of answers."""
        return self.figures(answers)[self.headline.key]

    def loss(self, answers: Answers) -> float:
        """Mean cross entropy, and 1 - CCC, of answers: it decides between equal figures."""
        found = 0.0
        if self.num_classes:
            told = answers[:, : self.num_classes]
            if self.shares is None:
                found += float(-np.log(np.maximum(told[np.arange(len(self)), self.labels], 1e-12)).mean())
            else:
                found += float(-(self.shares * np.log(np.maximum(told, 1e-12))).sum(1).mean())
        if self.values.shape[1]:
            found += 1 - float(mean_ccc(moments(self.values, answers[:, self.num_classes :])))
        return found

    def chance_p(self, answers: Answers) -> float:
        """p of the hypothesis that answers have nothing to do with what is true."""
        if not self.values.shape[1]:
            return chance_p(self.labels, answers.argmax(1), self.num_classes)
        return permutation_p(lambda order: self._score_of(answers[order]), len(self))

    def _score_of(self, answers: Answers) -> float:
        """`score`, where it is asked for thousands of times: scikit-learn's checks take longer than counting."""
        reached = float(mean_ccc(moments(self.values, answers[:, self.num_classes :])))
        if not self.num_classes:
            return reached
        told, known = answers[:, : self.num_classes].argmax(1), self.labels >= 0
        count = np.bincount(self.labels[known], minlength=self.num_classes)
        hit = np.bincount(self.labels[told == self.labels], minlength=self.num_classes)
        return (float((hit[count > 0] / count[count > 0]).mean()) + reached) / 2
