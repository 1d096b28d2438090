"""Machines and regressions on functionals measured fold by fold, as `retrain` measures a network."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from nni_emodarts.benchmark.fitted import note_fitted
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.answer_tables import answer_table
from nni_emodarts.data.corpus import Corpus, cache_root
from nni_emodarts.data.features import FeatureStore, Functionals, fill_store
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.outputs import Outputs
from nni_emodarts.errors import BadRecordings
from nni_emodarts.metrics.tracks import Track
from nni_emodarts.models.baselines.probe_fitting import Heard
from nni_emodarts.models.baselines.rating import RIDGE, SUPPORT_VECTORS, Raters, choose_rating, fit_raters
from nni_emodarts.models.baselines.ridge import INNER_FOLDS, RIDGES, RidgeDesign
from nni_emodarts.models.baselines.svm import SVMS, SvmDesign
from nni_emodarts.models.baselines.svm_fitting import count_parameters, fit_svm
from nni_emodarts.runtime.environment import Stopwatch
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.training.retrain import score_predictions
from nni_emodarts.training.retrain.elsewhere import Elsewhere, joined

OnFunctionals = SvmDesign | RidgeDesign
"""What learns from functionals."""


def design_of(name: str) -> OnFunctionals:
    """What the method of a name fits to functionals."""
    return SVMS[name] if name in SVMS else RIDGES[name]


def prepare_functionals(
    config: ExperimentConfig, corpus: Corpus, feature_set: str, progress: Progress = silent
) -> FeatureStore:
    """The functionals of a corpus, beside its other features; only what the store does not hold yet is computed.

    Raises:
        ConfigError: openSMILE is not installed.
        BadRecordings: recordings that cannot be used.
    """
    extractor = Functionals(feature_set)
    store, reasons = fill_store(corpus.manifest, extractor, cache_root(config.data), config.data.workers, progress)
    if reasons:
        raise BadRecordings(reasons, len(corpus.manifest), "mend them")
    return store


def measure_on_functionals(
    task: FoldTask,
    design: OnFunctionals,
    folder: RunFolder,
    progress: Progress = silent,
    elsewhere: Elsewhere = Elsewhere(),  # noqa: B008 - it does not change
) -> JsonObject:
    """Fit an SVM on one fold, or a regression of each dimension, and read the test part once.

    It learns from train and validation speakers together; validation figures are those of others that were fitted on
    the train part only. Nothing is chosen for support vectors; the penalty of a ridge regression is chosen by the CCC
    of inner folds of the speakers that it learns from, each time anew. Nothing is random, so that all seeds give the
    same predictions. The extraction of features counts as little here as it does for a network.

    Args:
        task: the fold; the corpus's maps are not read, and the seed labels the predictions alone.
        design: which machine, or regression.
        folder: where the run's files go.
        progress: called as features are computed.
        elsewhere: corpora that it is scored on besides.

    Returns:
        What the folder's metrics.json holds.
    """
    with folder.held():
        task.note_corpus(folder)
        corpus, fold = task.corpus, task.fold
        store = prepare_functionals(task.config, corpus, design.feature_set, progress)
        watch = Stopwatch()
        validated = _fit(task, design, store, fold.train).answer(_features(store, fold.validation))
        test, fitted = np.sort(fold.test), _fit(task, design, store, np.union1d(fold.train, fold.validation))
        table = _answers(task, fitted, store, test)
        undecided = _answers(task, fitted, store, fold.undecided) if len(fold.undecided) else None
        figures = task.truth(fold.validation).figures(validated)
        metrics = {
            **{f"val_{name}": value for name, value in figures.items()},
            "best_epoch": None,
            "fold": fold.index,
            "seed": task.seed,
            "architecture": design.id,
            "parameters": fitted.parameters,
            "classes": list(corpus.manifest.classes),
            **Track(speaker_dependent=task.config.speaker_dependent, task=task.config.data.task).to_dict(),
            **({} if fitted.strength is None else {"strength": fitted.strength}),
            **score_predictions(table, corpus.manifest.classes, undecided),
        }
        if elsewhere.corpora:
            tables = {name: _elsewhere(task, fitted, design, other) for name, other in elsewhere.corpora}
            metrics |= elsewhere.note(task, joined(tables), folder, {})
        note_fitted(folder, task.config, (table, undecided), metrics, watch)
        return metrics


@dataclass(frozen=True)
class _Machines:
    """What tells classes apart, and what rates dimensions; either may be absent.

    Attributes:
        outputs: what answers mean.
        svm: of the classes.
        raters: of the dimensions.
        strength: of the regularisation of the raters, where it was chosen.
    """

    outputs: Outputs
    svm: Pipeline | None
    raters: Raters | None
    strength: float | None = None

    def answer(self, features: np.ndarray) -> np.ndarray:
        """Features (n, F) -> answers (n, K + D), with 1 for the class that is named."""
        parts = []
        if self.svm is not None:
            parts.append(np.eye(self.outputs.num_classes)[self.svm.predict(features)])
        if self.raters is not None:
            parts.append(self.outputs.from_unit(self.raters.rate(features)))
        return np.concatenate(parts, 1)

    @property
    def parameters(self) -> int:
        """Weights and offsets."""
        told = 0 if self.svm is None else count_parameters(self.svm)
        return told + (0 if self.raters is None else self.raters.parameters)


def _fit(task: FoldTask, design: OnFunctionals, store: FeatureStore, learnt: np.ndarray) -> _Machines:
    outputs, svm = task.outputs, None
    if isinstance(design, RidgeDesign):
        return _fit_ridge(task, store, learnt)
    if outputs.classes:
        decided = task.corpus.manifest.decided(learnt)
        svm = fit_svm(design, _features(store, decided), task.labels(decided))
    if not outputs.dimensions:
        return _Machines(outputs, svm, None)
    heard, rows, places = _to_rate(task, store, learnt)
    return _Machines(outputs, svm, fit_raters(SUPPORT_VECTORS, heard, rows, places, design.complexity))


def _fit_ridge(task: FoldTask, store: FeatureStore, learnt: np.ndarray) -> _Machines:
    heard, rows, places = _to_rate(task, store, learnt)
    strength = choose_rating(RIDGE, [heard], places, task.voices.numbers[learnt], INNER_FOLDS).strength
    return _Machines(task.outputs, None, fit_raters(RIDGE, heard, rows, places, strength), strength)


def _to_rate(task: FoldTask, store: FeatureStore, learnt: np.ndarray) -> tuple[Heard, np.ndarray, np.ndarray]:
    """Features of what is learnt from, the number of each utterance in them, and its places in the dimensions."""
    places = task.outputs.to_unit(task.corpus.manifest.values[learnt])
    return Heard.once(_features(store, learnt)), np.arange(len(learnt)), places


def _answers(task: FoldTask, fitted: _Machines, store: FeatureStore, rows: np.ndarray) -> pd.DataFrame:
    answers = replace(fitted, outputs=task.outputs).answer(_features(store, rows))
    return answer_table(task, rows, answers, probabilities=False)


def _elsewhere(task: FoldTask, fitted: _Machines, design: OnFunctionals, other: Corpus) -> pd.DataFrame:
    """Answers to all of another corpus; the machine scales features by itself."""
    own = task.elsewhere(other)
    return _answers(own, fitted, prepare_functionals(task.config, other, design.feature_set), own.fold.test)


def _features(store: FeatureStore, rows: np.ndarray) -> np.ndarray:
    """Functionals (n, D) of rows."""
    return np.stack([store[row][:, 0] for row in rows])
