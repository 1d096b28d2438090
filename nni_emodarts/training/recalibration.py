"""Statistics of batch normalisation for one path of a supernet."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from nni_emodarts.data.batches import Batch
from nni_emodarts.models.nn.normalization import MaskedBatchNorm2d


@torch.no_grad()
def recalibrate(model: nn.Module, batches: Iterable[Batch], device: torch.device) -> None:
    """Measure the running statistics of batch normalisation anew, as the mean over batches (SPOS, Guo et al. 2020).

    Layers that the present path does not use keep what they have. Nothing random is drawn: dropout is off.
    """
    with batch_statistics(model) as layers:
        momenta = [layer.momentum for layer in layers]
        for number, batch in enumerate(batches, 1):
            for layer in layers:
                layer.momentum = 1 / number
            model(*batch.heard(device))
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


@contextmanager
def batch_statistics(model: nn.Module) -> Iterator[list[MaskedBatchNorm2d]]:
    """Evaluation mode, but batch normalisation takes the statistics of each batch; gives its layers."""
    training = model.training
    layers = [part for part in model.modules() if isinstance(part, MaskedBatchNorm2d)]
    model.eval()
    for layer in layers:
        layer.train()
    try:
        yield layers
    finally:
        model.train(training)
