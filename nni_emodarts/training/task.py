"""The training task that search and retrain share."""

import math
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.distributions import Beta
from torch.nn import functional as F

from nni_emodarts.config import OptimizerConfig
from nni_emodarts.data.batches import Batch, Maps
from nni_emodarts.data.batches.maps import mixed
from nni_emodarts.errors import DivergenceError
from nni_emodarts.models.nn.level_sum import RATE, level_scores
from nni_emodarts.nni_bridge.nas import LightningModule
from nni_emodarts.training.distillation import TaughtLoss
from nni_emodarts.training.finite import check_probabilities, diverging
from nni_emodarts.training.loss import EmotionLoss


class EmotionTask(LightningModule):  # type: ignore[misc]
    """Class-weighted cross entropy, one optimiser, warm-up and cosine schedule.

    A lightning module of NNI: `set_model` gives it a network, or NNI's strategy a supernet.
    """

    def __init__(
        self,
        class_weights: Tensor,
        total_steps: int,
        optimizer: Literal["sgd", "adamw"] = "adamw",
        learning_rate: float = 1e-3,
        final_learning_rate: float = 0.0,
        warmup_steps: int = 0,
        momentum: float = 0.9,
        weight_decay: float = 1e-2,
        label_smoothing: float = 0.0,
        focal: float = 0.0,
        mixup: float = 0.0,
    ) -> None:
        """Set up the task.

        Args:
            class_weights: weight of each class (K,).
            total_steps: optimiser steps until the schedule ends.
            optimizer: `sgd` with momentum, or `adamw`.
            learning_rate: highest rate, reached after `warmup_steps`.
            final_learning_rate: rate at the last step.
            warmup_steps: steps over which the rate rises linearly.
            momentum: momentum of sgd.
            weight_decay: weight decay of either optimiser.
            label_smoothing: share of the target spread over all classes.
            focal: gamma of the focal loss.
            mixup: alpha of mixup (Zhang et al. 2018); 0 mixes nothing.
        """
        super().__init__()
        self.loss = EmotionLoss(class_weights, label_smoothing, focal)
        self._taught: TaughtLoss | None = None
        self._mixup = Beta(mixup, mixup) if mixup else None
        self._optimizer = optimizer
        self._rates = learning_rate, final_learning_rate
        self._steps = warmup_steps, max(total_steps, 1)
        self._momentum = momentum
        self._weight_decay = weight_decay

    def learn_from(self, answers: Tensor) -> None:
        """Learn from a teacher's probabilities, too: by row of the manifest (n, K)."""
        self._taught = TaughtLoss(self.loss, answers)

    def forward(self, maps: Maps, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T), lengths (N,), or those of several streams -> logits (N, K)."""
        out: Tensor = self.model(maps, lengths)
        return out

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of a batch.

        Raises:
            DivergenceError: it is no number.
        """
        loss = self._loss(batch)
        if not torch.isfinite(loss):
            with diverging(f"in epoch {self.trainer.current_epoch + 1}, step {batch_idx + 1}"):
                raise DivergenceError(f"the loss is {float(loss.detach())}")
        return loss

    def _loss(self, batch: Batch) -> Tensor:
        """Of the batch, or of a mixture of it with itself in another order: labels are mixed like the maps."""
        maps, lengths, labels = batch.maps, batch.lengths, batch.labels
        if self._mixup is None:
            return self._against(self(maps, lengths), labels, batch.rows)
        share = self._mixup.sample()
        share = torch.maximum(share, 1 - share)  # the utterance in its own place leads
        other = torch.randperm(len(labels), device=labels.device)
        logits = self(mixed(maps, share, other), torch.maximum(lengths, lengths[other]))
        own = self._against(logits, labels, batch.rows)
        mixture: Tensor = share * own + (1 - share) * self._against(logits, labels[other], batch.rows[other])
        return mixture

    def _against(self, logits: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
        """The loss of logits (N, K) against labels (N,), and against a teacher's answers where there is one."""
        loss: Tensor = self.loss(logits, labels) if self._taught is None else self._taught(logits, labels, rows)
        return loss

    def configure_optimizers(self) -> Any:
        """The optimiser and its schedule, stepped after every batch."""
        peak, final = self._rates
        warmup, total = self._steps
        scores = level_scores(self)
        own = {id(parameter) for parameter in scores}
        learnt = [each for each in self.parameters() if each.requires_grad and id(each) not in own]
        parameters: Any = learnt
        if scores:
            parameters = [{"params": learnt}, {"params": scores, "lr": RATE * peak, "weight_decay": 0.0}]
        optimizer: optim.Optimizer
        if self._optimizer == "sgd":
            optimizer = optim.SGD(
                parameters, peak, momentum=self._momentum, weight_decay=self._weight_decay, fused=True
            )
        else:
            optimizer = optim.AdamW(parameters, peak, weight_decay=self._weight_decay, fused=True)

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / warmup
            share = min((step - warmup) / max(total - warmup, 1), 1.0)
            return (final + (peak - final) * (1 + math.cos(math.pi * share)) / 2) / peak

        scheduler = optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def make_task(
    optimizer: OptimizerConfig,
    labels: np.ndarray,
    num_classes: int,
    epochs: int,
    steps_per_epoch: int,
    weighted: bool = True,
    **objective: float,
) -> EmotionTask:
    """The task for training utterances of these labels (n,).

    Args:
        optimizer: the optimiser and its schedule.
        labels: of the training utterances, which decide the classes' weights.
        num_classes: number of classes K.
        epochs: length of the schedule.
        steps_per_epoch: optimiser steps of an epoch.
        weighted: whether classes are weighed inversely to their frequency.
        **objective: `label_smoothing`, `focal`, `mixup` of `EmotionTask`.
    """
    warmup_epochs = min(optimizer.warmup_epochs, epochs / 2)  # a shortened training also needs its peak, and its end
    return EmotionTask(
        class_weights(labels, num_classes) if weighted else torch.ones(num_classes),
        total_steps=epochs * steps_per_epoch,
        optimizer=optimizer.name,
        learning_rate=optimizer.learning_rate,
        final_learning_rate=optimizer.final_learning_rate,
        warmup_steps=round(warmup_epochs * steps_per_epoch),
        momentum=optimizer.momentum,
        weight_decay=optimizer.weight_decay,
        **objective,
    )


def class_weights(labels: np.ndarray, num_classes: int) -> Tensor:
    """Weights inverse to the classes' frequencies (n,) -> (K,), such that the mean over utterances is one."""
    counts = np.bincount(labels, minlength=num_classes)
    return torch.tensor(len(labels) / (num_classes * np.maximum(counts, 1)), dtype=torch.float32)


@torch.no_grad()
def predict(model: nn.Module, loader: Any, device: torch.device, num_rows: int) -> np.ndarray:
    """Probabilities (num_rows, K) of a loader's utterances, in the order of their rows.

    The network's mode is put back as it was.

    Raises:
        DivergenceError: some are no numbers.
    """
    training = model.training
    model.eval()
    rows, found = [], []
    for batch in loader:
        logits = model(*batch.heard(device))
        found.append(F.softmax(logits.float(), 1).cpu().numpy())
        rows.append(batch.rows.numpy())
    model.train(training)
    order = np.argsort(np.concatenate(rows))
    probabilities = np.concatenate(found)[order]
    if len(probabilities) != num_rows:
        raise RuntimeError(f"{len(probabilities)} of {num_rows} utterances were predicted")
    check_probabilities(probabilities)
    return probabilities
