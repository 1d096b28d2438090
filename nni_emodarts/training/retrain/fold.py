"""One fold with one seed: train by the recipe, read the test part once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.front_ends.costs import encoder_costs
from nni_emodarts.data.outputs import DIMENSIONS_KEY
from nni_emodarts.metrics.tracks import marked
from nni_emodarts.runtime.digests import digests_of
from nni_emodarts.runtime.environment import Stopwatch
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.progress import Progress, Report, silent
from nni_emodarts.runtime.run_folder import HISTORY, METRICS, PREDICTIONS, UNDECIDED, RunFolder
from nni_emodarts.training.distillation import Teacher
from nni_emodarts.training.retrain.designs import Design, widen
from nni_emodarts.training.retrain.elsewhere import Elsewhere
from nni_emodarts.training.retrain.fitting import Trained, train
from nni_emodarts.training.retrain.keeping import counting
from nni_emodarts.training.retrain.model_files import MODEL_FILES, write_model
from nni_emodarts.training.retrain.scoring import note_answers, predictions, score_predictions


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
    elsewhere: Elsewhere = Elsewhere(),  # noqa: B008 - it does not change
) -> JsonObject:
    """Train a network on one fold by the recipe, then read the test part once.

    Args:
        task: the fold to train on and to score.
        design: what to train.
        folder: where the run's files go.
        read_test: whether the test part is read at all; never where a tuner chooses by this trial's result.
        overlap: test speakers that the search saw, to mark the figures with.
        progress: called after each epoch.
        report: given the validation figure that chooses after each epoch.
        validate: whether a validation figure is wanted where it decides nothing. Without one, a network that is to be
            refitted is trained once instead of twice, to the same weights.
        teacher: whose answers to the training and validation part are learnt from, too.
        elsewhere: corpora that it is scored on besides.

    Returns:
        What the folder's metrics.json holds; `val_uar`, or what chooses in its place, is None without validation.

    Raises:
        RunFolderError: another process writes to the folder, or it holds a run of other recordings.
    """
    with folder.held():
        watch = Stopwatch()
        task.note_corpus(folder)
        config = task.config
        network, heard = widen(design, config.retrain), task.hearing(design.levels, design.heard)
        fit = _Fit(heard, network, teacher, validate or config.retrain.needs_validation)
        learnt, trained = fit.first(_Shown(heard, folder, progress, report))
        metrics = _described(heard, design, trained, fit.validated)
        if config.retrain.refit and fit.validated:
            learnt, trained = fit.again(trained, progress)
        if overlap:
            metrics["overlap"] = list(overlap)
        if read_test:
            metrics |= _read_test(learnt, trained, folder)
            metrics |= elsewhere.measure(learnt, design, trained, folder)
        write_model(folder, heard, design, trained)
        folder.write_json(
            METRICS, {**metrics, **digests_of(folder, [*MODEL_FILES, PREDICTIONS, UNDECIDED]), **watch.read()}
        )
        return metrics


def _read_test(task: FoldTask, trained: Trained, folder: RunFolder) -> JsonObject:
    """Write what a network answers to the test part, and return its figures."""
    fold, tracks = task.fold, task.config.tracks
    table, undecided = marked(predictions(task, trained, fold.test), tracks), None
    if len(fold.undecided):
        undecided = marked(predictions(task, trained, fold.undecided), tracks)
    note_answers(folder, table, undecided)
    return score_predictions(table, task.corpus.manifest.classes, undecided)


class _Shown:
    """Keeps and shows the history of a training while it runs."""

    def __init__(self, task: FoldTask, folder: RunFolder, progress: Progress, report: Report | None) -> None:
        self._task, self._folder, self._progress, self._report = task, folder, progress, report
        self._what = f"retrain fold {task.fold.index} seed {task.seed}"
        self._history: list[dict[str, float]] = []
        progress(self._what, 0, task.config.retrain.epochs)

    def __call__(self, row: dict[str, float]) -> None:
        """One epoch more."""
        self._history.append(row)
        # each time, so that it can be looked at while it runs
        self._folder.write_csv(HISTORY, marked(pd.DataFrame(self._history), self._task.config.tracks))
        key = self._task.headline.val
        figures = {key: row[key]} if key in row else {}
        self._progress(self._what, len(self._history), self._task.config.retrain.epochs, **figures)
        if self._report is not None and figures:
            self._report(row[key])

    def over(self, score: float) -> None:
        """The training is over, be it that it was stopped early, so that nothing is left."""
        if len(self._history) < self._task.config.retrain.epochs:
            self._progress(self._what, len(self._history), len(self._history), **{self._task.headline.val: score})


@dataclass(frozen=True)
class _Fit:
    """How a network of a fold is trained.

    Attributes:
        task: the fold.
        network: what is trained, at its width.
        teacher: whose answers are learnt from, too.
        validated: whether validation has a say, or a figure of it is wanted.
    """

    task: FoldTask
    network: Design
    teacher: Teacher | None
    validated: bool

    def first(self, shown: _Shown) -> tuple[FoldTask, Trained]:
        """What was learnt from, and the network."""
        learnt = self.task if self.validated else self.task.without_validation()
        trained = train(learnt, self.network, on_epoch=shown, teacher=self.teacher)
        if self.validated:
            shown.over(trained.score)
        return learnt, trained

    def again(self, trained: Trained, progress: Progress) -> tuple[FoldTask, Trained]:
        """Train anew on training and validation part together, for as many epochs as validation chose."""
        learnt, epochs = self.task.without_validation(), trained.best_epoch
        on_epoch = counting(f"refit fold {learnt.fold.index} seed {learnt.seed}", epochs, progress)
        again = train(learnt, self.network, epochs=epochs, on_epoch=on_epoch, teacher=self.teacher)
        return learnt, replace(again, history=trained.history)


def _described(task: FoldTask, design: Design, trained: Trained, validated: bool) -> JsonObject:
    """What a network's metrics.json begins with."""
    return {
        **(trained.validation if validated else {task.headline.val: None}),
        "best_epoch": trained.best_epoch,
        "fold": task.fold.index,
        "seed": task.seed,
        "architecture": design.id,
        "parameters": sum(parameter.numel() for parameter in trained.model.parameters()),
        "classes": list(task.corpus.manifest.classes),
        **rated(task),
        **_encoders(task.config, design),
        **task.config.tracks,
    }


def rated(task: FoldTask) -> JsonObject:
    """What a network's metrics.json says of the dimensions that it answers in; nothing where there are none."""
    return {DIMENSIONS_KEY: task.outputs.to_dict()} if task.outputs.dimensions else {}


def _encoders(config: ExperimentConfig, design: Design) -> JsonObject:
    """Parameters of the pretrained encoders that a network hears, each up to its level; they are not the network's."""
    costs = encoder_costs(config.features.pretrained, design.levels, 1.0)
    return {"encoder_parameters": {cost.stream: cost.parameters for cost in costs}} if costs else {}
