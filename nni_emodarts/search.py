"""The search phase: a fold's training speakers -> an architecture."""

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytorch_lightning as pl
import torch
from torch import nn

from nni_emodarts.architecture import Architecture
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data import evaluation_loader, training_loader
from nni_emodarts.environment import Stopwatch, describe_environment
from nni_emodarts.features import Normalizer
from nni_emodarts.metrics import uar
from nni_emodarts.multi_trial import search_by_trials
from nni_emodarts.nni_nas import Lightning, RawFormatModelSpace
from nni_emodarts.origin import search_origin
from nni_emodarts.preparation import Corpus, note_skipped
from nni_emodarts.progress import Progress, silent
from nni_emodarts.protocols import Fold, halves
from nni_emodarts.run_folder import ALPHAS, ARCHITECTURE, CONFIG, ENVIRONMENT, HISTORY, METRICS, RunFolder
from nni_emodarts.space import EmoDartsSpace
from nni_emodarts.strategies import InlineEngine, make_strategy
from nni_emodarts.strategy_options import MULTI_TRIAL
from nni_emodarts.training.task import make_task, predict
from nni_emodarts.training.trainer import make_trainer, pick_device, quiet

Report = Callable[[float], None]


class SearchRecorder(pl.Callback):
    """After each epoch: the supernet's validation UAR, and every alpha."""

    def __init__(self, validate: Callable[[nn.Module], float], on_epoch: Callable[[int, float], None]) -> None:
        self._validate = validate
        self._on_epoch = on_epoch
        self.history: list[dict[str, float]] = []
        self.alphas: list[dict[str, Any]] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Record an epoch."""
        epoch = trainer.current_epoch
        val_uar = self._validate(pl_module.model)
        self.history.append({"epoch": epoch, "val_uar": val_uar})
        self.alphas += [{"epoch": epoch, **row} for row in read_alphas(pl_module)]
        self._on_epoch(epoch, val_uar)


def read_alphas(oneshot_module: Any) -> list[dict[str, Any]]:
    """Every alpha of a supernet: rows of label, choice, alpha, probability. Chosen inputs are numbers of states."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for module in oneshot_module.supernet_modules():
        alpha = module._arch_alpha.detach().cpu()
        choices = getattr(module, "names", range(len(alpha)))
        shares = torch.softmax(alpha, 0)
        rows[module.label] = [
            {"label": module.label, "choice": choice, "alpha": float(value), "probability": float(share)}
            for choice, value, share in zip(choices, alpha, shares, strict=True)
        ]
    return [row for label in sorted(rows) for row in rows[label]]


def search(
    config: ExperimentConfig,
    corpus: Corpus,
    fold: Fold,
    seed: int,
    folder: RunFolder,
    progress: Progress = silent,
    report: Report | None = None,
) -> Architecture:
    """Search an architecture on the training speakers of a fold; the test speakers' recordings are never read.

    A strategy that trains one supernet fits its weights on one half of the training part and its alphas on the other,
    and measures each epoch on the validation part. The others: see `nni_emodarts.multi_trial`.

    Args:
        config: the whole configuration.
        corpus: manifest and features.
        fold: the fold.
        seed: seed of everything random.
        folder: where the run's files go.
        progress: told of each epoch.
        report: given the supernet's validation UAR after each epoch, or each candidate's.

    Returns:
        The architecture, also written to the folder.
    """
    if config.search.strategy in MULTI_TRIAL:
        return search_by_trials(config, corpus, fold, seed, folder, progress, report)
    watch = Stopwatch()
    device = pick_device(config.device)
    note_skipped(corpus, config.data.bad_audio, folder)
    folder.write_text(CONFIG, config.to_yaml())
    pl.seed_everything(seed, verbose=False)
    normalizer = Normalizer.fit(corpus.store, fold.train)
    validation = corpus.utterances(fold.validation, normalizer)
    loader = evaluation_loader(validation, corpus.frequency_bins, config.search.batch_size)
    true = corpus.manifest.labels[fold.validation]

    def validate(model: nn.Module) -> float:
        return uar(true, predict(model, loader, device, len(true)).argmax(1), corpus.num_classes)

    def on_epoch(epoch: int, val_uar: float) -> None:
        progress("search", epoch + 1, config.search.epochs, val_uar=val_uar)
        if report is not None:
            report(val_uar)

    recorder = SearchRecorder(validate, on_epoch)
    choices = _run_strategy(config, corpus, fold, normalizer, seed, device, recorder)
    architecture = Architecture.from_choices(
        config.space, choices, corpus.num_classes, corpus.input_shape, search_origin(config, corpus, fold, seed)
    )
    folder.write_csv(ALPHAS, pd.DataFrame(recorder.alphas))
    folder.write_csv(HISTORY, pd.DataFrame(recorder.history))
    folder.write_json(ENVIRONMENT, describe_environment(str(device), torch.get_num_threads()))
    folder.write_json(ARCHITECTURE, architecture.to_dict())
    metrics = {
        "val_uar": recorder.history[-1]["val_uar"],
        "architecture": architecture.id,
        "fold": fold.index,
        "seed": seed,
    }
    folder.write_json(METRICS, {**metrics, "epochs": config.search.epochs, **watch.read()})
    return architecture


def _run_strategy(
    config: ExperimentConfig,
    corpus: Corpus,
    fold: Fold,
    normalizer: Normalizer,
    seed: int,
    device: torch.device,
    recorder: SearchRecorder,
) -> dict[str, Any]:
    settings = config.search
    for_weights, for_alphas = halves(corpus.manifest, fold.train, seed)
    loaders = [
        training_loader(
            corpus.utterances(rows, normalizer),
            corpus.frequency_bins,
            settings.batch_size,
            seed + number,
            settings.epoch_steps,
        )
        for number, rows in enumerate((for_weights, for_alphas))
    ]
    steps = max(len(loader) for loader in loaders)  # NNI goes round the shorter one again
    task = make_task(settings.optimizer, corpus.manifest.labels[fold.train], corpus.num_classes, settings.epochs, steps)
    space = EmoDartsSpace(corpus.num_classes, corpus.input_shape, **config.space.identity())
    strategy = make_strategy(
        settings.strategy, settings.optimizer.gradient_clip, **settings.strategy_options().model_dump()
    )
    with quiet():
        trainer = make_trainer(device, settings.epochs, [recorder], gradient_clip=None)
        evaluator = Lightning(
            task, trainer, train_dataloaders=_Batches(loaders[0]), val_dataloaders=_Batches(loaders[1])
        )
        strategy(RawFormatModelSpace.from_model(space, evaluator), InlineEngine())
    strategy.oneshot_module.set_model(strategy.supernet)
    return dict(strategy.oneshot_module.export())


class _Batches:
    """A loader that is none: NNI warns of loaders that it could not send to another machine."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __iter__(self) -> Iterator[Any]:
        return iter(self._loader)

    def __len__(self) -> int:
        return len(self._loader)
