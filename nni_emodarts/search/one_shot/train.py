"""A one-shot search: one supernet is trained, and an architecture is read from it. It goes on where it was cut off."""

import warnings
from collections.abc import Callable, Iterator
from itertools import chain, islice, repeat
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile, ZipFile

import pandas as pd
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from nni_emodarts.config import ExperimentConfig, OptimizerConfig, SpaceConfig
from nni_emodarts.data.batches import AnyItem, Batch, Shares, forget
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import DivergenceError, RunFolderError
from nni_emodarts.metrics.tracks import marked
from nni_emodarts.models.costs import expected_cost, frames_per_second, space_costs, with_encoders
from nni_emodarts.models.levels import fixed_levels
from nni_emodarts.models.space import EmoDartsSpace
from nni_emodarts.nni_bridge.nas import BaseOneShotLightningModule, Lightning, OneShotStrategy, RawFormatModelSpace
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.run_folder import ALPHAS, CHECKPOINT, HISTORY, RunFolder
from nni_emodarts.runtime.writing import replacing
from nni_emodarts.search.found import Found
from nni_emodarts.search.one_shot import InlineEngine, make_strategy
from nni_emodarts.search.one_shot.contract import AlphaRow, OneShotSearch
from nni_emodarts.search.one_shot.decision import measure_decision
from nni_emodarts.search.one_shot.judging import Judge
from nni_emodarts.search.one_shot.terms import CostTerm, Term
from nni_emodarts.training.finite import check_weights, diverging
from nni_emodarts.training.parallel.group import (
    average_gradients,
    average_statistics,
    rank,
    seed_alike,
    seed_apart,
    shares_of,
)
from nni_emodarts.training.parallel.start import train_together
from nni_emodarts.training.task import make_fold_task
from nni_emodarts.training.trainer import make_trainer, pick_device, quiet

Loaders = tuple[DataLoader[AnyItem] | Shares, DataLoader[AnyItem] | Shares]
"""Batches for the weights, and batches for the alphas."""


class OneShotModule(OneShotSearch, BaseOneShotLightningModule):  # type: ignore[misc]
    """NNI's module with the answers of this package's searches: what a strategy trains."""


OnEpoch = Callable[[int, float | None], None]
"""Given how many epochs are over, and the validation figure of the last one; None where it was computed earlier."""


