"""The retrain phase: an architecture, trained from scratch and measured fold by fold."""

from nni_emodarts.training.retrain.designs import Design, build_network, settle_space
from nni_emodarts.training.retrain.fitting import Trained, train
from nni_emodarts.training.retrain.fold import retrain_fold
from nni_emodarts.training.retrain.run import Retrained, retrain, run_retrain
from nni_emodarts.training.retrain.scoring import (
    note_answers,
    predictions,
    score_predictions,
)

__all__ = [
    "Design",
    "Retrained",
    "Trained",
    "build_network",
    "note_answers",
    "predictions",
    "retrain",
    "retrain_fold",
    "run_retrain",
    "score_predictions",
    "settle_space",
    "train",
]
