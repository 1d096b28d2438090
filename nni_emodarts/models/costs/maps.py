"""Parts that work on maps. Their convolutions have no bias, and each weight meets each output position once."""

import re
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from nni_emodarts.models.costs.part import Part
from nni_emodarts.models.nn.convolution import ReluConvNorm, Stem
from nni_emodarts.models.nn.primitives import cnn_operation
from nni_emodarts.models.nn.skip import FactorizedReduce

_CONVOLUTION = re.compile(r"(?P<kind>sep|dil)_conv_(?P<kernel>\d+)x\d+")


@dataclass(frozen=True)
class Grid:
    """Height F and length T of a map."""

    bins: int
    frames: int

    def strided(self, stride: int) -> "Grid":
        """What an operation of this stride leaves: ceil(F / stride), ceil(T / stride)."""
        return Grid(-(-self.bins // stride), -(-self.frames // stride))

    @property
    def area(self) -> int:
        """Positions F * T."""
        return self.bins * self.frames


@dataclass(frozen=True)
class MapPart(Part):
    """A part on maps (1, C, F, T); `grid` is what it receives."""

    grid: Grid

    @property
    @abstractmethod
    def weights(self) -> int:
        """Weights of its convolutions."""

    @property
    @abstractmethod
    def scaled(self) -> int:
        """Channels that its normalisations scale and shift, all normalisations together."""

    @property
    @abstractmethod
    def out(self) -> Grid:
        """The grid that it leaves."""

    @property
    def parameters(self) -> int:
        """Weights, and a scale and a shift of each normalised channel."""
        return self.weights + 2 * self.scaled

    @property
    def flops(self) -> int:
        """2 for each weight and output position."""
        return 2 * self.weights * self.out.area


@dataclass(frozen=True)
class StemPart(MapPart):
    """The first convolution, 3 x 3."""

    in_channels: int
    channels: int
    stride: int

    @property
    def weights(self) -> int:
        """9 C C'."""
        return 9 * self.in_channels * self.channels

    @property
    def scaled(self) -> int:
        """C'."""
        return self.channels

    @property
    def out(self) -> Grid:
        """The grid behind the stride."""
        return self.grid.strided(self.stride)

    def prepare(self) -> Callable[[], object]:
        """See `Part`."""
        return _runner(Stem(self.in_channels, self.channels, self.stride, affine=True), self.in_channels, self.grid)


@dataclass(frozen=True)
class AlignmentPart(MapPart):
    """What brings an input of a cell to its channels: a pointwise convolution, or two half as wide that halve."""

    in_channels: int
    channels: int
    halves: bool

    @property
    def weights(self) -> int:
        """C C'; the two convolutions of a halving share the C' channels."""
        return self.in_channels * self.channels

    @property
    def scaled(self) -> int:
        """C'."""
        return self.channels

    @property
    def out(self) -> Grid:
        """The grid that the cell works on."""
        return self.grid.strided(2 if self.halves else 1)

    def prepare(self) -> Callable[[], object]:
        """See `Part`."""
        layer = FactorizedReduce if self.halves else ReluConvNorm
        return _runner(layer(self.in_channels, self.channels, affine=True), self.in_channels, self.grid)


@dataclass(frozen=True)
class MapOperation(MapPart):
    """An operation on an edge of a CNN cell, other than `none`."""

    name: str
    channels: int
    stride: int

    @property
    def weights(self) -> int:
        """k k C + C C for each depthwise separable convolution; C C for a skip connection that halves."""
        convolution = _CONVOLUTION.fullmatch(self.name)
        if convolution is not None:
            kernel = int(convolution["kernel"])
            return _repeats(convolution) * (kernel * kernel * self.channels + self.channels * self.channels)
        return self.channels * self.channels if self.name == "skip_connect" and self.stride == 2 else 0

    @property
    def scaled(self) -> int:
        """C for each normalisation; a skip connection without stride has none."""
        convolution = _CONVOLUTION.fullmatch(self.name)
        if convolution is not None:
            return _repeats(convolution) * self.channels
        return 0 if self.name == "skip_connect" and self.stride == 1 else self.channels

    @property
    def out(self) -> Grid:
        """The grid behind the stride, which the first of several convolutions carries."""
        return self.grid.strided(self.stride)

    def prepare(self) -> Callable[[], object]:
        """See `Part`."""
        return _runner(cnn_operation(self.name, self.channels, self.stride, affine=True), self.channels, self.grid)


@dataclass(frozen=True)
class CnnJoin(MapPart):
    """The end of a CNN cell: each node sums two maps, and the nodes are concatenated."""

    channels: int
    nodes: int

    weights = 0
    scaled = 0

    @property
    def out(self) -> Grid:
        """The same grid."""
        return self.grid

    def prepare(self) -> Callable[[], object]:
        """See `Part`."""
        return partial(_join, [_maps(self.channels, self.grid) for _ in range(self.nodes)])


def _repeats(convolution: re.Match[str]) -> int:
    """Depthwise separable convolutions in a row: `sep_conv` has two of them, `dil_conv` one."""
    return 2 if convolution["kind"] == "sep" else 1


def _maps(channels: int, grid: Grid) -> Tensor:
    """Random maps (1, C, F, T) in the order of memory that the stem gives to all maps behind it."""
    return torch.randn(1, channels, grid.bins, grid.frames).contiguous(memory_format=torch.channels_last)


def _runner(module: nn.Module, channels: int, grid: Grid) -> Callable[[], object]:
    return partial(module.eval(), _maps(channels, grid), torch.tensor([grid.frames]))


def _join(maps: list[Tensor]) -> Tensor:
    return torch.cat([state + state for state in maps], 1)
