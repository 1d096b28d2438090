"""The trainings behind a candidate's figure: replicates, each of one split of the training speakers and one seed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nni_emodarts.config.estimate import EstimateConfig
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.inner_folds import inner_fold
from nni_emodarts.metrics.logits import decode_logits, decode_rows, fit_temperature, log_loss
from nni_emodarts.metrics.record import Record
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.seeds import LARGEST_SEED

_STRIDE = 1_000_003
"""Between the seeds of a candidate's trainings, so that searches with neighbouring seeds share none."""


class Replicate(Record):
    """One training of a candidate.

    Attributes:
        inner: number of the split of the fold's training speakers; None of the fold's own validation part.
        seed: seed of the training.
        val_uar: validation UAR of the epoch that is kept.
        best_epoch: that epoch, from 1.
        rows: rows of the manifest that validated, as `encode_rows` writes them.
        logits: of these rows, as `encode_logits` writes them.
        parameters: of the network.
        seconds: that the training lasted.
        cpu_seconds: processor seconds of it.
    """

    inner: int | None = None
    seed: int
    val_uar: float
    best_epoch: int
    rows: str
    logits: str
    parameters: int
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Estimate:
    """What is known of a candidate by its replicates.

    Attributes:
        figures: (R,) of each replicate, the higher the better: validation UAR, or validation loss below zero.
        val_uar: mean validation UAR.
        val_loss: mean validation loss at the temperature; None where UAR is the figure.
        temperature: the candidate's own, fitted on all of these validation answers; None likewise.
    """

    figures: tuple[float, ...]
    val_uar: float
    val_loss: float | None = None
    temperature: float | None = None

    @property
    def score(self) -> float:
        """What candidates are compared by: the mean."""
        return float(np.mean(self.figures))

    def described(self) -> JsonObject:
        """As a candidate's metrics.json has it."""
        loss = {} if self.val_loss is None else {"val_loss": self.val_loss, "temperature": self.temperature}
        return {"val_uar": self.val_uar, **loss}


def replicate_tasks(task: FoldTask, how: EstimateConfig) -> tuple[FoldTask, ...]:
    """What each replicate is trained on, the same for all candidates: every split with one seed, then with the next.

    Raises:
        ProtocolError: the fold has fewer training speakers than splits.
    """
    folds = [
        task.fold if how.folds == 1 else inner_fold(task.corpus.manifest, task.fold, how.folds, number)
        for number in range(how.folds)
    ]
    seeds = [(task.seed + _STRIDE * number) % (LARGEST_SEED + 1) for number in range(how.seeds)]
    return tuple(replace(task, fold=fold, seed=seed) for seed in seeds for fold in folds)


def estimate(replicates: Sequence[Replicate], labels: np.ndarray, how: EstimateConfig) -> Estimate:
    """What a candidate's replicates say of it.

    Args:
        replicates: those that count.
        labels: numbers of the classes of all rows of the manifest.
        how: which figure.
    """
    val_uar = float(np.mean([each.val_uar for each in replicates]))
    if how.figure == "uar":
        return Estimate(tuple(each.val_uar for each in replicates), val_uar)
    answers = [(decode_logits(each.logits), labels[decode_rows(each.rows)]) for each in replicates]
    temperature = fit_temperature(np.concatenate([a for a, _ in answers]), np.concatenate([t for _, t in answers]))
    losses = [log_loss(logits, true, temperature) for logits, true in answers]
    return Estimate(tuple(-loss for loss in losses), val_uar, float(np.mean(losses)), temperature)
