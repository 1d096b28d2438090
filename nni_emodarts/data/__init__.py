"""Fold and store -> padded batches with lengths, augmented for training."""

from nni_emodarts.data.augmentation import SpecAugment
from nni_emodarts.data.batches import Batch, Collate, Utterances, evaluation_loader, training_loader
from nni_emodarts.data.coarsening import Coarsening

__all__ = ["Batch", "Coarsening", "Collate", "SpecAugment", "Utterances", "evaluation_loader", "training_loader"]
