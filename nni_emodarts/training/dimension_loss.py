"""What training minimises where places in dimensions are learnt: 1 - CCC, or a squared or absolute error."""

from typing import Literal

import torch
from torch import Tensor, nn

from nni_emodarts.training.distillation import SHARE, TaughtLoss
from nni_emodarts.training.loss import EmotionLoss
from nni_emodarts.training.parallel.group import mean_share, size, whole_batch

_TINY = 1e-8
_NOBODY = -1
"""Stands for a row in a memory that is not full yet."""


class DimensionLoss(nn.Module):
    """The loss of places in D dimensions; a missing value counts nowhere.

    CCC is a figure of many utterances together: of few it is estimated too low, and its gradient with it. So it is
    taken over the utterances of the batch and the latest answers to others, which are remembered without their
    gradients. The gradient of those in the batch is as large as if all had one, so that its size does not depend on how
    many are remembered.
    """

    targets: Tensor
    rows: Tensor
    answers: Tensor

    def __init__(self, targets: Tensor, kind: Literal["ccc", "mse", "mae"] = "ccc", utterances: int = 128) -> None:
        """Set it up.

        Args:
            targets: place of each row of the manifest (n, D), from -1 to 1; NaN where there is none.
            kind: 1 - CCC (population variances), mean over the dimensions; or the mean squared or absolute error.
            utterances: that CCC is estimated over, those of the batch included.
        """
        super().__init__()
        self._kind = kind
        self.register_buffer("targets", targets, persistent=False)
        # kept in checkpoints, so that a search that goes on has what it would have had
        size = utterances if kind == "ccc" else 0
        self.register_buffer("rows", torch.full((size,), _NOBODY))
        self.register_buffer("answers", torch.zeros(size, targets.shape[1]))

    def forward(self, places: Tensor, rows: Tensor) -> Tensor:
        """places (N, D), rows of the manifest (N,) -> mean loss."""
        if self._kind != "ccc":
            true = self.targets[rows]
            known = ~torch.isnan(true)
            errors = (places - true.nan_to_num()) * known
            total = errors.square().sum() if self._kind == "mse" else errors.abs().sum()
            return total / mean_share(known.sum().to(total.dtype)).clamp(min=1 / size())
        places, rows = whole_batch(places, rows)
        others = self._others(rows)
        whole = 1 + int(others.sum()) / len(rows)
        own = whole * places - ((whole - 1) * places).detach()  # the same values, a gradient for all
        together = torch.cat([own, self.answers[others].to(places.dtype)])
        among = torch.cat([rows, self.rows[others]])
        if torch.is_grad_enabled():
            self._remember(among, together.detach())
        return _one_minus_ccc(together, self.targets[among])

    def _others(self, rows: Tensor) -> Tensor:
        """Which of the remembered answers are of other rows, the latest of them."""
        others = (self.rows != _NOBODY) & ~torch.isin(self.rows, rows)
        return others & (others.cumsum(0) <= max(len(self.rows) - len(rows), 0))

    def _remember(self, rows: Tensor, answers: Tensor) -> None:
        """Keep the answers to so many rows, the latest first. Of a repeated batch the same others are remembered."""
        count = min(len(rows), len(self.rows))
        held = torch.full_like(self.rows, _NOBODY)
        held[:count] = rows[:count]
        self.rows.copy_(held)
        self.answers[:count] = answers[:count].to(self.answers.dtype)


def _one_minus_ccc(places: Tensor, true: Tensor) -> Tensor:
    """(N, D), (N, D) with NaN where there is none -> mean over the dimensions of which two values or more are known."""
    known = (~torch.isnan(true)).to(places.dtype)
    count = known.sum(0)
    true, places = true.nan_to_num().to(places.dtype), places * known
    mean_t, mean_p = true.sum(0) / count.clamp(min=1), places.sum(0) / count.clamp(min=1)
    away_t, away_p = (true - mean_t) * known, (places - mean_p) * known
    var_t, var_p, cov = (each.sum(0) / count.clamp(min=1) for each in (away_t**2, away_p**2, away_t * away_p))
    ccc = 2 * cov / (var_t + var_p + (mean_t - mean_p) ** 2 + _TINY)
    counts = (count > 1).to(places.dtype)
    return ((1 - ccc) * counts).sum() / counts.sum().clamp(min=1)


class JointLoss(nn.Module):
    """The loss of classes and of dimensions, each with its weight; of dimensions alone where there are no classes.

    Of each, a teacher's answers have their share, where there is one.
    """

    def __init__(
        self, emotion: EmotionLoss, dimensions: DimensionLoss, emotion_weight: float, dimension_weight: float
    ) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.taught: DimensionLoss | None = None
        self._emotion = [emotion]  # which is a module of the task
        self._teacher: list[TaughtLoss] = []
        self._weights = emotion_weight, dimension_weight

    def learn_from(self, emotion: TaughtLoss | None, dimensions: DimensionLoss) -> None:
        """Learn from a teacher's answers, too: of classes, where there are any, and in dimensions."""
        self._teacher = [] if emotion is None else [emotion]
        self.taught = dimensions

    def forward(self, outputs: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
        """outputs (N, K + D), labels (N,), rows of the manifest (N,) -> mean loss."""
        classes = len(self._emotion[0].weight)
        logits, places = outputs[:, :classes], outputs[:, classes:]
        rated: Tensor = self.dimensions(places, rows)
        if self.taught is not None:
            rated = (1 - SHARE) * rated + SHARE * self.taught(places, rows)
        if not classes:
            return rated
        told = self._teacher[0](logits, labels, rows) if self._teacher else self._emotion[0](logits, labels)
        ours, theirs = self._weights
        joint: Tensor = ours * told + theirs * rated
        return joint
