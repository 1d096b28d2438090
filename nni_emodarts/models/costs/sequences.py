"""Parts that work on sequences, from the bridge to the classifier."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from nni_emodarts.models.costs.maps import Grid
from nni_emodarts.models.costs.part import Part
from nni_emodarts.models.nn.bridge import Bridge
from nni_emodarts.models.nn.primitives import RECURRENT, sequence_operation
from nni_emodarts.models.nn.temporal_pooling import POOLINGS

_GATES = {"lstm": 4, "rnn": 1}


@dataclass(frozen=True)
class BridgePart(Part):
    """Maps -> sequence: a linear map of each frame, normalised."""

    channels: int
    grid: Grid
    width: int

    @property
    def parameters(self) -> int:
        """C F D, a bias, and the normalisation's scale and shift."""
        return self.channels * self.grid.bins * self.width + 3 * self.width

    @property
    def flops(self) -> int:
        """2 C F D a frame."""
        return 2 * self.channels * self.grid.area * self.width

    def prepare(self) -> Callable[[], object]:
        """See `Part`."""
        maps = torch.randn(1, self.channels, self.grid.bins, self.grid.frames)
        layer = Bridge(self.channels, self.grid.bins, self.width).eval()
        return partial(layer, maps.contiguous(memory_format=torch.channels_last), torch.tensor([self.grid.frames]))


@dataclass(frozen=True)
class SequenceOperation(Part):
    """An operation on an edge of a SeqNN cell, other than `none`.

    A recurrent layer of g gates (4 of an LSTM, 1 of an RNN) from width D to H has g H (D + H) weights, each used once a
    frame, and torch's two biases, 2 g H. The attention behind bidirectional layers scores states of 2 H, weighs them
    into one context, and maps states and context, 4 H, back to H.
    """

    name: str
    width: int
    frames: int
    normalized: bool = False

    @property
    def parameters(self) -> int:
        """Of all layers, of the score without bias, and of the output's linear map."""
        parsed = RECURRENT.fullmatch(self.name)
        if parsed is None:
            return 0
        biases = 2 * _GATES[parsed["kind"]] * self.width * _recurrences(parsed)
        attention = 2 * self.width + (4 * self.width + 1) * self.width if parsed["attention"] else 0
        return self._recurrent_weights(parsed) + biases + attention

    @property
    def flops(self) -> int:
        """2 for each weight and frame, and for each state that the attention weighs; its context is mapped once."""
        parsed = RECURRENT.fullmatch(self.name)
        if parsed is None:
            return 0
        score, weighted_sum, output = 2 * self.width, 2 * self.width, 2 * self.width * self.width
        attention = self.frames * (score + weighted_sum + output) + output if parsed["attention"] else 0
        return 2 * (self.frames * self._recurrent_weights(parsed) + attention)

    def _recurrent_weights(self, parsed: re.Match[str]) -> int:
        """Weights of all recurrences; after the first layer, a bidirectional one receives both directions."""
        directions = 2 if parsed["attention"] else 1
        layers = int(parsed["layers"])
        in_widths = self.width * (1 + directions * (layers - 1))
        return directions * _GATES[parsed["kind"]] * self.width * (in_widths + layers * self.width)

    def prepare(self) -> Callable[[], object]:
        """See `Part`."""
        return _runner(sequence_operation(self.name, self.width, self.normalized), self.width, self.frames)


@dataclass(frozen=True)
class SeqnnJoin(Part):
    """The end of a SeqNN cell: each node sums two sequences, the nodes are averaged and normalised."""

    width: int
    nodes: int
    frames: int

    flops = 0

    @property
    def parameters(self) -> int:
        """The normalisation's scale and shift."""
        return 2 * self.width

    def prepare(self) -> Callable[[], object]:
        """See `Part`."""
        states = [torch.randn(1, self.frames, self.width) for _ in range(self.nodes)]
        return partial(_join, states, nn.LayerNorm(self.width).eval())


@dataclass(frozen=True)
class PoolingPart(Part):
    """Sequence -> vector."""

    kind: str
    width: int
    frames: int

    @property
    def out_width(self) -> int:
        """Width of the vector; `statistics` puts a deviation beside the mean."""
        return 2 * self.width if self.kind == "statistics" else self.width

    @property
    def parameters(self) -> int:
        """Of the score's two linear maps, D -> D with and D -> 1 without a bias."""
        return 0 if self.kind == "mean" else self.width * (self.width + 2)

    @property
    def flops(self) -> int:
        """2 for each weight of the score and frame, and for each value of a weighted mean, of squares too."""
        if self.kind == "mean":
            return 0
        return 2 * self.frames * (self.width * self.width + self.width + self.out_width)

    def prepare(self) -> Callable[[], object]:
        """See `Part`."""
        return _runner(POOLINGS[self.kind](self.width), self.width, self.frames)


@dataclass(frozen=True)
class ClassifierPart(Part):
    """Vector -> logits."""

    width: int
    num_classes: int

    @property
    def parameters(self) -> int:
        """D K and a bias."""
        return (self.width + 1) * self.num_classes

    @property
    def flops(self) -> int:
        """2 D K."""
        return 2 * self.width * self.num_classes

    def prepare(self) -> Callable[[], object]:
        """See `Part`."""
        return partial(nn.Linear(self.width, self.num_classes).eval(), torch.randn(1, self.width))


def _recurrences(parsed: re.Match[str]) -> int:
    """Recurrent layers, each direction by itself."""
    return int(parsed["layers"]) * (2 if parsed["attention"] else 1)


def _runner(module: nn.Module, width: int, frames: int) -> Callable[[], object]:
    return partial(module.eval(), torch.randn(1, frames, width), torch.tensor([frames]))


def _join(states: list[Tensor], norm: nn.LayerNorm) -> Tensor:
    out: Tensor = norm(torch.stack([state + state for state in states]).mean(0))
    return out