class Recorder(pl.Callback):
    """After each epoch: the validation figure, the method's own figures, every alpha, and a checkpoint.

    The tables are written each time, so that a search can be looked at while it runs.

    Everything random is seeded anew before each epoch, so that a search that goes on draws what it would have drawn.
    """

    def __init__(
        self, task: FoldTask, evaluate: Callable[[OneShotModule], float], folder: RunFolder, on_epoch: OnEpoch
    ) -> None:
        self._seed = task.seed
        self._figure = task.headline.val
        self._tracks = task.config.tracks
        self._evaluate = evaluate
        self._folder = folder
        self._on_epoch = on_epoch
        self.history: list[dict[str, float]] = []
        self.alphas: list[AlphaRow] = []
        self._stopped = False
        self._step = 0

    def state_dict(self) -> JsonObject:
        """What a checkpoint keeps."""
        return {"history": self.history, "alphas": self.alphas, "stopped": self._stopped}

    def load_state_dict(self, state_dict: JsonObject) -> None:
        """What a checkpoint kept."""
        self.history, self.alphas = state_dict["history"], state_dict["alphas"]
        self._stopped = state_dict["stopped"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """A search that had stopped early when it was cut off stays stopped."""
        trainer.should_stop = trainer.should_stop or self._stopped
        self._on_epoch(len(self.history), None)
        if self.history:
            pl_module.on_train_epoch_start()  # Lightning leaves it out for the first epoch after a checkpoint

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: object, batch_idx: int) -> None:
        """Seed the epoch."""
        self._step = batch_idx + 1
        if batch_idx == 0:
            seed_apart(self._seed, trainer.current_epoch + 1)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Record the epoch, then write the checkpoint under a temporary name and rename it.

        Raises:
            DivergenceError: weights, alphas or probabilities are no numbers, be it by the last step.
        """
        epoch = trainer.current_epoch
        average_statistics(pl_module)
        with diverging(f"in epoch {epoch + 1}, step {self._step}"):
            check_weights(pl_module)
            score = pl_module.validate(lambda: self._evaluate(pl_module))
        self.history.append({"epoch": epoch, self._figure: score, **pl_module.figures()})
        self.alphas += [{"epoch": epoch, **row} for row in pl_module.alpha_rows()]
        self._stopped = pl_module.should_stop()
        trainer.should_stop = trainer.should_stop or self._stopped
        self._save(trainer)
        self.write()
        self._on_epoch(len(self.history), score)

    def _save(self, trainer: pl.Trainer) -> None:
        """Write the checkpoint; of several processes all take part, and the first one writes."""
        file = self._folder.path / CHECKPOINT
        if not trainer.is_global_zero:
            trainer.save_checkpoint(file)
            return
        self._folder.note(CHECKPOINT)
        with replacing(file) as temporary:
            trainer.save_checkpoint(temporary)

    def write(self) -> None:
        """Write what was recorded so far; of several processes the first one writes."""
        if rank() > 0:
            return
        self._folder.write_csv(HISTORY, marked(pd.DataFrame(self.history), self._tracks))
        if self.alphas:
            self._folder.write_csv(ALPHAS, pd.DataFrame(self.alphas))


def search_one_shot(task: FoldTask, folder: RunFolder, on_epoch: OnEpoch = lambda epochs, score: None) -> Found:
    """Train a supernet on a fold's training part and read an architecture from it.

    One half of the training part fits the weights, the other the alphas; the validation part measures each epoch.
    A checkpoint in the folder is gone on from: on a CPU the result is the same to the last bit.

    Args:
        task: the fold to search on.
        folder: where the checkpoint and the tables go.
        on_epoch: called after each epoch, and before the first one.

    Raises:
        DivergenceError: the loss is no number any more.
    """
    if task.config.processes == 1:
        return search_share(task, folder, on_epoch)
    fixed = dict(task.config.space.fixed)  # by probes, which the first machine alone asks
    job = {"seed": task.seed, "manifest": task.corpus.manifest.digest, "fixed": fixed}
    found: Found = train_together(task.config, search_share, task, folder, tell=on_epoch, job=job)
    return found


def search_share(task: FoldTask, folder: RunFolder, tell: OnEpoch) -> Found:
    """Search as the only process, or as one of several."""
    device, settings = pick_device(task.config.device), task.config.search
    seed_alike(task.seed, 0)
    terms = _terms(task)
    task = task.hearing(fixed_levels(task.config.space)).coarser()
    validation = Judge(task, task.fold.validation, device)
    recorder = Recorder(task, validation.score, folder, tell)
    with quiet():
        trainer = make_trainer(device, settings.epochs, [recorder], gradient_clip=None)
        loaders = _loaders(task, lambda: trainer.current_epoch)
        strategy = _train(task, loaders, trainer, folder.path / CHECKPOINT, terms)
    module = strategy.oneshot_module
    module.set_model(strategy.supernet)
    module.to(device)
    seed_alike(task.seed, settings.epochs + 1)
    tune = _tuner(module, loaders[0], settings.optimizer, device)
    with diverging(f"as the architecture was chosen, after {len(recorder.history)} epochs"):
        choices = module.choose(lambda: validation.score(module), tune, task.seed)
        decision = measure_decision(module, choices, validation, Judge(task, task.halves()[1], device))
    forget(*loaders)
    recorder.write()  # those of a checkpoint alone, where the search was cut off behind its last epoch
    return Found(choices, recorder.history[-1][task.headline.val], {"epochs": len(recorder.history), **decision})


def _train(
    task: FoldTask, loaders: Loaders, trainer: pl.Trainer, checkpoint: Path, terms: list[Term]
) -> OneShotStrategy:
    """NNI's strategy, once it has trained the supernet."""
    settings, corpus = task.config.search, task.corpus
    steps = max(len(loader) for loader in loaders)  # NNI goes round the shorter one again
    training = make_fold_task(settings.optimizer, task, settings.epochs, steps)
    competing = _competing_space(task.config)
    space = EmoDartsSpace(corpus.num_outputs, corpus.shapes, **competing.identity(), fixed=competing.fixed)
    strategy = make_strategy(settings.strategy, settings.strategy_options(), settings.optimizer.gradient_clip, terms)
    gone_on = {"ckpt_path": str(checkpoint), "weights_only": True} if _readable(checkpoint) else {}
    for_weights, for_alphas = (_Batches(loader) for loader in loaders)
    evaluator = Lightning(
        training, trainer, train_dataloaders=for_weights, val_dataloaders=for_alphas, fit_kwargs=gone_on
    )
    try:
        strategy(RawFormatModelSpace.from_model(space, evaluator), InlineEngine())
    except DivergenceError as error:
        raise DivergenceError(
            f"the search stopped: {error}; start anew in another folder, or --overwrite this one"
        ) from None
    return strategy


