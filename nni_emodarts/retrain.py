"""The retrain phase: an architecture, trained from scratch and measured fold by fold."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from safetensors.torch import save
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from nni_emodarts.architecture import Architecture
from nni_emodarts.baselines import Baseline, build_baseline
from nni_emodarts.config import ExperimentConfig, RetrainConfig
from nni_emodarts.data import Augment, Both, Perturbation, SpecAugment, evaluation_loader, training_loader
from nni_emodarts.environment import Stopwatch, describe_environment
from nni_emodarts.errors import ArchitectureError, OverlapError, RunFolderError
from nni_emodarts.features import Normalizer
from nni_emodarts.metrics import pool as pool_predictions
from nni_emodarts.metrics import pooled_table, scores, uar
from nni_emodarts.overlap import Overlap, find_overlap
from nni_emodarts.preparation import Corpus, note_skipped
from nni_emodarts.progress import Progress, Report, silent
from nni_emodarts.protocols import Fold
from nni_emodarts.run_folder import (
    ARCHITECTURE,
    CONFIG,
    ENVIRONMENT,
    FINAL,
    GRAPH,
    HISTORY,
    METRICS,
    NORMALIZATION,
    PREDICTIONS,
    WEIGHTS,
    RunFolder,
    refuse_other_settings,
)  # fmt: skip
from nni_emodarts.space import build_model, set_drop_path
from nni_emodarts.training.graph import onnx_graph
from nni_emodarts.training.task import make_task, predict
from nni_emodarts.training.trainer import make_trainer, pick_device, quiet

Validate = Callable[[nn.Module], tuple[float, float]]
Design = Architecture | Baseline
"""What the recipe trains: a network of the space, or one designed by hand."""


@dataclass(frozen=True)
class Trained:
    """A trained network.

    Attributes:
        model: the network, with the weights of the epoch that is kept.
        normalizer: fitted on its training speakers.
        best_epoch: number of epochs of the weights that are kept: the best on validation, or all of them.
        history: a row for each epoch.
    """

    model: nn.Module
    normalizer: Normalizer
    best_epoch: int
    history: list[dict[str, float]]

    @property
    def val_uar(self) -> float:
        """Validation UAR of the epoch that is kept."""
        return self.history[self.best_epoch - 1]["val_uar"]


class EpochKeeper(pl.Callback):
    """Sets drop path, averages weights, validates each epoch, keeps an epoch's weights, stops when patience ends."""

    def __init__(
        self, recipe: RetrainConfig, validate: Validate | None, on_epoch: Callable[[int, float | None], None]
    ) -> None:
        self._recipe = recipe
        self._validate = validate
        self._on_epoch = on_epoch
        self._average: AveragedModel | None = None
        self._best = (-np.inf, -np.inf)
        self._risen = 0
        self.best_epoch = 0
        self.kept_weights: dict[str, torch.Tensor] = {}
        self.history: list[dict[str, float]] = []

    def on_fit_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Start the moving average of the weights (Polyak & Juditsky 1992), on the network's device."""
        if self._recipe.averaging:
            decay = get_ema_multi_avg_fn(self._recipe.averaging)
            self._average = AveragedModel(pl_module.model, multi_avg_fn=decay, use_buffers=True)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Drop path rises linearly over training (Larsson et al. 2017, as in DARTS)."""
        share = trainer.current_epoch / max(self._recipe.epochs - 1, 1)
        set_drop_path(pl_module.model, self._recipe.drop_path * share)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *args: Any) -> None:
        """Follow the weights."""
        if self._average is not None:
            self._average.update_parameters(pl_module.model)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Validate, and keep the weights when they are the best so far; the loss decides between equal UARs."""
        epoch = trainer.current_epoch + 1
        network = pl_module.model if self._average is None else self._average.module
        if self._validate is None:
            self.history.append({"epoch": epoch})
            self._keep(epoch, network)
            self._on_epoch(epoch, None)
            return
        val_uar, val_loss = self._validate(network)
        self.history.append({"epoch": epoch, "val_uar": val_uar, "val_loss": val_loss})
        if val_uar > self._best[0]:
            self._risen = epoch
        if (val_uar, -val_loss) > self._best:
            self._best = (val_uar, -val_loss)
            self._keep(epoch, network)
        elif self._recipe.keep == "last":
            self._keep(epoch, network)
        self._on_epoch(epoch, val_uar)
        patience = self._recipe.patience
        if patience is not None and epoch - self._risen >= patience:
            trainer.should_stop = True

    def _keep(self, epoch: int, network: nn.Module) -> None:
        self.best_epoch, self.kept_weights = epoch, copy.deepcopy(network.state_dict())


