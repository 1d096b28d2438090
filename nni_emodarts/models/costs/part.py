"""What every part of a network can tell."""

import functools
from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from nni_emodarts.models.costs.counting import count_pass, shapes_only


class Part(ABC):
    """A part of a derived network, at the size that it has there. Equal parts cost the same, and are counted once.

    FLOPs are those of one utterance without padding. A multiply-add of a convolution, a linear map, a recurrence or an
    attention (its scores and its weighted sum over time) counts as 2. Everything else is left out: biases, activations
    and gates, normalisation, pooling windows, means, softmax, masks, and the sums of nodes. Convolutions count every
    weight at every output position, also where the window reaches into the border.
    """

    @abstractmethod
    def build(self) -> nn.Module:
        """Its module, newly initialised."""

    @abstractmethod
    def inputs(self) -> tuple[Tensor, ...]:
        """What the module takes of one utterance, with random values."""

    @property
    def parameters(self) -> int:
        """Trainable numbers."""
        return _count(self).parameters

    @property
    def flops(self) -> int:
        """FLOPs of one pass."""
        return _count(self).flops

    @property
    def out(self) -> tuple[int, ...]:
        """Shape of what it leaves for one utterance: maps (C, F, T), a sequence (T, D), or a vector (D,)."""
        return _count(self).out


class _Count(NamedTuple):
    parameters: int
    flops: int
    out: tuple[int, ...]


@functools.cache
def _count(part: Part) -> _Count:
    with shapes_only():
        module = part.build()
        flops, out = count_pass(module, *part.inputs())
    return _Count(sum(parameter.numel() for parameter in module.parameters()), flops, tuple(out.shape[1:]))
