"""One candidate: trained by the retrain recipe for fewer epochs, measured on the validation part alone."""

import pandas as pd

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.config.strategy_options import TrialOptions
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.metrics.tracks import marked
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.environment import Stopwatch
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.progress import Report
from nni_emodarts.runtime.run_folder import FAILURE, HISTORY, METRICS, RunFolder
from nni_emodarts.training.retrain import Trained, train
from nni_emodarts.training.retrain.keeping import OnEpoch

_SHARE = 3  # a candidate has a third of the retrain recipe's epochs, where nothing is said


def candidate_epochs(config: ExperimentConfig) -> int:
    """Epochs that each candidate is trained for."""
    options = config.search.strategy_options()
    given = options.epochs if isinstance(options, TrialOptions) else None
    return given or max(1, config.retrain.epochs // _SHARE)


def evaluate_candidate(
    task: FoldTask, architecture: Architecture, folder: RunFolder, epochs: int, report: Report | None = None
) -> JsonObject:
    """Train a candidate on a fold's training part; the test part's recordings are never read.

    A candidate whose folder holds its figures is not trained again. Of one that fails the folder holds what it cost.

    Args:
        task: the fold to train on.
        architecture: the candidate.
        folder: where its figures go.
        epochs: epochs that it is trained for.
        report: given the validation figure after each epoch.

    Returns:
        What the folder's metrics.json holds: `val_uar`, or `val_ccc` and so on, of the epoch that is kept, parameters,
        seconds.
    """
    with folder.held():
        if folder.has(METRICS):
            return folder.read_json(METRICS)
        return _train(task, architecture, folder, epochs, report)


def _train(
    task: FoldTask, architecture: Architecture, folder: RunFolder, epochs: int, report: Report | None
) -> JsonObject:
    watch = Stopwatch()

    def on_epoch(row: dict[str, float]) -> None:
        if report is not None:
            report(row[task.headline.val])

    try:
        _, trained = train_candidate(task, architecture, epochs, on_epoch)
    except Exception:
        folder.write_json(FAILURE, watch.read())
        raise
    metrics: JsonObject = {
        **trained.validation,
        "best_epoch": trained.best_epoch,
        "epochs": epochs,
        "fold": task.fold.index,
        "seed": task.seed,
        "architecture": architecture.id,
        "choices": architecture.sample(),
        "parameters": sum(parameter.numel() for parameter in trained.model.parameters()),
        **task.config.tracks,
    }
    folder.write_csv(HISTORY, marked(pd.DataFrame(trained.history), task.config.tracks))
    metrics |= watch.read()
    folder.write_json(METRICS, metrics)
    return metrics


def train_candidate(
    task: FoldTask, architecture: Architecture, epochs: int, on_epoch: OnEpoch = lambda row: None
) -> tuple[FoldTask, Trained]:
    """Train a candidate by the retrain recipe for so many epochs: what it was trained on, and the network."""
    heard = task.under(_shortened(task.config, epochs)).hearing(architecture.levels, architecture.heard)
    return heard, train(heard, architecture, on_epoch=on_epoch)


def _shortened(config: ExperimentConfig, epochs: int) -> ExperimentConfig:
    """The configuration with fewer epochs, so that the whole of the learning rate's schedule fits into them."""
    recipe = config.retrain.model_copy(update={"epochs": epochs})
    return config.model_copy(update={"retrain": recipe})
