"""A support vector machine measured fold by fold, as `retrain` measures a network."""

import numpy as np

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus, cache_root
from nni_emodarts.data.features import FeatureStore, Functionals, fill_store
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import BadRecordings
from nni_emodarts.metrics.scores import uar
from nni_emodarts.metrics.tracks import Track
from nni_emodarts.models.baselines.svm import SvmDesign
from nni_emodarts.models.baselines.svm_fitting import count_parameters, fit_svm
from nni_emodarts.runtime.digests import digests_of
from nni_emodarts.runtime.environment import Stopwatch, describe_environment
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import CONFIG, ENVIRONMENT, METRICS, PREDICTIONS, RunFolder
from nni_emodarts.training.retrain import describe_rows, score_predictions


def prepare_functionals(
    config: ExperimentConfig, corpus: Corpus, design: SvmDesign, progress: Progress = silent
) -> FeatureStore:
    """The functionals of a corpus, beside its other features; only what the store does not hold yet is computed.

    Raises:
        ConfigError: openSMILE is not installed.
        BadRecordings: recordings that cannot be used.
    """
    extractor = Functionals(design.feature_set)
    store, reasons = fill_store(corpus.manifest, extractor, cache_root(config.data), config.data.workers, progress)
    if reasons:
        raise BadRecordings(reasons, len(corpus.manifest), "mend them")
    return store


def measure_svm(task: FoldTask, design: SvmDesign, folder: RunFolder, progress: Progress = silent) -> JsonObject:
    """Fit an SVM on one fold and read the test part once.

    As nothing is chosen, it learns from train and validation speakers together; `val_uar` is that of another
    one that was fitted on the train part only. Nothing is random, so that all seeds give the same predictions. The
    extraction of features counts as little here as it does for a network.

    Args:
        task: the fold; the corpus's maps are not read, and the seed labels the predictions alone.
        design: which SVM.
        folder: where the run's files go.
        progress: called as features are computed.

    Returns:
        What the folder's metrics.json holds.
    """
    with folder.held():
        task.note_corpus(folder)
        corpus, fold = task.corpus, task.fold
        store = prepare_functionals(task.config, corpus, design, progress)
        watch = Stopwatch()
        labels = corpus.manifest.labels

        def predict(learnt: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, int]:
            fitted = fit_svm(design, _features(store, learnt), labels[learnt])
            return fitted.predict(_features(store, rows)), count_parameters(fitted)

        validated, _ = predict(fold.train, fold.validation)
        test = np.sort(fold.test)
        predicted, parameters = predict(np.union1d(fold.train, fold.validation), test)
        table = describe_rows(task, test)
        table["predicted"] = np.array(corpus.manifest.classes)[predicted]
        metrics = {
            "val_uar": uar(labels[fold.validation], validated, corpus.num_classes),
            "best_epoch": None,
            "fold": fold.index,
            "seed": task.seed,
            "architecture": design.id,
            "parameters": parameters,
            "classes": list(corpus.manifest.classes),
            **Track().to_dict(),
            **score_predictions(table, corpus.manifest.classes),
        }
        folder.write_text(CONFIG, task.config.to_yaml())
        folder.write_csv(PREDICTIONS, table)
        folder.write_json(ENVIRONMENT, describe_environment("cpu", 1))
        folder.write_json(METRICS, {**metrics, **digests_of(folder, [PREDICTIONS]), **watch.read()})
        return metrics


def _features(store: FeatureStore, rows: np.ndarray) -> np.ndarray:
    """Functionals (n, D) of rows."""
    return np.stack([store[row][:, 0] for row in rows])