def train(
    config: ExperimentConfig,
    corpus: Corpus,
    design: Design,
    train_rows: np.ndarray,
    validation_rows: np.ndarray | None,
    seed: int,
    epochs: int | None = None,
    on_epoch: Callable[[int, float | None], None] = lambda epoch, val_uar: None,
) -> Trained:
    """Train a network from scratch by the retrain recipe.

    Args:
        config: the whole configuration; the recipe is its `retrain` section.
        corpus: manifest and features.
        design: what to train.
        train_rows: the manifest's rows to train on; normalisation and class weights come from them alone.
        validation_rows: the rows that choose the epoch, or None to take the last.
        seed: seed of everything random.
        epochs: stop after so many epochs of the recipe's schedule.
        on_epoch: given the epoch's number and its validation UAR.
    """
    recipe = config.retrain
    device = pick_device(config.device)
    pl.seed_everything(seed, verbose=False)
    normalizer = Normalizer.fit(corpus.store, train_rows)
    utterances = corpus.utterances(train_rows, normalizer, make_augment(recipe, corpus.frequency_bins))
    loader = training_loader(utterances, corpus.frequency_bins, recipe.batch_size, seed, recipe.epoch_steps)
    task = make_task(
        recipe.optimizer,
        corpus.manifest.labels[train_rows],
        corpus.num_classes,
        recipe.epochs,
        len(loader),
        recipe.class_weights,
        label_smoothing=recipe.label_smoothing,
        focal=recipe.focal,
        mixup=recipe.mixup,
    )
    model = build_network(design, corpus.num_classes, corpus.input_shape)
    task.set_model(model)
    validate = None if validation_rows is None else _validator(config, corpus, normalizer, validation_rows, device)
    keeper = EpochKeeper(recipe, validate, on_epoch)
    with quiet():
        trainer = make_trainer(device, epochs or recipe.epochs, [keeper], recipe.optimizer.gradient_clip)
        trainer.fit(task, loader)
    model.load_state_dict(keeper.kept_weights)
    return Trained(model.to(device).eval(), normalizer, keeper.best_epoch, keeper.history)


def make_augment(recipe: RetrainConfig, frequency_bins: int) -> Augment:
    """What the recipe does to the features of a training utterance."""
    return Both(
        Perturbation(frequency_bins, **recipe.perturbation.model_dump()),
        SpecAugment(frequency_bins, **recipe.spec_augment.model_dump()),
    )


def widen(design: Design, recipe: RetrainConfig) -> Design:
    """The design at the recipe's width; a hand-designed network has its own."""
    return design.widened(recipe.width) if isinstance(design, Architecture) else design


def build_network(design: Design, num_classes: int, input_shape: tuple[int, int]) -> nn.Module:
    """A design's network, newly initialised: model(maps (N, C, F, T), lengths (N,)) -> logits (N, K)."""
    build = build_baseline if isinstance(design, Baseline) else build_model
    return build(design, num_classes, input_shape)  # type: ignore[arg-type]  # each gets its own kind


def _validator(
    config: ExperimentConfig, corpus: Corpus, normalizer: Normalizer, rows: np.ndarray, device: torch.device
) -> Validate:
    loader = evaluation_loader(corpus.utterances(rows, normalizer), corpus.frequency_bins, config.retrain.batch_size)
    true = corpus.manifest.labels[np.sort(rows)]

    def validate(model: nn.Module) -> tuple[float, float]:
        probabilities = predict(model, loader, device, len(true))
        loss = -np.log(np.maximum(probabilities[np.arange(len(true)), true], 1e-12)).mean()
        return uar(true, probabilities.argmax(1), corpus.num_classes), float(loss)

    return validate


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

    Returns:
        What the folder's metrics.json holds.
    """
    watch = Stopwatch()
    note_skipped(corpus, config.data.bad_audio, folder)

    def on_epoch(epoch: int, val_uar: float | None) -> None:
        if val_uar is not None:
            progress(f"retrain fold {fold.index} seed {seed}", epoch, config.retrain.epochs, val_uar=val_uar)
            if report is not None:
                report(val_uar)

    network = widen(design, config.retrain)
    trained = train(config, corpus, network, fold.train, fold.validation, seed, on_epoch=on_epoch)
    metrics: dict[str, Any] = {
        "val_uar": trained.val_uar,
        "best_epoch": trained.best_epoch,
        "fold": fold.index,
        "seed": seed,
        "architecture": design.id,
        "parameters": sum(parameter.numel() for parameter in trained.model.parameters()),
        "classes": list(corpus.manifest.classes),
    }
    if config.retrain.refit:
        both = np.concatenate([fold.train, fold.validation])
        again = train(config, corpus, network, both, None, seed, trained.best_epoch)
        trained = replace(again, history=trained.history)
    if overlap is not None and overlap.speakers:
        metrics["overlap"] = list(overlap.speakers)
    if read_test:
        table = predictions(config, corpus, trained, fold.test, fold.index, seed)
        folder.write_csv(PREDICTIONS, table)
        metrics |= score_predictions(table, corpus.manifest.classes)
    write_model(folder, config, corpus, network, trained)
    folder.write_json(METRICS, {**metrics, **watch.read()})
    return metrics


def predictions(
    config: ExperimentConfig, corpus: Corpus, trained: Trained, rows: np.ndarray, fold: int, seed: int
) -> pd.DataFrame:
    """A trained network's probabilities for rows of the manifest, as a table."""
    rows = np.sort(rows)
    device = next(trained.model.parameters()).device
    loader = evaluation_loader(
        corpus.utterances(rows, trained.normalizer), corpus.frequency_bins, config.retrain.batch_size
    )
    probabilities = predict(trained.model, loader, device, len(rows))
    classes = np.array(corpus.manifest.classes)
    table = describe_rows(corpus, rows, fold, seed)
    table["predicted"] = classes[probabilities.argmax(1)]
    for number, name in enumerate(classes):
        table[f"p_{name}"] = probabilities[:, number]
    return table


