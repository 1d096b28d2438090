"""One fold with one seed: train by the recipe, read the test part once."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus, note_corpus
from nni_emodarts.data.protocols import Fold, Rows
from nni_emodarts.runtime.environment import Stopwatch
from nni_emodarts.runtime.progress import Progress, Report, silent
from nni_emodarts.runtime.run_folder import HISTORY, METRICS, PREDICTIONS, RunFolder
from nni_emodarts.training.retrain.designs import Design, widen
from nni_emodarts.training.retrain.fitting import Trained, train
from nni_emodarts.training.retrain.keeping import counting
from nni_emodarts.training.retrain.model_files import write_model
from nni_emodarts.training.retrain.scoring import predictions, score_predictions


def retrain_fold(
    config: ExperimentConfig,
    corpus: Corpus,
    design: Design,
    fold: Fold,
    seed: int,
    folder: RunFolder,
    read_test: bool = True,
    overlap: Sequence[str] = (),
    progress: Progress = silent,
    report: Report | None = None,
    validate: bool = True,
) -> dict[str, Any]:
    """Train a network on one fold by the recipe, then read the test part once.

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
    note_corpus(corpus, config.data.bad_audio, folder)
    what, epochs = f"retrain fold {fold.index} seed {seed}", config.retrain.epochs
    history: list[dict[str, float]] = []

    def on_epoch(row: dict[str, float]) -> None:
        history.append(row)
        folder.write_csv(HISTORY, pd.DataFrame(history))  # each time, so that it can be looked at while it runs
        figures = {"val_uar": row["val_uar"]} if "val_uar" in row else {}
        progress(what, len(history), epochs, **figures)
        if report is not None and figures:
            report(row["val_uar"])

    progress(what, 0, epochs)
    network = widen(design, config.retrain)
    validated = validate or config.retrain.needs_validation
    rows = fold.train if validated else _train_and_validation(fold)
    trained = train(config, corpus, network, rows, fold.validation if validated else None, seed, on_epoch=on_epoch)
    val_uar = trained.val_uar if validated else None
    if val_uar is not None and len(history) < epochs:  # stopped early: nothing is left
        progress(what, len(history), len(history), val_uar=val_uar)
    metrics: dict[str, Any] = {
        "val_uar": val_uar,
        "best_epoch": trained.best_epoch,
        "fold": fold.index,
        "seed": seed,
        "architecture": design.id,
        "parameters": sum(parameter.numel() for parameter in trained.model.parameters()),
        "classes": list(corpus.manifest.classes),
    }
    if config.retrain.refit and validated:
        trained = _refit(config, corpus, network, fold, seed, trained, progress)
    if overlap:
        metrics["overlap"] = list(overlap)
    if read_test:
        table = predictions(config, corpus, trained, fold.test, fold.index, seed)
        folder.write_csv(PREDICTIONS, table)
        metrics |= score_predictions(table, corpus.manifest.classes)
    write_model(folder, config, corpus, design, trained)
    folder.write_json(METRICS, {**metrics, **watch.read()})
    return metrics


def _refit(
    config: ExperimentConfig,
    corpus: Corpus,
    network: Design,
    fold: Fold,
    seed: int,
    trained: Trained,
    progress: Progress,
) -> Trained:
    """Train anew on training and validation part together, for as many epochs as validation chose."""
    epochs = trained.best_epoch
    on_epoch = counting(f"refit fold {fold.index} seed {seed}", epochs, progress)
    again = train(config, corpus, network, _train_and_validation(fold), None, seed, epochs, on_epoch=on_epoch)
    return replace(again, history=trained.history)


def _train_and_validation(fold: Fold) -> Rows:
    """Rows of both parts."""
    return np.concatenate([fold.train, fold.validation])
