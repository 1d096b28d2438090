"""One training of a table: an architecture, a fold, a seed, and which of the fold's speakers validate."""

from dataclasses import dataclass

import numpy as np

from nni_emodarts.benchmark.cells import short_digest, what_decides
from nni_emodarts.benchmark.table.records import Training, TrainingKey
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.inner_folds import inner_fold
from nni_emodarts.errors import DivergenceError
from nni_emodarts.metrics.logits import encode_logits, encode_rows
from nni_emodarts.metrics.scores import uar
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.costs import architecture_cost
from nni_emodarts.runtime.environment import Stopwatch
from nni_emodarts.training.retrain.fitting import Trained, train
from nni_emodarts.training.retrain.scoring import answers_to

REVISION = 2
"""Raised where the same settings come to give other figures."""


@dataclass(frozen=True)
class Wanted:
    """A training that is to be made.

    Attributes:
        architecture: what to train.
        number: its place among the draws.
        fold: number of the fold.
        seed: seed of the training.
        inner: number of the inner split; None for the fold's own parts.
        splits: inner splits of the fold.
    """

    architecture: Architecture
    number: int
    fold: int
    seed: int
    inner: int | None = None
    splits: int | None = None

    @property
    def key(self) -> TrainingKey:
        """What it is known by."""
        return TrainingKey(self.architecture.id, self.fold, self.seed, self.inner)


def settings_of_table(config: ExperimentConfig, manifest: str) -> str:
    """A short digest of all that decides the figures: not of paths, workers, the device or the search.

    Args:
        config: the whole configuration.
        manifest: what stands for the utterances and their list of folds (`Manifest.identity`).
    """
    data = what_decides(config)
    del data["search"], data["retrain"]["refit"]  # neither is done here
    data |= {"manifest": manifest, "revision": REVISION}
    return short_digest(data)


def make_training(config: ExperimentConfig, corpus: Corpus, wanted: Wanted) -> Training:
    """Train, validate, and read the test part once; a training that diverges is one, too.

    Args:
        config: the whole configuration; `retrain.refit` is not done, since what is validated must be what is tested.
        corpus: manifest and features.
        wanted: what to train.
    """
    watch = Stopwatch()
    fold = corpus.fold(wanted.fold)
    if wanted.inner is not None and wanted.splits is not None:
        fold = inner_fold(corpus.manifest, fold, wanted.splits, wanted.inner)
    task = FoldTask(config, corpus, fold, wanted.seed).hearing(wanted.architecture.levels, wanted.architecture.heard)
    design = wanted.architecture.widened(config.retrain.width)
    known: dict[str, object] = {
        "architecture": wanted.architecture.id,
        "choices": wanted.architecture.sample(),
        "number": wanted.number,
        "fold": wanted.fold,
        "seed": wanted.seed,
        **({} if wanted.inner is None else {"inner": wanted.inner, "splits": wanted.splits}),
        "settings": settings_of_table(config, corpus.manifest.identity),
        "recordings": corpus.recordings,
        "parameters": int(architecture_cost(design, "parameters", 1, corpus.num_outputs, corpus.shapes)),
    }
    try:
        figures = _figures(task, train(task, design))
    except DivergenceError as error:
        figures = {"error": str(error)}
    return Training.from_data({**known, **figures, **{key: round(value, 3) for key, value in watch.read().items()}})


def _figures(task: FoldTask, trained: Trained) -> dict[str, object]:
    rows = np.sort(task.fold.validation)
    found: dict[str, object] = {
        "val_uar": [round(row["val_uar"], 5) for row in trained.history],
        "val_loss": [round(row["val_loss"], 5) for row in trained.history],
        "best_epoch": trained.best_epoch,
        "rows": encode_rows(rows),
        "logits": encode_logits(answers_to(task, trained, rows)),
    }
    if len(task.fold.test):
        rows = np.sort(task.fold.test)
        answers = answers_to(task, trained, rows)
        found["test_uar"] = uar(task.labels(rows), answers.argmax(1), task.corpus.num_classes)
        found["test_logits"] = encode_logits(answers)
    return found
