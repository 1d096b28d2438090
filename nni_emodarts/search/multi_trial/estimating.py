"""How candidates are measured: by one training, or on several splits of the training speakers, by several seeds."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nni_emodarts.config.estimate import EstimateConfig
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import RunFolderError
from nni_emodarts.metrics.headline import headline_of, validation_keys
from nni_emodarts.metrics.logits import encode_logits, encode_rows, encode_values
from nni_emodarts.metrics.tracks import marked
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.environment import Stopwatch
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject
from nni_emodarts.runtime.progress import Report
from nni_emodarts.runtime.run_folder import FAILURE, HISTORY, METRICS, REMEDY, REPLICATES, RunFolder
from nni_emodarts.search.multi_trial.evaluation import candidate_epochs, evaluate_candidate, train_candidate
from nni_emodarts.search.multi_trial.replicates import Estimate, Replicate, estimate, replicate_tasks
from nni_emodarts.training.retrain import Trained
from nni_emodarts.training.retrain.scoring import answers_to

_SPENT = ("seconds", "cpu_seconds")
_ANSWERS = ("rows", "logits", "values")
"""Of a replicate, what is too much for the figures of a candidate."""


class Once:
    """Measures the candidates of one search, each by one training that the fold's own validation part measures."""

    how = None
    first = most = 1

    def __init__(self, task: FoldTask) -> None:
        """Set the fold that is searched on."""
        self._task = task

    def measure(
        self, architecture: Architecture, folder: RunFolder, replicates: int | None = None, report: Report | None = None
    ) -> Estimate:
        """Train a candidate unless its folder holds its figure; the test part is never read.

        Args:
            architecture: the candidate.
            folder: where its figures go.
            replicates: one.
            report: given the validation figure after each epoch.
        """
        epochs = candidate_epochs(self._task.config)
        return _once(evaluate_candidate(self._task, architecture, folder, epochs, report))

    def held(self, folder: RunFolder, replicates: int | None = None) -> Estimate | None:
        """What a candidate's folder knows of it; None where it was not trained."""
        return _once(folder.read_json(METRICS)) if folder.has(METRICS) else None


def _once(metrics: JsonMapping) -> Estimate:
    found = {key: float(metrics[key]) for key in validation_keys([metrics])}
    return Estimate((found[headline_of(metrics).val],), found)


class Estimator:
    """Measures the candidates of one search, each by the same replicates."""

    def __init__(self, task: FoldTask, how: EstimateConfig) -> None:
        """Divide the training speakers.

        Args:
            task: the fold that is searched on.
            how: how candidates are measured.

        Raises:
            ProtocolError: the fold has fewer training speakers than splits.
        """
        self.how = how
        self._task = task
        self._tasks = replicate_tasks(task, how)

    @property
    def first(self) -> int:
        """Replicates of a candidate that nothing is known of yet."""
        return 1 if self.how.halving else self.most

    @property
    def most(self) -> int:
        """Replicates of a candidate, at most."""
        return self.how.replicates

    def measure(
        self, architecture: Architecture, folder: RunFolder, replicates: int | None = None, report: Report | None = None
    ) -> Estimate:
        """Train a candidate on those of its replicates that its folder lacks; the test part is never read.

        Each replicate is kept as soon as it is there. Of a training that fails the folder holds what it cost.

        Args:
            architecture: the candidate.
            folder: where its figures go.
            replicates: how many are wanted; `first` where absent.
            report: given the mean validation figure so far after each replicate.
        """
        replicates = self.first if replicates is None else replicates
        with folder.held():
            held = read_replicates(folder)
            for number in range(len(held), replicates):
                held.append(self._train(architecture, folder, number))
                folder.write_json(REPLICATES, {"replicates": [each.to_data() for each in held]})
                if report is not None:
                    report(float(np.mean([each.score for each in held])))
            found = self.estimate(held[:replicates])
            self._describe(architecture, folder, held, self.estimate(held))
        return found

    def held(self, folder: RunFolder, replicates: int | None = None) -> Estimate | None:
        """What a candidate's folder knows of it by so many replicates, or by all; None where it has fewer, or none."""
        held = read_replicates(folder)
        return self.estimate(held[:replicates]) if len(held) >= (replicates or 1) else None

    def estimate(self, replicates: Sequence[Replicate]) -> Estimate:
        """What replicates say."""
        return estimate(replicates, self._task.corpus.manifest.labels, self.how)

    def _train(self, architecture: Architecture, folder: RunFolder, number: int) -> Replicate:
        watch, task = Stopwatch(), self._tasks[number]
        try:
            heard, trained = train_candidate(task, architecture, candidate_epochs(task.config))
            rows = np.sort(task.fold.validation)
            answers = answers_to(heard, trained, rows)
        except Exception:
            folder.write_json(FAILURE, watch.read())
            raise
        self._note_history(folder, trained, number)
        known: JsonObject = {} if self.how.folds == 1 else {"inner": number % self.how.folds}
        told, rated = answers[:, : task.corpus.num_classes], answers[:, task.corpus.num_classes :]
        return Replicate.from_data(
            {
                **known,
                "seed": task.seed,
                **trained.validation,
                "best_epoch": trained.best_epoch,
                "rows": encode_rows(rows),
                **({"logits": encode_logits(told)} if told.shape[1] else {}),
                **({"values": encode_values(rated)} if rated.shape[1] else {}),
                "parameters": sum(parameter.numel() for parameter in trained.model.parameters()),
                **watch.read(),
            }
        )

    def _note_history(self, folder: RunFolder, trained: Trained, number: int) -> None:
        table = pd.DataFrame(trained.history).assign(replicate=number)
        before = folder.read_csv(HISTORY) if folder.has(HISTORY) else pd.DataFrame()
        if not before.empty:  # of a run that was killed in between it may hold this replicate already
            before = before[before["replicate"] < number]
        joined = pd.concat([before, marked(table, self._task.config.tracks)], ignore_index=True)
        folder.write_csv(HISTORY, joined)

    def _describe(
        self, architecture: Architecture, folder: RunFolder, held: Sequence[Replicate], found: Estimate
    ) -> None:
        config = self._task.config
        shown = [
            {**each.to_data(), "figure": figure} for each, figure in zip(held, found.figures, strict=True)
        ]  # fmt: skip
        metrics = {
            **found.described(),
            "epochs": candidate_epochs(config),
            "fold": self._task.fold.index,
            "seed": self._task.seed,
            "architecture": architecture.id,
            "choices": architecture.sample(),
            "parameters": held[0].parameters,
            **config.tracks,
            "replicates": [{key: row[key] for key in row if key not in _ANSWERS} for row in shown],
            **{name: round(sum(getattr(each, name) for each in held), 3) for name in _SPENT},
        }
        folder.write_json(METRICS, metrics)


Measures = Once | Estimator


def measures(task: FoldTask) -> Measures:
    """How the candidates of a search are measured.

    Raises:
        ProtocolError: the fold has fewer training speakers than `search.estimate` wants splits.
    """
    how = task.config.search.estimate
    return Once(task) if how is None else Estimator(task, how)


def read_replicates(folder: RunFolder) -> list[Replicate]:
    """The replicates in a candidate's folder.

    Raises:
        RunFolderError: they cannot be read.
    """
    if not folder.has(REPLICATES):
        return []
    try:
        return [Replicate.from_data(each) for each in folder.read_json(REPLICATES)["replicates"]]
    except (KeyError, TypeError, ValueError) as error:
        raise RunFolderError(
            f"run folder {folder.path}: {REPLICATES} holds no replicates ({error}); {REMEDY}"
        ) from None
