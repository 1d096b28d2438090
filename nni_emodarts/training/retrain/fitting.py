"""One training from scratch by the recipe, whatever the rows are for."""

from dataclasses import dataclass

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn

from nni_emodarts.config import ExperimentConfig, RetrainConfig
from nni_emodarts.data.batches import (
    Augment,
    Chain,
    Excerpt,
    Perturbation,
    SpecAugment,
    evaluation_loader,
    training_loader,
)
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.features import Normalizer
from nni_emodarts.metrics.scores import uar
from nni_emodarts.training.retrain.designs import Design, build_network
from nni_emodarts.training.retrain.keeping import EpochKeeper, OnEpoch, Validate
from nni_emodarts.training.task import make_task, predict
from nni_emodarts.training.trainer import make_trainer, pick_device, quiet


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


def train(
    config: ExperimentConfig,
    corpus: Corpus,
    design: Design,
    train_rows: np.ndarray,
    validation_rows: np.ndarray | None,
    seed: int,
    epochs: int | None = None,
    on_epoch: OnEpoch = lambda row: None,
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
        on_epoch: given the row of history of each epoch.
    """
    recipe = config.retrain
    device = pick_device(config.device)
    pl.seed_everything(seed, verbose=False)
    normalizer = Normalizer.fit(corpus.store, train_rows)
    utterances = corpus.utterances(train_rows, normalizer, make_augment(recipe, config.features.frequency_bins))
    loader = training_loader(utterances, corpus.collate, recipe.batch_size, seed, recipe.epoch_steps)
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
    return Chain(
        Excerpt(recipe.excerpt),
        Perturbation(frequency_bins, **recipe.perturbation.model_dump()),
        SpecAugment(frequency_bins, **recipe.spec_augment.model_dump()),
    )


def _validator(
    config: ExperimentConfig, corpus: Corpus, normalizer: Normalizer, rows: np.ndarray, device: torch.device
) -> Validate:
    loader = evaluation_loader(corpus.utterances(rows, normalizer), corpus.collate, config.retrain.batch_size)
    true = corpus.manifest.labels[np.sort(rows)]

    def validate(model: nn.Module) -> tuple[float, float]:
        probabilities = predict(model, loader, device, len(true))
        loss = -np.log(np.maximum(probabilities[np.arange(len(true)), true], 1e-12)).mean()
        return uar(true, probabilities.argmax(1), corpus.num_classes), float(loss)

    return validate
