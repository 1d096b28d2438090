"""Fold and store -> padded batches with lengths, augmented for training."""

from nni_emodarts.data.batches.augmentation import Augment, Chain, Excerpt, Perturbation, SpecAugment
from nni_emodarts.data.batches.batches import Batch, Collate, Utterances, evaluation_loader, training_loader
from nni_emodarts.data.batches.coarsening import Coarsening

__all__ = [
    "Augment",
    "Batch",
    "Chain",
    "Coarsening",
    "Collate",
    "Excerpt",
    "Perturbation",
    "SpecAugment",
    "Utterances",
    "evaluation_loader",
    "training_loader",
]
