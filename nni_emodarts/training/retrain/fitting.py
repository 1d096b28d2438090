"""One training from scratch by the recipe, whatever the rows are for."""

from dataclasses import dataclass

import numpy as np
import pytorch_lightning as pl
import torch
from safetensors.torch import load, save
from torch import nn
from torch.utils.data import DataLoader

from nni_emodarts.config import FUNCTIONALS, RetrainConfig, check_retraining_together
from nni_emodarts.data.batches import (
    AnyItem,
    Augment,
    Chain,
    ChangedAlike,
    Excerpt,
    JointAugment,
    Perturbation,
    Shares,
    SpecAugment,
    forget,
)
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.features import Normalizer, SpeakerNormalizer
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.metrics.headline import UAR
from nni_emodarts.training.distillation import Teacher
from nni_emodarts.training.parallel.group import seed_apart, shares_of, size
from nni_emodarts.training.parallel.start import train_together
from nni_emodarts.training.retrain.designs import Design, build_network
from nni_emodarts.training.retrain.keeping import EpochKeeper, OnEpoch, Validate
from nni_emodarts.training.retrain.shortcut import fit_shortcut
from nni_emodarts.training.task import EmotionTask, dimension_loss, make_fold_task, predict
from nni_emodarts.training.trainer import make_trainer, pick_device, quiet


@dataclass(frozen=True)
class Trained:
    """A trained network.

    Attributes:
        model: the network, with the weights of the epoch that is kept.
        normalizer: fitted on its training speakers.
        best_epoch: number of epochs of the weights that are kept: the best on validation, or all of them.
        history: a row for each epoch.
        figure: the validation figure that chose among them.
    """

    model: nn.Module
    normalizer: Normalizer | SpeakerNormalizer
    best_epoch: int
    history: list[dict[str, float]]
    figure: str = UAR.val

    @property
    def score(self) -> float:
        """The validation figure of the epoch that is kept."""
        return self.history[self.best_epoch - 1][self.figure]

    @property
    def validation(self) -> dict[str, float]:
        """All validation figures of the epoch that is kept but its loss, by the names that files give them."""
        row = self.history[self.best_epoch - 1]
        return {name: value for name, value in row.items() if name.startswith("val_") and name != "val_loss"}


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
    if task.config.processes == 1:
        model, learnt = _learn(task, design, epochs, teacher, on_epoch)
    else:
        check_retraining_together(task.config)
        job = {
            "fold": task.fold.index, "seed": task.seed, "rows": len(task.fold.train), "epochs": epochs,
            "manifest": task.corpus.manifest.digest,
        }  # fmt: skip
        weights, *rest = train_together(task.config, learn_share, task, design, epochs, teacher, tell=on_epoch, job=job)
        learnt = _Learnt(load(weights), *rest)
        model = build_network(design, task.corpus.num_outputs, task.corpus.shapes)
    model.load_state_dict(learnt.weights)
    model.to(pick_device(task.config.device)).eval()
    return Trained(model, task.normalizer, learnt.best_epoch, learnt.history, task.headline.val)


@dataclass(frozen=True)
class _Learnt:
    """What is left of a training: weights by name, those of the epoch that is kept, and its history."""

    weights: dict[str, torch.Tensor]
    best_epoch: int
    history: list[dict[str, float]]


def learn_share(
    task: FoldTask, design: Design, epochs: int | None, teacher: Teacher | None, tell: OnEpoch
) -> tuple[bytes, int, list[dict[str, float]]]:
    """Train as one of several processes; what is left, with the weights as data that can be sent."""
    _, learnt = _learn(task, design, epochs, teacher, tell)
    weights = {name: weight.cpu().contiguous().clone() for name, weight in learnt.weights.items()}
    return save(weights), learnt.best_epoch, learnt.history


def _learn(
    task: FoldTask, design: Design, epochs: int | None, teacher: Teacher | None, on_epoch: OnEpoch
) -> tuple[nn.Module, _Learnt]:
    """A network as it is after the last epoch, and what is left of its training."""
    recipe, corpus = task.config.retrain, task.corpus
    device = pick_device(task.config.device)
    pl.seed_everything(task.seed, verbose=False)
    loader, validation = _batches(task), task.evaluation_batches(task.fold.validation, recipe.batch_size)
    training = _objective(task, len(loader), teacher)
    model = build_network(design, corpus.num_outputs, corpus.shapes)
    fit_shortcut(model, task)
    training.set_model(model)
    validate = _validator(task, validation, device) if task.validates else None
    keeper = EpochKeeper(recipe, validate, on_epoch, task.headline.val)
    if size() > 1:
        seed_apart(task.seed)
    with quiet():
        trainer = make_trainer(device, epochs or recipe.epochs, [keeper], recipe.optimizer.gradient_clip)
        trainer.fit(training, loader)
    forget(loader, validation)
    return model, _Learnt(keeper.kept_weights, keeper.best_epoch, keeper.history)


def _batches(task: FoldTask) -> DataLoader[AnyItem] | Shares:
    """Batches of the training part, changed as the recipe has it; of several processes this one's shares."""
    recipe, corpus = task.config.retrain, task.corpus
    # Of a corpus at a lower resolution, utterances are changed before it is lowered.
    augment, alike = make_augment(recipe, corpus.whole_bins, corpus.levels_read), make_joint_augment(recipe, corpus)
    return shares_of(
        task.training_batches(task.fold.train, recipe.batch_size, augment=augment, alike=alike, most=recipe.epoch_steps)
    )


def _objective(task: FoldTask, steps: int, teacher: Teacher | None) -> EmotionTask:
    """What is minimised, in so many steps an epoch."""
    recipe = task.config.retrain
    training = make_fold_task(
        recipe.optimizer,
        task,
        recipe.epochs,
        steps,
        weighted=recipe.class_weights,
        label_smoothing=recipe.label_smoothing,
        focal=recipe.focal,
        mixup=recipe.mixup,
    )
    if teacher is not None:
        told, values = _answers_of(teacher, task)
        training.learn_from(told, dimension_loss(task, values) if task.outputs.dimensions else None)
    return training


def _answers_of(teacher: Teacher, task: FoldTask) -> tuple[torch.Tensor, np.ndarray]:
    """A teacher's probabilities (n, K) and values (n, D) by row of the manifest.

    It says of utterances without a majority what their annotators say, as probabilities.
    """
    answers, count = teacher.spread(len(task.corpus.manifest)), task.corpus.num_classes
    told = torch.tensor(answers[:, :count], dtype=torch.float32)
    if task.shares is not None:
        undecided = torch.from_numpy(task.corpus.manifest.labels < 0)
        told[undecided] = torch.tensor(task.shares, dtype=told.dtype)[undecided]
    return told, answers[:, count:]


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


def _validator(task: FoldTask, loader: DataLoader[AnyItem], device: torch.device) -> Validate:
    truth = task.truth(np.sort(task.fold.validation))

    def validate(model: nn.Module) -> dict[str, float]:
        answers = predict(model, loader, device, len(truth), task.outputs)
        figures = {f"val_{name}": value for name, value in truth.figures(answers).items()}
        return {**figures, "val_loss": truth.loss(answers)}

    return validate
