"""What happens at the end of an epoch: it is reported, and its weights may be kept."""

import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from nni_emodarts.config import RetrainConfig
from nni_emodarts.metrics.headline import UAR
from nni_emodarts.models.space import set_drop_path
from nni_emodarts.runtime.progress import Progress
from nni_emodarts.training.finite import check_weights, diverging
from nni_emodarts.training.parallel.group import average_statistics, mean_share

OnEpoch = Callable[[dict[str, float]], None]
"""Given the row of history of each epoch: its number, the mean training loss, and validation figures where there is a
validation part."""
Validate = Callable[[nn.Module], dict[str, float]]
"""Validation figures of a network by name, `val_loss` the last."""


def counting(what: str, epochs: int, progress: Progress) -> OnEpoch:
    """Tells progress of each epoch of a training, and first that none is over."""
    progress(what, 0, epochs)
    return lambda row: progress(what, int(row["epoch"]), epochs)


class EpochKeeper(pl.Callback):
    """Sets drop path, averages weights, validates each epoch, keeps an epoch's weights, stops when patience ends."""

    def __init__(
        self, recipe: RetrainConfig, validate: Validate | None, on_epoch: OnEpoch, figure: str = UAR.val
    ) -> None:
        self._figure = figure
        self._recipe = recipe
        self._validate = validate
        self._on_epoch = on_epoch
        self._average: AveragedModel | None = None
        self._best = (-np.inf, -np.inf)
        self._risen = 0
        self._losses: list[torch.Tensor] = []
        self.best_epoch = 0
        self.kept_weights: dict[str, torch.Tensor] = {}
        self.history: list[dict[str, float]] = []

    def on_fit_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Start the moving average of the weights (Polyak & Juditsky 1992), on the network's device."""
        if self._recipe.averaging:
            follow = functools.partial(_follow, self._recipe.averaging)
            self._average = AveragedModel(pl_module.model, multi_avg_fn=follow, use_buffers=True)
            _flatten_recurrences(self._average)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Drop path rises linearly over training (Larsson et al. 2017, as in DARTS)."""
        share = trainer.current_epoch / max(self._recipe.epochs - 1, 1)
        set_drop_path(pl_module.model, self._recipe.drop_path * share)
        self._losses = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, *args: Any) -> None:
        """Follow the weights, and remember the loss."""
        self._losses.append(outputs["loss"].detach())
        if self._average is not None:
            self._average.update_parameters(pl_module.model)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Validate, and keep the weights when they are the best so far; the loss decides between equal figures.

        Raises:
            DivergenceError: weights or probabilities are no numbers, be it by the last step.
        """
        epoch = trainer.current_epoch + 1
        row = {"epoch": epoch, "train_loss": float(mean_share(torch.stack(self._losses).mean()))}
        self.history.append(row)
        network = pl_module.model if self._average is None else self._average.module
        average_statistics(network)
        with diverging(f"in epoch {epoch}, step {len(self._losses)}"):
            check_weights(pl_module)
            figures = None if self._validate is None else self._validate(network)
        if figures is None:
            self._keep(epoch, network)
            self._on_epoch(row)
            return
        row |= figures
        reached, loss = figures[self._figure], figures["val_loss"]
        if reached > self._best[0]:
            self._risen = epoch
        if (reached, -loss) > self._best:
            self._best = (reached, -loss)
            self._keep(epoch, network)
        elif self._recipe.keep == "last":
            self._keep(epoch, network)
        self._on_epoch(row)
        patience = self._recipe.patience
        if patience is not None and epoch - self._risen >= patience:
            trainer.should_stop = True

    def _keep(self, epoch: int, network: nn.Module) -> None:
        self.best_epoch, self.kept_weights = epoch, copy.deepcopy(network.state_dict())


def _flatten_recurrences(model: nn.Module) -> None:
    """Lay each recurrence's weights in one piece, as a GPU wants them; the copy of a network has lost that."""
    for part in model.modules():
        if isinstance(part, nn.RNNBase):
            part.flatten_parameters()


@torch.no_grad()
def _follow(decay: float, averages: list[torch.Tensor], weights: list[torch.Tensor], steps: torch.Tensor) -> None:
    """Move averages towards the weights, at first faster, so that they forget the initial weights soon.

    The decay after n steps is (1 + n) / (10 + n) as long as that is less, as TensorFlow's `ExponentialMovingAverage`
    has it.
    """
    seen = int(steps)
    torch._foreach_lerp_(averages, weights, 1 - min(decay, (1 + seen) / (10 + seen)))
