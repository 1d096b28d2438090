"""Fold and store -> padded batches with lengths, augmented for training."""

from nni_emodarts.data.augmentation import SpecAugment
from nni_emodarts.data.batches import Batch, Collate, Utterances, evaluation_loader, training_loader

__all__ = ["Batch", "Collate", "SpecAugment", "Utterances", "evaluation_loader", "training_loader"]
