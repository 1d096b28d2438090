"""Fold and store -> padded batches with lengths, augmented for training."""

from nni_emodarts.data.batches.augmentation import Augment, Chain, ChangedAlike, Excerpt, Perturbation, SpecAugment
from nni_emodarts.data.batches.batches import (
    AnyItem,
    Batch,
    Collate,
    Measured,
    Utterances,
    evaluation_loader,
    training_loader,
)
from nni_emodarts.data.batches.coarsening import Coarsening
from nni_emodarts.data.batches.joint import JointAugment, JointCollate, JointUtterances
from nni_emodarts.data.batches.maps import Maps
from nni_emodarts.data.batches.shares import Shares, every_nth, forget

__all__ = [
    "AnyItem",
    "Augment",
    "Batch",
    "Chain",
    "ChangedAlike",
    "Coarsening",
    "Collate",
    "Excerpt",
    "JointAugment",
    "JointCollate",
    "JointUtterances",
    "Maps",
    "Measured",
    "Perturbation",
    "Shares",
    "SpecAugment",
    "Utterances",
    "evaluation_loader",
    "every_nth",
    "forget",
    "training_loader",
]
