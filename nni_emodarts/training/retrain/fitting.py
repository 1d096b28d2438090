"""One training from scratch by the recipe, whatever the rows are for."""

from dataclasses import dataclass

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn

from nni_emodarts.config import FUNCTIONALS, RetrainConfig
from nni_emodarts.data.batches import Augment, Chain, ChangedAlike, Excerpt, JointAugment, Perturbation, SpecAugment
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.features import Normalizer, SpeakerNormalizer
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.metrics.scores import uar
from nni_emodarts.training.distillation import Teacher
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
    normalizer: Normalizer | SpeakerNormalizer
    best_epoch: int
    history: list[dict[str, float]]

    @property
    def val_uar(self) -> float:
        """Validation UAR of the epoch that is kept."""
        return self.history[self.best_epoch - 1]["val_uar"]


def train(
    task: FoldTask,
    design: Design,
    *,
    epochs: int | None = None,
    on_epoch: OnEpoch = lambda row: None,
    teacher: Teacher | None = None,
) -> Trained:
    """Train a network from scratch on a fold's training part by the retrain recipe.

    The validation part chooses the epoch that is kept; where it is empty, the last one is.

    Args:
        task: the fold to train on; normalisation and class weights come from its training part alone.
        design: what to train.
        epochs: stop after so many epochs of the recipe's schedule.
        on_epoch: given the row of history of each epoch.
        teacher: whose answers are learnt from, too.
    """
    recipe, corpus, rows = task.config.retrain, task.corpus, task.fold.train
    device = pick_device(task.config.device)
    pl.seed_everything(task.seed, verbose=False)
    # Of a corpus at a lower resolution, utterances are changed before it is lowered.
    augment, alike = make_augment(recipe, corpus.whole_bins, corpus.levels_read), make_joint_augment(recipe, corpus)
    loader = task.training_batches(rows, recipe.batch_size, augment=augment, alike=alike, most=recipe.epoch_steps)
    training = make_task(
        recipe.optimizer,
        task.labels(rows),
        corpus.num_classes,
        recipe.epochs,
        len(loader),
        recipe.class_weights,
        label_smoothing=recipe.label_smoothing,
        focal=recipe.focal,
        mixup=recipe.mixup,
    )
    if teacher is not None:
        training.learn_from(teacher.spread(len(corpus.manifest)))
    model = build_network(design, corpus.num_classes, corpus.shapes)
    training.set_model(model)
    keeper = EpochKeeper(recipe, _validator(task, device) if task.validates else None, on_epoch)
    with quiet():
        trainer = make_trainer(device, epochs or recipe.epochs, [keeper], recipe.optimizer.gradient_clip)
        trainer.fit(training, loader)
    model.load_state_dict(keeper.kept_weights)
    return Trained(model.to(device).eval(), task.normalizer, keeper.best_epoch, keeper.history)


def make_augment(recipe: RetrainConfig, bins: int, levels: int = 0) -> Augment:
    """What the recipe does to the features of a training utterance.

    Args:
        recipe: the recipe.
        bins: frequency bins F of spectral maps, features D of a pretrained stream's.
        levels: L of a pretrained stream; 0 of a spectral one.
    """
    return Chain(Excerpt(recipe.excerpt), _voice(recipe, bins, levels), _masks(recipe, bins, levels))


def make_joint_augment(recipe: RetrainConfig, corpus: Corpus) -> JointAugment:
    """What the recipe does to the features that a training utterance has in each stream of a corpus."""
    sizes = [(each.whole_bins, each.levels_read) for each in corpus.streams if each.name != FUNCTIONALS]
    voices, masks = [_voice(recipe, *size) for size in sizes], [_masks(recipe, *size) for size in sizes]
    return ChangedAlike(Excerpt(recipe.excerpt), voices, masks)


def _voice(recipe: RetrainConfig, bins: int, levels: int) -> Perturbation:
    return Perturbation(max(levels, 1) * bins, **recipe.perturbation.model_dump())


def _masks(recipe: RetrainConfig, bins: int, levels: int) -> SpecAugment:
    return SpecAugment(bins, **recipe.spec_augment.model_dump(), levels=levels)


def _validator(task: FoldTask, device: torch.device) -> Validate:
    rows = task.fold.validation
    loader = task.evaluation_batches(rows, task.config.retrain.batch_size)
    true = task.labels(np.sort(rows))

    def validate(model: nn.Module) -> tuple[float, float]:
        probabilities = predict(model, loader, device, len(true))
        loss = -np.log(np.maximum(probabilities[np.arange(len(true)), true], 1e-12)).mean()
        return uar(true, probabilities.argmax(1), task.corpus.num_classes), float(loss)

    return validate
