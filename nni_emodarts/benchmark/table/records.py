"""Lines of a table of architectures, and the table that they make."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from pydantic import model_validator

from nni_emodarts.errors import RunFolderError
from nni_emodarts.metrics.record import Record
from nni_emodarts.runtime.json_lines import read_lines


class TrainingKey(NamedTuple):
    """What a training is known by.

    Attributes:
        architecture: id of the architecture.
        fold: number of the fold.
        seed: seed of the training.
        inner: number of the inner split of the fold's training speakers; None where the fold's own parts are used.
    """

    architecture: str
    fold: int
    seed: int
    inner: int | None = None

    def __str__(self) -> str:
        inner = "" if self.inner is None else f", inner split {self.inner}"
        return f"{self.architecture}, fold {self.fold}, seed {self.seed}{inner}"


class Training(Record):
    """One architecture, trained once from scratch by the retrain recipe, without a second training on all speakers.

    Attributes:
        architecture: id of the architecture.
        choices: label -> operation, or chosen states.
        number: its place among the draws of the table.
        fold: number of the fold.
        seed: seed of the training.
        inner: number of the inner split, see `TrainingKey`.
        splits: how many inner splits there are; None where the fold's own parts are used.
        settings: digest of the settings that decided the figures.
        recordings: digest of the recordings.
        val_uar: validation UAR by epoch; None of a training that diverged.
        val_loss: validation loss by epoch (natural logarithm, a mean over utterances).
        best_epoch: the epoch that is kept, from 1.
        rows: rows of the manifest that validated, as `metrics.logits.encode_rows` writes them.
        logits: of these rows after the epoch that is kept, as `encode_logits` writes them.
        test_uar: UAR of the test part by the network of that epoch; None of an inner split, which has no test part.
        test_logits: of the test part's rows in ascending order; None likewise.
        parameters: of the network.
        cpu_seconds: processor seconds of the training.
        seconds: that it lasted.
        error: why it diverged; None where it did not.
    """

    architecture: str
    choices: dict[str, str | list[int]]
    number: int
    fold: int
    seed: int
    inner: int | None = None
    splits: int | None = None
    settings: str
    recordings: str
    val_uar: list[float] | None = None
    val_loss: list[float] | None = None
    best_epoch: int | None = None
    rows: str | None = None
    logits: str | None = None
    test_uar: float | None = None
    test_logits: str | None = None
    parameters: int
    cpu_seconds: float
    seconds: float
    error: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.error is None and not (self.val_uar and self.val_loss and self.best_epoch):
            raise ValueError("a training that did not diverge needs val_uar, val_loss and best_epoch")
        return self

    @property
    def key(self) -> TrainingKey:
        """What it is known by."""
        return TrainingKey(self.architecture, self.fold, self.seed, self.inner)

    @property
    def kept(self) -> float | None:
        """Validation UAR of the epoch that is kept; None where the training diverged."""
        return self.val_uar[self.best_epoch - 1] if self.val_uar and self.best_epoch else None


@dataclass(frozen=True)
class Table:
    """The trainings of a table.

    Attributes:
        trainings: by key; of two lines with one key the first.
        damaged: lines that hold none, in words.
    """

    trainings: Mapping[TrainingKey, Training]
    damaged: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.trainings)

    def __iter__(self) -> Iterator[Training]:
        return iter(self.trainings.values())

    def to_frame(self) -> pd.DataFrame:
        """A row a training that did not diverge: keys, figures (validation of the epoch that is kept), choices."""
        return pd.DataFrame([_row(each) for each in self if each.error is None])


def read_table(file: str | Path) -> Table:
    """The trainings in a file that `emodarts table` writes.

    Raises:
        RunFolderError: there is no such file, or it is none of the kind.
    """
    file = Path(file)
    if not file.is_file():
        raise RunFolderError(f"table {file}: no such file; name what emodarts table wrote")
    return read_trainings(file)


def read_trainings(file: Path) -> Table:
    """As `read_table`; an empty table where there is no file."""
    found: dict[TrainingKey, Training] = {}
    damaged = []
    for line in read_lines(file):
        try:
            training = Training.from_data(line.parse())
        except ValueError as error:
            what = f"holds no training ({error})" if line.ended else "was cut off"
            damaged.append(f"{file}, line {line.number} {what}: {line}")
            continue
        found.setdefault(training.key, training)
    return Table(found, tuple(damaged))


def _row(training: Training) -> dict[str, object]:
    losses, epoch = training.val_loss or [np.nan], training.best_epoch or 0
    chosen = {
        name: "+".join(map(str, choice)) if isinstance(choice, list) else choice
        for name, choice in training.choices.items()
    }
    return {
        **training.key._asdict(),
        "number": training.number,
        "val_uar": training.kept,
        "val_loss": losses[epoch - 1],
        "test_uar": training.test_uar,
        "parameters": training.parameters,
        "cpu_seconds": training.cpu_seconds,
        **chosen,
    }
