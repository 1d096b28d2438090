"""Which networks an ensemble takes, by answers to utterances that none of them has learnt from."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nni_emodarts.metrics.headline import CCC
from nni_emodarts.metrics.logits import fit_temperature, log_loss
from nni_emodarts.metrics.truth import Answers, Truth

MOST = 8
"""Members of an ensemble, those that are taken twice counted twice."""
LEAST = 3
"""Likewise, at the least."""


@dataclass(frozen=True)
class Step:
    """One member more.

    Attributes:
        candidate: number of the candidate that is taken.
        loss: mean cross entropy of all that are taken so far, at the temperature that suits them best, where classes
            are learnt; and 1 - CCC, mean over the dimensions, where those are.
        temperature: that one; 1 without classes.
        figures: their UAR, CCC and the mean of both, those that there are, by key.
    """

    candidate: int
    loss: float
    temperature: float
    figures: Mapping[str, float]


def pick_members(candidates: Sequence[Answers], truth: Truth, most: int = MOST) -> list[Step]:
    """Take members one by one, each the one whose answers help those that are taken most; one may be taken again.

    Forward selection with replacement (Caruana et al. 2004), as neural ensemble search does it (Zaidi et al. 2021,
    section 4.1); of the steps those up to the least loss are kept, and `LEAST` at least.

    Args:
        candidates: answers (n, K + D) of each candidate to the same utterances, which it has not learnt from.
        truth: what is true of these.
        most: members at most.

    Raises:
        ValueError: there is no candidate, or their answers are of different shapes.
    """
    if not candidates or len({each.shape for each in candidates}) > 1:
        raise ValueError(f"{len(candidates)} candidates of shapes {sorted({each.shape for each in candidates})}")
    answers = [each.astype(np.float64) for each in candidates]
    steps: list[Step] = []
    total = np.zeros(answers[0].shape)
    for count in range(1, most + 1):
        tried = [_step(number, (total + each) / count, truth) for number, each in enumerate(answers)]
        taken = {step.candidate for step in steps}  # of equals one of these: fewer networks to train
        best = min(tried, key=lambda step: (step.loss, step.candidate not in taken))
        steps.append(best)
        total += answers[best.candidate]
    least = min(range(len(steps)), key=lambda number: steps[number].loss)
    return steps[: max(least + 1, min(LEAST, most))]


def member_weights(steps: Sequence[Step]) -> dict[int, float]:
    """Candidate -> its share of an ensemble, in the order in which they were taken.

    >>> member_weights([Step(4, 0.5, 1.0, {}), Step(2, 0.4, 1.0, {}), Step(4, 0.3, 1.0, {}), Step(4, 0.3, 1.0, {})])
    {4: 0.75, 2: 0.25}
    """
    counts = Counter(step.candidate for step in steps)
    return {candidate: count / len(steps) for candidate, count in counts.items()}


def averaged(answers: Sequence[npt.NDArray[np.floating]], weights: Sequence[float]) -> npt.NDArray[np.float64]:
    """Answers (n, K + D) of an ensemble: the weighted mean of its members'.

    >>> averaged([np.array([[0.8, 0.2]]), np.array([[0.4, 0.6]])], [0.75, 0.25]).round(2).tolist()
    [[0.7, 0.3]]
    """
    return np.tensordot(np.asarray(weights, np.float64), np.stack(answers).astype(np.float64), axes=1)


def _step(candidate: int, answers: npt.NDArray[np.float64], truth: Truth) -> Step:
    """How good the mean answers (n, K + D) are with a candidate."""
    loss, temperature = 0.0, 1.0
    figures = truth.figures(answers)
    if truth.num_classes:
        known = truth.labels >= 0  # annotators agreed on
        told = answers[known, : truth.num_classes]
        logits = np.log(np.maximum(told / told.sum(1, keepdims=True), np.finfo(np.float32).tiny)).astype(np.float32)
        temperature = fit_temperature(logits, truth.labels[known])
        loss += log_loss(logits, truth.labels[known], temperature)
    if CCC.key in figures:
        loss += 1 - figures[CCC.key]
    return Step(candidate, loss, temperature, figures)
