"""Which networks an ensemble takes, by answers to utterances that none of them has learnt from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from nni_emodarts.metrics.logits import Logits, fit_temperature, log_loss
from nni_emodarts.metrics.scores import uar

Classes = npt.NDArray[np.int64]
"""(n,) numbers of the true classes."""

MOST = 8
"""Members of an ensemble, those that are taken twice counted twice."""
LEAST = 3
"""Likewise, at the least."""


@dataclass(frozen=True)
class Step:
    """One member more.

    Attributes:
        candidate: number of the candidate that is taken.
        loss: mean cross entropy of all that are taken so far, at the temperature that suits them best.
        temperature: that one.
        uar: their UAR.
    """

    candidate: int
    loss: float
    temperature: float
    uar: float


def pick_members(candidates: Sequence[Logits], true: Classes, most: int = MOST) -> list[Step]:
    """Take members one by one, each the one whose answers help those that are taken most; one may be taken again.

    Forward selection with replacement (Caruana et al. 2004), as neural ensemble search does it (Zaidi et al. 2021,
    section 4.1); of the steps those up to the least loss are kept, and `LEAST` at least.

    Args:
        candidates: logits (n, K) of each candidate for the same utterances, which it has not learnt from.
        true: (n,) numbers of their classes.
        most: members at most.

    Raises:
        ValueError: there is no candidate, or their answers are of different shapes.
    """
    if not candidates or len({each.shape for each in candidates}) > 1:
        raise ValueError(f"{len(candidates)} candidates of shapes {sorted({each.shape for each in candidates})}")
    answers = [_probabilities(each) for each in candidates]
    steps: list[Step] = []
    total = np.zeros(answers[0].shape)
    for _ in range(most):
        tried = [_step(number, total + each, true) for number, each in enumerate(answers)]
        taken = {step.candidate for step in steps}  # of equals one of these: fewer networks to train
        best = min(tried, key=lambda step: (step.loss, step.candidate not in taken))
        steps.append(best)
        total += answers[best.candidate]
    least = min(range(len(steps)), key=lambda number: steps[number].loss)
    return steps[: max(least + 1, min(LEAST, most))]


def member_weights(steps: Sequence[Step]) -> dict[int, float]:
    """Candidate -> its share of an ensemble, in the order in which they were taken.

    >>> member_weights([Step(4, 0.5, 1.0, 0.6), Step(2, 0.4, 1.0, 0.6), Step(4, 0.3, 1.0, 0.7), Step(4, 0.3, 1.0, 0.7)])
    {4: 0.75, 2: 0.25}
    """
    counts = Counter(step.candidate for step in steps)
    return {candidate: count / len(steps) for candidate, count in counts.items()}


def averaged(answers: Sequence[npt.NDArray[np.floating]], weights: Sequence[float]) -> npt.NDArray[np.float64]:
    """Probabilities (n, K) of an ensemble: the weighted mean of its members'.

    >>> averaged([np.array([[0.8, 0.2]]), np.array([[0.4, 0.6]])], [0.75, 0.25]).round(2).tolist()
    [[0.7, 0.3]]
    """
    return np.tensordot(np.asarray(weights, np.float64), np.stack(answers).astype(np.float64), axes=1)


def _step(candidate: int, total: npt.NDArray[np.float64], true: Classes) -> Step:
    logits = np.log(np.maximum(total / total.sum(1, keepdims=True), np.finfo(np.float32).tiny)).astype(np.float32)
    temperature = fit_temperature(logits, true)
    loss = log_loss(logits, true, temperature)
    return Step(candidate, loss, temperature, uar(true, logits.argmax(1), logits.shape[1]))


def _probabilities(logits: Logits) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = softmax(logits.astype(np.float64), axis=1)
    return found
