"""The kinds of parts that networks of the space consist of."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nni_emodarts.models.costs.part import Part
from nni_emodarts.models.nn.bridge import Bridge
from nni_emodarts.models.nn.convolution import Stem
from nni_emodarts.models.nn.functionals import JoinedFunctionals
from nni_emodarts.models.nn.levels import Projection
from nni_emodarts.models.nn.primitives import alignment, cnn_operation, sequence_operation
from nni_emodarts.models.nn.resampling import StreamSum, in_one_time
from nni_emodarts.models.nn.shortcut import Shortcut
from nni_emodarts.models.nn.temporal_pooling import POOLINGS


class Maps(NamedTuple):
    """Shape (C, F, T) of an utterance's maps."""

    channels: int
    bins: int
    frames: int

    def strided(self, stride: int) -> "Maps":
        """What an operation of this stride leaves: ceil(F / stride), ceil(T / stride)."""
        return Maps(self.channels, -(-self.bins // stride), -(-self.frames // stride))

    def draw(self) -> Tensor:
        """Random maps (1, C, F, T) in the order of memory that the stem gives to all maps behind it."""
        return torch.randn(1, *self).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class _MapPart(Part):
    """A part that takes maps."""

    maps: Maps

    def inputs(self) -> tuple[Tensor, ...]:
        """Maps and their length."""
        return self.maps.draw(), torch.tensor([self.maps.frames])


@dataclass(frozen=True)
class StemPart(_MapPart):
    """The first convolution."""

    channels: int
    stride: int

    def build(self) -> nn.Module:
        """See `Part`."""
        return Stem(self.maps.channels, self.channels, self.stride, affine=True)


@dataclass(frozen=True)
class ProjectionPart(_MapPart):
    """Features of a pretrained stream's level, or of several side by side -> maps of a single bin."""

    channels: int

    def build(self) -> nn.Module:
        """See `Part`."""
        return Projection(self.maps.channels, self.channels, affine=True)


@dataclass(frozen=True)
class AlignmentPart(_MapPart):
    """What brings an input of a cell to its channels, and halves the first one behind a reduction."""

    channels: int
    halves: bool
    time_only: bool = False

    def build(self) -> nn.Module:
        """See `Part`."""
        return alignment(self.maps.channels, self.channels, True, self.halves, self.time_only)


@dataclass(frozen=True)
class MapOperation(_MapPart):
    """An operation on an edge of a CNN cell, other than `none`."""

    stride: int
    time_only: bool
    name: str

    def build(self) -> nn.Module:
        """See `Part`."""
        return cnn_operation(self.name, self.maps.channels, self.stride, affine=True, time_only=self.time_only)


@dataclass(frozen=True)
class BridgePart(_MapPart):
    """Maps -> sequence."""

    width: int

    def build(self) -> nn.Module:
        """See `Part`."""
        return Bridge(self.maps.channels, self.maps.bins, self.width)


@dataclass(frozen=True)
class CnnJoin(Part):
    """The end of a CNN cell: each node sums two maps, and the nodes are concatenated."""

    maps: Maps
    nodes: int

    def build(self) -> nn.Module:
        """See `Part`."""
        return _Concatenation()

    def inputs(self) -> tuple[Tensor, ...]:
        """Maps of each node."""
        return tuple(self.maps.draw() for _ in range(self.nodes))


class _Concatenation(nn.Module):
    def forward(self, *maps: Tensor) -> Tensor:
        return torch.cat([state + state for state in maps], 1)


@dataclass(frozen=True)
class _SequencePart(Part):
    """A part that takes a sequence of T frames and width D."""

    frames: int
    width: int

    def inputs(self) -> tuple[Tensor, ...]:
        """A sequence and its length."""
        return torch.randn(1, self.frames, self.width), torch.tensor([self.frames])


@dataclass(frozen=True)
class SequenceOperation(_SequencePart):
    """An operation on an edge of a SeqNN cell, other than `none`."""

    normalized: bool
    name: str

    def build(self) -> nn.Module:
        """See `Part`."""
        return sequence_operation(self.name, self.width, self.normalized)


@dataclass(frozen=True)
class PoolingPart(_SequencePart):
    """Sequence -> vector."""

    kind: str

    def build(self) -> nn.Module:
        """See `Part`."""
        return POOLINGS[self.kind](self.width)


@dataclass(frozen=True)
class SeqnnJoin(_SequencePart):
    """The end of a SeqNN cell: each node sums two sequences, the nodes are averaged and normalised."""

    nodes: int

    def build(self) -> nn.Module:
        """See `Part`."""
        return _NormalizedMean(self.width)

    def inputs(self) -> tuple[Tensor, ...]:
        """A sequence of each node."""
        return tuple(torch.randn(1, self.frames, self.width) for _ in range(self.nodes))


class _NormalizedMean(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, *sequences: Tensor) -> Tensor:
        out: Tensor = self.norm(torch.stack([state + state for state in sequences]).mean(0))
        return out


@dataclass(frozen=True)
class StreamsPart(Part):
    """The sum of the sequences of several streams, each brought to the time of that with the fewest frames."""

    frames: tuple[int, ...]
    width: int

    def build(self) -> nn.Module:
        """See `Part`."""
        return _SumInOneTime(len(self.frames))

    def inputs(self) -> tuple[Tensor, ...]:
        """A sequence of each stream."""
        return tuple(torch.randn(1, frames, self.width) for frames in self.frames)


class _SumInOneTime(nn.Module):
    def __init__(self, streams: int) -> None:
        super().__init__()
        self.sum = StreamSum(range(streams))

    def forward(self, *sequences: Tensor) -> Tensor:
        lengths = [torch.full((1,), each.shape[1], device=each.device) for each in sequences]
        out: Tensor = self.sum(*in_one_time(sequences, lengths))
        return out


@dataclass(frozen=True)
class ClassifierPart(Part):
    """Vector -> logits."""

    width: int
    num_classes: int

    def build(self) -> nn.Module:
        """See `Part`."""
        return nn.Linear(self.width, self.num_classes)

    def inputs(self) -> tuple[Tensor, ...]:
        """A vector."""
        return (torch.randn(1, self.width),)


@dataclass(frozen=True)
class FunctionalsPart(Part):
    """Functionals -> logits."""

    functionals: int
    num_classes: int

    def build(self) -> nn.Module:
        """See `Part`."""
        return JoinedFunctionals(self.functionals, self.num_classes)

    def inputs(self) -> tuple[Tensor, ...]:
        """The functionals."""
        return (torch.randn(1, self.functionals),)


@dataclass(frozen=True)
class ShortcutPart(_MapPart):
    """What is heard, pooled over time -> logits."""

    num_classes: int

    def build(self) -> nn.Module:
        """See `Part`."""
        return Shortcut(self.maps.channels * self.maps.bins, self.num_classes)
