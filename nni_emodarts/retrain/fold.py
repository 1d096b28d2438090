"""One fold with one seed: train, choose the epoch on validation, read the test part once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.environment import Stopwatch
from nni_emodarts.overlap import Overlap
from nni_emodarts.preparation import Corpus, note_skipped
from nni_emodarts.progress import Progress, Report, silent
from nni_emodarts.protocols import Fold
from nni_emodarts.retrain.designs import Design, widen
from nni_emodarts.retrain.fitting import Trained, train
from nni_emodarts.retrain.model_files import write_model
from nni_emodarts.retrain.scoring import predictions, score_predictions
from nni_emodarts.run_folder import METRICS, PREDICTIONS, RunFolder


def retrain_fold(
    config: ExperimentConfig,
    corpus: Corpus,
    design: Design,
    fold: Fold,
    seed: int,
    folder: RunFolder,
    read_test: bool = True,
    overlap: Overlap | None = None,
    progress: Progress = silent,
    report: Report | None = None,
    validate: bool = True,
) -> dict[str, Any]:
    """Train a network on one fold; validation chooses the epoch, then the test part is read once.

    Args:
        config: the whole configuration.
        corpus: manifest and features.
        design: what to train.
        fold: the fold.
        seed: seed of everything random.
        folder: where the run's files go.
        read_test: whether the test part is read at all; never where a tuner chooses by this trial's result.
        overlap: test speakers that the search saw, to mark the figures with.
        progress: told of each epoch.
        report: given the validation UAR after each epoch.
        validate: whether a validation figure is wanted where it decides nothing. Without one, a network that is to be
            refitted is trained once instead of twice, to the same weights.

    Returns:
        What the folder's metrics.json holds; `val_uar` is None without validation.
    """
    watch = Stopwatch()
    note_skipped(corpus, config.data.bad_audio, folder)

    def on_epoch(epoch: int, val_uar: float | None) -> None:
        figures = {} if val_uar is None else {"val_uar": val_uar}
        progress(f"retrain fold {fold.index} seed {seed}", epoch, config.retrain.epochs, **figures)
        if report is not None and val_uar is not None:
            report(val_uar)

    network = widen(design, config.retrain)
    trained, val_uar = _train(config, corpus, network, fold, seed, validate, on_epoch)
    metrics: dict[str, Any] = {
        "val_uar": val_uar,
        "best_epoch": trained.best_epoch,
        "fold": fold.index,
        "seed": seed,
        "architecture": design.id,
        "parameters": sum(parameter.numel() for parameter in trained.model.parameters()),
        "classes": list(corpus.manifest.classes),
    }
    if overlap is not None and overlap.speakers:
        metrics["overlap"] = list(overlap.speakers)
    if read_test:
        table = predictions(config, corpus, trained, fold.test, fold.index, seed)
        folder.write_csv(PREDICTIONS, table)
        metrics |= score_predictions(table, corpus.manifest.classes)
    write_model(folder, config, corpus, network, trained)
    folder.write_json(METRICS, {**metrics, **watch.read()})
    return metrics


def _train(
    config: ExperimentConfig,
    corpus: Corpus,
    design: Design,
    fold: Fold,
    seed: int,
    validate: bool,
    on_epoch: Callable[[int, float | None], None],
) -> tuple[Trained, float | None]:
    """The network to test, and the validation UAR behind it."""
    both = np.concatenate([fold.train, fold.validation])
    if not validate and not config.retrain.needs_validation:
        return train(config, corpus, design, both, None, seed, on_epoch=on_epoch), None
    chosen = train(config, corpus, design, fold.train, fold.validation, seed, on_epoch=on_epoch)
    if not config.retrain.refit:
        return chosen, chosen.val_uar
    again = train(config, corpus, design, both, None, seed, chosen.best_epoch)
    return replace(again, history=chosen.history), chosen.val_uar
