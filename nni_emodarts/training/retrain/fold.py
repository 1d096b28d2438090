"""One fold with one seed: train by the recipe, read the test part once."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.front_ends.costs import encoder_costs
from nni_emodarts.metrics.tracks import marked
from nni_emodarts.runtime.digests import digests_of
from nni_emodarts.runtime.environment import Stopwatch
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.progress import Progress, Report, silent
from nni_emodarts.runtime.run_folder import HISTORY, METRICS, PREDICTIONS, RunFolder
from nni_emodarts.training.distillation import Teacher
from nni_emodarts.training.retrain.designs import Design, widen
from nni_emodarts.training.retrain.fitting import Trained, train
from nni_emodarts.training.retrain.keeping import counting
from nni_emodarts.training.retrain.model_files import MODEL_FILES, write_model
from nni_emodarts.training.retrain.scoring import predictions, score_predictions


def retrain_fold(
    task: FoldTask,
    design: Design,
    folder: RunFolder,
    *,
    read_test: bool = True,
    overlap: Sequence[str] = (),
    progress: Progress = silent,
    report: Report | None = None,
    validate: bool = True,
    teacher: Teacher | None = None,
) -> JsonObject:
    """Train a network on one fold by the recipe, then read the test part once.

    Args:
        task: the fold to train on and to score.
        design: what to train.
        folder: where the run's files go.
        read_test: whether the test part is read at all; never where a tuner chooses by this trial's result.
        overlap: test speakers that the search saw, to mark the figures with.
        progress: called after each epoch.
        report: given the validation UAR after each epoch.
        validate: whether a validation figure is wanted where it decides nothing. Without one, a network that is to be
            refitted is trained once instead of twice, to the same weights.
        teacher: whose answers to the training and validation part are learnt from, too.

    Returns:
        What the folder's metrics.json holds; `val_uar` is None without validation.

    Raises:
        RunFolderError: another process writes to the folder, or it holds a run of other recordings.
    """
    with folder.held():
        watch = Stopwatch()
        task.note_corpus(folder)
        config, classes, fold = task.config, task.corpus.manifest.classes, task.fold
        what, epochs = f"retrain fold {fold.index} seed {task.seed}", config.retrain.epochs
        history: list[dict[str, float]] = []

        def on_epoch(row: dict[str, float]) -> None:
            history.append(row)
            # each time, so that it can be looked at while it runs
            folder.write_csv(HISTORY, marked(pd.DataFrame(history), config.tracks))
            figures = {"val_uar": row["val_uar"]} if "val_uar" in row else {}
            progress(what, len(history), epochs, **figures)
            if report is not None and figures:
                report(row["val_uar"])

        progress(what, 0, epochs)
        network = widen(design, config.retrain)
        task = task.hearing(design.levels, design.heard)
        validated = validate or config.retrain.needs_validation
        learnt = task if validated else task.without_validation()
        trained = train(learnt, network, on_epoch=on_epoch, teacher=teacher)
        val_uar = trained.val_uar if validated else None
        if val_uar is not None and len(history) < epochs:  # stopped early: nothing is left
            progress(what, len(history), len(history), val_uar=val_uar)
        metrics: JsonObject = {
            "val_uar": val_uar,
            "best_epoch": trained.best_epoch,
            "fold": fold.index,
            "seed": task.seed,
            "architecture": design.id,
            "parameters": sum(parameter.numel() for parameter in trained.model.parameters()),
            "classes": list(classes),
            **_encoders(config, design),
            **config.tracks,
        }
        if config.retrain.refit and validated:
            learnt = task.without_validation()
            trained = _refit(learnt, network, trained, teacher, progress)
        if overlap:
            metrics["overlap"] = list(overlap)
        if read_test:
            table = marked(predictions(learnt, trained, fold.test), config.tracks)
            folder.write_csv(PREDICTIONS, table)
            metrics |= score_predictions(table, classes)
        write_model(folder, task, design, trained)
        folder.write_json(METRICS, {**metrics, **digests_of(folder, [*MODEL_FILES, PREDICTIONS]), **watch.read()})
        return metrics


def _encoders(config: ExperimentConfig, design: Design) -> JsonObject:
    """Parameters of the pretrained encoders that a network hears, each up to its level; they are not the network's."""
    costs = encoder_costs(config.features.pretrained, design.levels, 1.0)
    return {"encoder_parameters": {cost.stream: cost.parameters for cost in costs}} if costs else {}


def _refit(task: FoldTask, network: Design, trained: Trained, teacher: Teacher | None, progress: Progress) -> Trained:
    """Train anew on training and validation part together, for as many epochs as validation chose."""
    epochs = trained.best_epoch
    on_epoch = counting(f"refit fold {task.fold.index} seed {task.seed}", epochs, progress)
    again = train(task, network, epochs=epochs, on_epoch=on_epoch, teacher=teacher)
    return replace(again, history=trained.history)
