"""The training task that search and retrain share."""

import math
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.distributions import Beta

from nni_emodarts.config import OptimizerConfig
from nni_emodarts.data.batches import Batch, Maps, every_nth
from nni_emodarts.data.batches.maps import mixed
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.outputs import Outputs
from nni_emodarts.errors import DivergenceError
from nni_emodarts.metrics.truth import Truth
from nni_emodarts.models.nn.answers import decode
from nni_emodarts.models.nn.level_sum import RATE, level_scores
from nni_emodarts.nni_bridge.nas import LightningModule
from nni_emodarts.training.dimension_loss import DimensionLoss, JointLoss
from nni_emodarts.training.distillation import TaughtLoss
from nni_emodarts.training.finite import check_probabilities, diverging
from nni_emodarts.training.loss import EmotionLoss
from nni_emodarts.training.parallel.group import gathered, rank, size


class EmotionTask(LightningModule):  # type: ignore[misc]
    """Class-weighted cross entropy, one optimiser, warm-up and cosine schedule.

    A lightning module of NNI: `set_model` gives it a network, or NNI's strategy a supernet.
    """

    shares: Tensor | None

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
        self._joint: JointLoss | None = None
        self.register_buffer("shares", None, persistent=False)
        self._mixup = Beta(mixup, mixup) if mixup else None
        self._optimizer = optimizer
        self._rates = learning_rate, final_learning_rate
        self._steps = warmup_steps, max(total_steps, 1)
        self._momentum = momentum
        self._weight_decay = weight_decay

    def learn_from(self, answers: Tensor, dimensions: DimensionLoss | None = None) -> None:
        """Learn from a teacher, too.

        Args:
            answers: its probabilities by row of the manifest (n, K).
            dimensions: the loss of places against its own, where those are learnt.
        """
        self._taught = TaughtLoss(self.loss, answers) if answers.shape[1] else None
        if self._joint is not None and dimensions is not None:
            self._joint.learn_from(self._taught, dimensions)

    def vote(self, shares: Tensor) -> None:
        """Learn from distributions of votes instead of labels: by row of the manifest (n, K)."""
        self.shares = shares

    def rate(self, dimensions: DimensionLoss, weights: tuple[float, float] = (1.0, 1.0)) -> None:
        """Learn places in dimensions, too, or alone where there are no classes.

        Args:
            dimensions: their loss.
            weights: of the classes' loss and of theirs, where both are learnt.
        """
        self._joint = JointLoss(self.loss, dimensions, *weights)

    def truth(self, labels: Tensor, rows: Tensor) -> Truth:
        """What is true of a batch with these labels (N,) and rows (N,); places in dimensions from -1 to 1."""
        values = torch.zeros(len(rows), 0) if self._joint is None else self._joint.dimensions.targets[rows]
        return Truth(labels.cpu().numpy(), len(self.loss.weight), values.double().cpu().numpy())

    def forward(self, maps: Maps, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T), lengths (N,), or those of several streams -> outputs (N, K + D): logits, then places."""
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
            return self.against(self(maps, lengths), labels, batch.rows)
        share = self._mixup.sample()
        share = torch.maximum(share, 1 - share)  # the utterance in its own place leads
        other = torch.randperm(len(labels), device=labels.device)
        outputs = self(mixed(maps, share, other), torch.maximum(lengths, lengths[other]))
        own = self.against(outputs, labels, batch.rows)
        mixture: Tensor = share * own + (1 - share) * self.against(outputs, labels[other], batch.rows[other])
        return mixture

    def against(self, outputs: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
        """The loss of outputs (N, K + D) against labels (N,) or the votes of rows (N,), and all else that is known."""
        targets = labels if self.shares is None else self.shares[rows]
        loss: Tensor
        if self._joint is not None:
            loss = self._joint(outputs, targets, rows)
        else:
            loss = self.loss(outputs, targets) if self._taught is None else self._taught(outputs, targets, rows)
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
    targets: np.ndarray,
    num_classes: int,
    epochs: int,
    steps_per_epoch: int,
    weighted: bool = True,
    **objective: float,
) -> EmotionTask:
    """The task for training utterances of these classes (n,) or distributions of votes (n, K).

    Args:
        optimizer: the optimiser and its schedule.
        targets: of the training utterances, which decide the classes' weights.
        num_classes: number of classes K.
        epochs: length of the schedule.
        steps_per_epoch: optimiser steps of an epoch.
        weighted: whether classes are weighed inversely to their frequency.
        **objective: `label_smoothing`, `focal`, `mixup` of `EmotionTask`.
    """
    warmup_epochs = min(optimizer.warmup_epochs, epochs / 2)  # a shortened training also needs its peak, and its end
    return EmotionTask(
        class_weights(targets, num_classes) if weighted else torch.ones(num_classes),
        total_steps=epochs * steps_per_epoch,
        optimizer=optimizer.name,
        learning_rate=optimizer.learning_rate,
        final_learning_rate=optimizer.final_learning_rate,
        warmup_steps=round(warmup_epochs * steps_per_epoch),
        momentum=optimizer.momentum,
        weight_decay=optimizer.weight_decay,
        **objective,
    )


def class_weights(targets: np.ndarray, num_classes: int) -> Tensor:
    """Weights inverse to the classes' frequencies, such that the mean over utterances is one.

    Args:
        targets: classes (n,), or distributions of votes (n, K), whose sums are the frequencies.
        num_classes: number of classes K; 0 where only dimensions are learnt.
    """
    if not num_classes:
        return torch.ones(0)
    counts = np.bincount(targets, minlength=num_classes) if targets.ndim == 1 else targets.sum(0)
    return torch.tensor(len(targets) / (num_classes * np.maximum(counts, 1)), dtype=torch.float32)


def make_fold_task(optimizer: OptimizerConfig, task: FoldTask, epochs: int, steps: int, **recipe: float) -> EmotionTask:
    """The task for the training part of a fold, with all that is learnt of it.

    Args:
        optimizer: the optimiser and its schedule.
        task: the fold.
        epochs: length of the schedule.
        steps: optimiser steps of an epoch.
        **recipe: `weighted`, `label_smoothing`, `focal`, `mixup` of `make_task`.

    Raises:
        ProtocolError: there is nothing to learn of a dimension.
    """
    rows, shares = task.fold.train, task.shares
    targets = task.labels(rows) if shares is None else shares[rows]
    training = make_task(optimizer, targets, task.corpus.num_classes, epochs, steps, **recipe)  # type: ignore[arg-type]
    if shares is not None:
        training.vote(torch.tensor(shares, dtype=torch.float32))
    if task.outputs.dimensions:
        settings = task.config.objective
        loss = dimension_loss(task, task.corpus.manifest.values)
        training.rate(loss, (settings.emotion_weight, settings.dimension_weight))
    return training


def dimension_loss(task: FoldTask, values: np.ndarray) -> DimensionLoss:
    """The configured loss of places against values (n, D) on the scale, by row of the manifest."""
    settings = task.config.objective
    places = torch.tensor(task.outputs.to_unit(values), dtype=torch.float32)
    return DimensionLoss(places, settings.dimension_loss, settings.ccc_utterances)


@torch.no_grad()
def predict(
    model: nn.Module, loader: Any, device: torch.device, num_rows: int, outputs: Outputs | None = None
) -> np.ndarray:
    """Answers (num_rows, K + D) to a loader's utterances, in the order of their rows: probabilities, then values.

    The network's mode is put back as it was. Of several processes each computes every n-th batch, and all have the
    answers: those that one process would have.

    Args:
        model: the network.
        loader: the utterances.
        device: where the network is.
        num_rows: number of utterances.
        outputs: what its outputs mean; logits of classes where absent.

    Raises:
        DivergenceError: some are no numbers.
    """
    training = model.training
    model.eval()
    rows, found = [], []
    shared = 1 < size() <= len(loader)
    for batch in every_nth(loader, rank(), size()) if shared else loader:
        found.append(decode(model(*batch.heard(device)), outputs))
        rows.append(batch.rows.numpy())
    model.train(training)
    numbers, answers = np.concatenate(rows), np.concatenate(found)
    if shared:
        numbers, answers = (gathered(torch.from_numpy(each).to(device)).cpu().numpy() for each in (numbers, answers))
    answers = answers[np.argsort(numbers)]
    if len(answers) != num_rows:
        raise RuntimeError(f"{len(answers)} of {num_rows} utterances were predicted")
    check_probabilities(answers)
    return answers
