"""The network to ship."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.outputs import DIMENSIONS_KEY
from nni_emodarts.metrics.tracks import TRACK_KEYS
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.digests import digests_of
from nni_emodarts.runtime.environment import Stopwatch
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import FINAL, METRICS, RunFolder
from nni_emodarts.training.retrain.designs import widen
from nni_emodarts.training.retrain.fitting import train
from nni_emodarts.training.retrain.keeping import counting
from nni_emodarts.training.retrain.model_files import MODEL_FILES, write_model


def train_final(
    task: FoldTask,
    architecture: Architecture,
    folder: RunFolder,
    folds: Sequence[RunFolder],
    progress: Progress = silent,
) -> Path:
    """Train the network to ship: on all speakers, for the median of the folds' best epochs.

    It has no test figure of its own; the pooled figures of the folds are its estimate.

    Args:
        task: all rows of the corpus, with the first of the run's seeds.
        architecture: what to train.
        folder: the run's folder.
        folds: the folders of the networks of each fold and seed.
        progress: called after each epoch.
    """
    watch = Stopwatch()
    best = [fold.read_json(METRICS)["best_epoch"] for fold in folds]
    epochs = round(median(best))
    on_epoch = counting("final network", epochs, progress)
    task = task.hearing(architecture.levels, architecture.heard)
    trained = train(task, widen(architecture, task.config.retrain), epochs=epochs, on_epoch=on_epoch)
    final = folder.child(FINAL)
    task.note_corpus(final)
    write_model(final, task, architecture, trained)
    metrics = {
        "epochs": epochs,
        "best_epochs_of_folds": best,
        "seed": task.seed,
        "architecture": architecture.id,
        "classes": list(task.corpus.manifest.classes),
        **({DIMENSIONS_KEY: task.outputs.to_dict()} if task.outputs.dimensions else {}),
        "speakers": task.corpus.speakers(task.fold.train),
        "estimate": _estimate(folder),
        **task.config.tracks,
    }
    final.write_json(METRICS, {**metrics, **digests_of(final, MODEL_FILES), **watch.read()})
    return final.path


def renew_estimate(folder: RunFolder) -> None:
    """Give the network to ship the run's figures as they are now, after more folds or seeds."""
    final = folder.child(FINAL)
    final.write_json(METRICS, {**final.read_json(METRICS), "estimate": _estimate(folder)})


def _estimate(folder: RunFolder) -> JsonObject:
    """A run's pooled test figures, and of which track they are."""
    own = folder.read_json(METRICS)
    return {key: value for key, value in own.items() if key.startswith("test_") or key in TRACK_KEYS}