def describe_rows(corpus: Corpus, rows: np.ndarray, fold: int, seed: int) -> pd.DataFrame:
    """Rows of the manifest as the first columns of a table of predictions."""
    known = corpus.manifest.table.iloc[rows]
    return pd.DataFrame(
        {
            "fold": fold,
            "seed": seed,
            "file": np.array(corpus.manifest.names)[rows],
            "speaker": known["speaker"].to_numpy(),
            "emotion": known["emotion"].to_numpy(),
        }
    )


def score_predictions(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """Figures of a table of predictions, each called `test_*` but recall and confusion."""
    number = {name: position for position, name in enumerate(classes)}
    found = scores(table["emotion"].map(number).to_numpy(), table["predicted"].map(number).to_numpy(), classes)
    return {
        "test_uar": found["uar"],
        "test_wa": found["wa"],
        "test_macro_f1": found["macro_f1"],
        "recall": found["recall"],
        "confusion": found["confusion"],
        "test_utterances": found["n"],
    }


def write_model(folder: RunFolder, config: ExperimentConfig, corpus: Corpus, design: Design, trained: Trained) -> None:
    """Write what is needed to use a network, and what it was made with."""
    folder.write_text(CONFIG, config.to_yaml())
    if isinstance(design, Architecture):
        folder.write_json(ARCHITECTURE, design.to_dict())
    folder.write_json(NORMALIZATION, trained.normalizer.to_dict())
    folder.write_csv(HISTORY, pd.DataFrame(trained.history))
    device = next(trained.model.parameters()).device
    folder.write_json(ENVIRONMENT, describe_environment(str(device), torch.get_num_threads()))
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in trained.model.state_dict().items()}
    folder.write_bytes(WEIGHTS, save(weights, {"labels": "\t".join(corpus.manifest.classes)}))
    folder.write_bytes(GRAPH, onnx_graph(trained.model, corpus.input_shape))