def _competing_space(config: ExperimentConfig) -> SpaceConfig:
    """The space as the supernet holds it: recurrences may be normalised for the time in which they compete."""
    if config.search.strategy_options().normalizes_recurrence:
        return config.space.model_copy(update={"seqnn_normalization": True})
    return config.space


def _terms(task: FoldTask) -> list[Term]:
    """What the configuration adds to the loss of the alphas: a cost of the derived network."""
    config, corpus = task.config, task.corpus
    penalty = config.search.strategy_options().penalty
    if not penalty.weight:
        return []
    frames = frames_per_second(config.features)
    alone = space_costs(config.space, corpus.shapes, corpus.num_outputs, penalty.metric, frames)
    costs = with_encoders(alone, config.features.pretrained, penalty.metric)
    return [CostTerm(penalty.weight, expected_cost(costs), costs.mean)]


def _readable(checkpoint: Path) -> bool:
    """Whether there is a checkpoint to go on from. It is loaded as data: nothing in it can run.

    Raises:
        RunFolderError: there is one, and it is broken.
    """
    if not checkpoint.exists():
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a file that is no checkpoint, which is an error of its own
            torch.load(checkpoint, map_location="cpu", weights_only=True)
        _check_archive(checkpoint)
    except (UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, BadZipFile) as error:
        # torch's own advice for a file that holds code is to run it
        reason = "it holds more than numbers" if isinstance(error, UnpicklingError) else str(error).partition("\n")[0]
        raise RunFolderError(
            f"checkpoint {checkpoint} cannot be read ({reason}); delete it to start the search over"
        ) from None
    return True


def _check_archive(checkpoint: Path) -> None:
    """Check a checkpoint by its archive's own checksums, which torch writes and does not read.

    Raises:
        BadZipFile: it is damaged.
    """
    with ZipFile(checkpoint) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise BadZipFile(f"{damaged} in it is damaged")


def _loaders(task: FoldTask, epoch: Callable[[], int]) -> Loaders:
    """Batches for the weights, and batches for the alphas."""
    settings = task.config.search
    for_weights, for_alphas = (
        shares_of(
            task.training_batches(rows, settings.batch_size, stream=number, most=settings.epoch_steps, epoch=epoch)
        )
        for number, rows in enumerate(task.halves())
    )
    return for_weights, for_alphas


def _tuner(
    module: OneShotModule, loader: DataLoader[AnyItem] | Shares, settings: OptimizerConfig, device: torch.device
) -> Callable[[int], None]:
    """Trains a supernet's weights, not its alphas, by plain steps outside the schedule."""
    training, clip = module.training_module, settings.gradient_clip
    optimizer = module.postprocess_weight_optimizers(training.configure_optimizers()["optimizer"])
    for group in optimizer.param_groups:
        group["lr"] = settings.learning_rate
    batches = chain.from_iterable(repeat(loader))  # without end

    def tune(steps: int) -> None:
        training.model.train()
        for batch in islice(batches, steps):
            module.resample()
            optimizer.zero_grad()
            outputs = training.model(*batch.heard(device))
            loss = training.against(outputs, batch.labels.to(device), batch.rows.to(device))
            if not torch.isfinite(loss):
                raise DivergenceError(f"the loss is {float(loss.detach())}")
            loss.backward()
            average_gradients(training.model.parameters())
            nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], clip)
            optimizer.step()
        average_statistics(training.model)
        check_weights(training.model)

    return tune


class _Batches:
    """A loader's batches, without its class: NNI warns of loaders that it could not send to another machine."""

    def __init__(self, loader: DataLoader[AnyItem] | Shares) -> None:
        self._loader = loader

    def __iter__(self) -> Iterator[Batch]:
        return iter(self._loader)

    def __len__(self) -> int:
        return len(self._loader)
