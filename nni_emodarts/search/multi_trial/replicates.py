"""The trainings behind a candidate's figure: replicates, each of one split of the training speakers and one seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from pydantic import model_validator

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
        val_uar: validation UAR of the epoch that is kept, where classes are learnt.
        val_ccc: its validation CCC, where dimensions are learnt.
        val_uar_ccc: the mean of the two, where both are learnt.
        best_epoch: that epoch, from 1.
        rows: rows of the manifest that validated, as `encode_rows` writes them.
        logits: of these rows, as `encode_logits` writes them, where classes are learnt.
        values: answers to them in dimensions, as `encode_values` writes them, where those are learnt.
        parameters: of the network.
        seconds: that the training lasted.
        cpu_seconds: processor seconds of it.
    """

    inner: int | None = None
    seed: int
    val_uar: float | None = None
    val_ccc: float | None = None
    val_uar_ccc: float | None = None
    best_epoch: int
    rows: str
    logits: str = ""
    values: str | None = None
    parameters: int
    seconds: float
    cpu_seconds: float

    @property
    def validation(self) -> dict[str, float]:
        """The validation figures that there are, by name."""
        found = {"val_uar": self.val_uar, "val_ccc": self.val_ccc, "val_uar_ccc": self.val_uar_ccc}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def score(self) -> float:
        """The one that chooses, which is the last."""
        return list(self.validation.values())[-1]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.validation:
            raise ValueError("val_uar: a replicate has a validation figure")
        return self


@dataclass(frozen=True)
class Estimate:
    """What is known of a candidate by its replicates.

    Attributes:
        figures: (R,) of each replicate, the higher the better: what chooses, or validation loss below zero.
        validation: mean validation figures by name, the one that chooses the last.
        val_loss: mean validation loss at the temperature; None where it is not the figure.
        temperature: the candidate's own, fitted on all of these validation answers; None likewise.
    """

    figures: tuple[float, ...]
    validation: Mapping[str, float]
    val_loss: float | None = None
    temperature: float | None = None

    @property
    def score(self) -> float:
        """What candidates are compared by: the mean."""
        return float(np.mean(self.figures))

    def described(self) -> JsonObject:
        """As a candidate's metrics.json has it."""
        loss = {} if self.val_loss is None else {"val_loss": self.val_loss, "temperature": self.temperature}
        return {**self.validation, **loss}

    @property
    def chosen_by(self) -> float:
        """The mean validation figure that chooses epochs."""
        return list(self.validation.values())[-1]


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
    means = {name: float(np.mean([each.validation[name] for each in replicates])) for name in replicates[0].validation}
    if how.figure == "uar":
        return Estimate(tuple(each.score for each in replicates), means)
    answers = [(decode_logits(each.logits), labels[decode_rows(each.rows)]) for each in replicates]
    temperature = fit_temperature(np.concatenate([a for a, _ in answers]), np.concatenate([t for _, t in answers]))
    losses = [log_loss(logits, true, temperature) for logits, true in answers]
    return Estimate(tuple(-loss for loss in losses), means, float(np.mean(losses)), temperature)