def retrain(
    config: ExperimentConfig,
    corpus: Corpus,
    architecture: Architecture,
    folds: Sequence[int],
    seeds: Sequence[int],
    folder: RunFolder,
    final: bool = False,
    allow_overlap: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Retrain an architecture over folds and seeds, and pool the test predictions.

    Finished folds and seeds in the folder are kept, so that a run that was cut off goes on where it stopped.

    Args:
        config: the whole configuration.
        corpus: manifest and features.
        architecture: what to train.
        folds: folds of the corpus's protocol.
        seeds: seeds of each fold.
        folder: where the run's files go.
        final: also train the network to ship: on all speakers, for the median of the folds' best epochs.
        allow_overlap: score on speakers that the search saw, and mark the figures.
        progress: told of each epoch.

    Returns:
        The pooled figures, as in the folder's metrics.json.

    Raises:
        OverlapError: the search saw test speakers, and `allow_overlap` is not set.
        RunFolderError: the folder holds a run of other settings, or of other recordings.
    """
    parts = {index: corpus.fold(index) for index in folds}
    overlaps = {index: find_overlap(architecture.origin, corpus, fold.test) for index, fold in parts.items()}
    if not allow_overlap:
        refuse_overlap(overlaps)
    start_run(folder, config, architecture)
    note_skipped(corpus, config.data.bad_audio, folder)
    for index, fold in parts.items():
        for seed in seeds:
            cell = folder.cell(index, seed)
            if not cell.has(METRICS):
                retrain_fold(config, corpus, architecture, fold, seed, cell, overlap=overlaps[index], progress=progress)
    pooled = pool(folder, folds, seeds)
    if final and not folder.child(FINAL).has(METRICS):
        train_final(config, corpus, architecture, folder, folds, seeds, progress)
    return pooled


def settle_space(config: ExperimentConfig, architecture: Architecture, explicit: bool) -> ExperimentConfig:
    """The configuration with the architecture's space in it.

    Args:
        config: the configuration.
        architecture: what is to be retrained.
        explicit: whether the user named the configuration's space, so that it must be the architecture's.

    Raises:
        ArchitectureError: the architecture is of another space, or was searched on maps of another shape.
    """
    if explicit and config.space.identity() != architecture.space.identity():
        raise ArchitectureError(
            f"architecture {architecture.id} is of another space than "
            f"{'preset ' + config.preset if config.preset else 'the configuration'}; name the preset or configuration "
            f"that it was searched with"
        )
    if config.features.input_shape != tuple(architecture.input_shape):
        raise ArchitectureError(
            f"architecture {architecture.id} takes maps of (channels, bins) {tuple(architecture.input_shape)}, but the "
            f"features of the configuration give {config.features.input_shape}; name the preset or configuration that "
            f"it was searched with"
        )
    return config.model_copy(update={"space": architecture.space})


def start_run(folder: RunFolder, config: ExperimentConfig, architecture: Architecture) -> None:
    """Note the settings of a run, or check that a run that goes on has the same.

    Raises:
        RunFolderError: they differ.
    """
    text = config.to_yaml()
    if folder.has(ARCHITECTURE) and folder.has(CONFIG):
        if Architecture.load(folder.path / ARCHITECTURE).id != architecture.id:
            raise RunFolderError(
                f"output folder {folder.path} holds a run of another architecture; name another folder, or --overwrite "
                f"that run"
            )
        refuse_other_settings(folder, text)
    folder.write_text(CONFIG, text)
    folder.write_json(ARCHITECTURE, architecture.to_dict())


def refuse_overlap(overlaps: dict[int, Overlap]) -> None:
    """Refuse folds whose test speakers a search saw.

    Raises:
        OverlapError: there are some.
    """
    bad = {index: overlap.speakers for index, overlap in overlaps.items() if overlap.speakers}
    if bad:
        named = "; ".join(f"fold {index}: {', '.join(speakers[:10])}" for index, speakers in bad.items())
        raise OverlapError(
            f"the architecture's search saw test speakers of {len(bad)} of {len(overlaps)} folds ({named}), so that "
            f"their figures would flatter it. Search anew inside each of these folds, retrain on the fold that it was "
            f"searched on, or add --allow-overlap, which marks the figures"
        )


def pool(folder: RunFolder, folds: Sequence[int], seeds: Sequence[int]) -> dict[str, Any]:
    """Pool the test predictions of a run's folds and seeds, and write the table and its figures on top."""
    cells = [folder.cell(fold, seed) for fold in folds for seed in seeds]
    figures = [cell.read_json(METRICS) for cell in cells]
    table = pool_predictions(cell.read_csv(PREDICTIONS) for cell in cells)
    pooled = pooled_table(table, figures[0]["classes"])
    pooled["val_uar"] = float(np.mean([each["val_uar"] for each in figures]))
    pooled["parameters"] = figures[0]["parameters"]
    for key in ("seconds", "cpu_seconds"):
        pooled[key] = sum(each[key] for each in figures)
    overlap = sorted({speaker for each in figures for speaker in each.get("overlap", ())})
    if overlap:
        pooled["overlap"] = overlap
    folder.write_csv(PREDICTIONS, table)
    folder.write_json(METRICS, pooled)
    return pooled


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

    def on_epoch(epoch: int, val_uar: float | None) -> None:
        progress("final network", epoch, epochs)

    rows = np.arange(len(corpus.manifest))
    network = widen(architecture, config.retrain)
    trained = train(config, corpus, network, rows, None, seeds[0], epochs, on_epoch)
    final = folder.child(FINAL)
    write_model(final, config, corpus, network, trained)
    metrics = {
        "epochs": epochs,
        "best_epochs_of_folds": best,
        "seed": seeds[0],
        "architecture": architecture.id,
        "classes": list(corpus.manifest.classes),
        "speakers": corpus.speakers(rows),
        "estimate": {key: value for key, value in folder.read_json(METRICS).items() if key.startswith("test_")},
    }
    final.write_json(METRICS, {**metrics, **watch.read()})
    return final.path
