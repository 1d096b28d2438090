"""The network to ship."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus, note_corpus
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.environment import Stopwatch
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import FINAL, METRICS, RunFolder
from nni_emodarts.training.retrain.designs import widen
from nni_emodarts.training.retrain.fitting import train
from nni_emodarts.training.retrain.keeping import counting
from nni_emodarts.training.retrain.model_files import write_model


def train_final(
    config: ExperimentConfig,
    corpus: Corpus,
    architecture: Architecture,
    folder: RunFolder,
    folds: Sequence[int],
    seeds: Sequence[int],
    progress: Progress = silent,
) -> Path:
    """Train the network to ship: on all speakers, for the median of the folds' best epochs.

    It has no test figure of its own; the pooled figures of the folds are its estimate.
    """
    watch = Stopwatch()
    best = [folder.cell(fold, seed).read_json(METRICS)["best_epoch"] for fold in folds for seed in seeds]
    epochs = round(median(best))
    on_epoch = counting("final network", epochs, progress)
    rows = np.arange(len(corpus.manifest))
    network = widen(architecture, config.retrain)
    trained = train(config, corpus, network, rows, None, seeds[0], epochs, on_epoch=on_epoch)
    final = folder.child(FINAL)
    note_corpus(corpus, config.data.bad_audio, final)
    write_model(final, config, corpus, architecture, trained)
    metrics = {
        "epochs": epochs,
        "best_epochs_of_folds": best,
        "seed": seeds[0],
        "architecture": architecture.id,
        "classes": list(corpus.manifest.classes),
        "speakers": corpus.speakers(rows),
        "estimate": _estimate(folder),
    }
    final.write_json(METRICS, {**metrics, **watch.read()})
    return final.path


def renew_estimate(folder: RunFolder) -> None:
    """Give the network to ship the run's figures as they are now, after more folds or seeds."""
    final = folder.child(FINAL)
    final.write_json(METRICS, {**final.read_json(METRICS), "estimate": _estimate(folder)})


def _estimate(folder: RunFolder) -> dict[str, Any]:
    """A run's pooled test figures."""
    return {key: value for key, value in folder.read_json(METRICS).items() if key.startswith("test_")}
