"""States of a CNN cell of the supernet, computed source by source instead of edge by edge.

- What is the same on all edges that leave a state is computed once: ReLU, pooling and its normalisation, skips.
- An operation of several edges that leave a state is one grouped convolution.
- Every operation ends in a pointwise convolution and a normalisation without scale, and a node sums them with weights:
  all of that is one linear map of the depthwise convolutions' results, its normalisation found from their moments.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nni_emodarts.config import NONE
from nni_emodarts.models.nn.convolution import DepthwiseConv, SeparableConv
from nni_emodarts.models.nn.depthwise import depthwise
from nni_emodarts.models.nn.masking import map_mask
from nni_emodarts.models.nn.normalization import MaskedBatchNorm2d, joint_scale
from nni_emodarts.models.nn.pooling import AvgPool, MaxPool
from nni_emodarts.models.nn.skip import FactorizedReduce
from nni_emodarts.models.space.cells import CnnCell, plain_states
from nni_emodarts.models.space.mixed import SKIP, MixedOperation, halve
from nni_emodarts.search.supernet.averages import average
from nni_emodarts.search.supernet.linear_sum import linear_sum, moments
from nni_emodarts.search.supernet.sources import Around, as_it_is, is_mixed, source_by_source

_CHANNELS_A_CALL = 8
"""Channels of a grouped convolution on a CPU at least, which fill a register."""

_ELEMENTS_A_CALL = 2**19
"""Numbers in the maps of a grouped convolution on a CPU at most, beyond those channels: what a cache holds."""


def map_states(
    cell: CnnCell,
    states: Sequence[Tensor],
    lengths: Sequence[Tensor],
    lengths_out: Tensor,
    around: Around = as_it_is,
) -> list[Tensor]:
    """All states of a cell; equal to `plain_states` within float tolerance."""
    if not is_mixed(cell):
        return plain_states(cell, states, lengths, lengths_out)
    bins, frames = (-(-size // cell.stride) for size in states[0].shape[2:])
    extent = Extent(lengths_out, bins, frames)
    strides = [cell.stride if number < len(states) else 1 for number in range(len(states) + len(cell.nodes))]

    def leave_one(
        numbers: list[int], maps: list[Tensor], edges: list[list[MixedOperation]], shares: list[list[Tensor]]
    ) -> Iterator[Tensor]:
        (number,), (taken,), (leaving,), (weights,) = numbers, maps, edges, shares
        before = lengths[number] if strides[number] > 1 else lengths_out
        yield from Source(taken, before, strides[number], extent).leave(leaving, weights)

    leave_around = around(leave_one)  # state by state, so that the inner results of one are held at once

    def leave(*states: Sequence[Any]) -> Iterator[Tensor]:
        for state in zip(*states, strict=True):
            yield from leave_around(*([part] for part in state))

    def pass_by(number: int, maps: Tensor) -> Tensor:
        if strides[number] > 1:
            return halve(maps, lengths[number])
        return maps.contiguous(memory_format=torch.channels_last)

    return source_by_source(cell, states, leave, pass_by, axis=1)


class Extent:
    """Which pixels of a cell's nodes are real."""

    def __init__(self, lengths: Tensor, bins: int, frames: int) -> None:
        """Of maps (N, C, F, T), with lengths (N,) in frames."""
        self.count = lengths.sum() * bins
        self.padding = ~map_mask(lengths, frames)
        self.padded = bool(self.padding.any())

    def masked(self, maps: Tensor) -> Tensor:
        """Zero in the padding; a choice keeps the order of memory, which the gradient of `masked_fill` does not."""
        return torch.where(self.padding, 0.0, maps) if self.padded else maps


class Source:
    """A state, and what the edges that leave it share: results that need no weights of an edge."""

    def __init__(self, maps: Tensor, lengths: Tensor, stride: int, extent: Extent) -> None:
        """Take a state, or the part of its channels that passes operations.

        Args:
            maps: (N, C, F, T), zero in the padding.
            lengths: (N,) in frames.
            stride: of the edges that leave it.
            extent: of the edges' results.
        """
        self.maps = maps.contiguous(memory_format=torch.channels_last)
        self.lengths = lengths
        self.stride = stride
        self.extent = extent
        self._shared: dict[type, tuple[Tensor, tuple[Tensor, Tensor]]] = {}

    def leave(self, edges: Sequence[MixedOperation], shares: Sequence[Tensor]) -> Iterator[Tensor]:
        """Results of edges, each times its share: (N, C, F', T') each."""
        size = self._edges_a_call() if self.maps.device.type == "cpu" else len(edges)
        for start in range(0, len(edges), size):
            yield from _Bundle(self, edges[start : start + size], shares[start : start + size]).results()

    def _edges_a_call(self) -> int:
        return max(_CHANNELS_A_CALL // self.maps.shape[1], _ELEMENTS_A_CALL // self.maps.numel(), 1)

    @functools.cached_property
    def rectified(self) -> Tensor:
        """ReLU (N, C, F, T)."""
        return rectify(self.maps)

    def pool(self, operation: MaxPool | AvgPool) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Pooled maps (N, C, F', T') before normalisation, and their moments."""
        if type(operation) not in self._shared:
            averages = isinstance(operation, AvgPool)
            pool = functools.partial(average, stride=self.stride) if averages else operation.pool
            self._shared[type(operation)] = self._with_moments(pool(self.maps, self.lengths))
        return self._shared[type(operation)]

    def halves(self, operation: FactorizedReduce) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Every second frame and bin, and the others, side by side: (N, 2 C, F', T'), and their moments."""
        if FactorizedReduce not in self._shared:
            self._shared[FactorizedReduce] = self._with_moments(torch.cat(operation.halves(self.rectified), 1))
        return self._shared[FactorizedReduce]

    def _with_moments(self, maps: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        maps = self.extent.masked(maps.contiguous(memory_format=torch.channels_last))
        return maps, moments(maps, self.extent.count)


class _Bundle:
    """Edges that leave one source and are computed together; their channels lie side by side."""

    def __init__(self, source: Source, edges: Sequence[MixedOperation], shares: Sequence[Tensor]) -> None:
        self._source = source
        self._extent = source.extent
        self._edges = edges
        self._width = source.maps.shape[1]
        self._shift = source.maps.new_zeros(len(edges) * self._width)
        self._terms: list[tuple[Tensor, Tensor]] = []
        weights = torch.stack([share * edge.probabilities() for edge, share in zip(edges, shares, strict=True)], 1)
        self._weights = dict(zip(edges[0].names, weights, strict=True))

    def results(self) -> tuple[Tensor, ...]:
        """The weighted sum of the operations of each edge, (N, C, F', T') each."""
        for name, weights in self._weights.items():
            if name != NONE:
                self._add(name, weights)
        out = self._extent.masked(linear_sum(self._terms, self._shift))
        return tuple(out.split(self._width, 1))

    def _add(self, name: str, weights: Tensor) -> None:
        """An operation of all edges; weights (edges,)."""
        operations: list[Any] = [edge[name] for edge in self._edges]
        first = operations[0]
        if isinstance(first, (MaxPool, AvgPool)):
            maps, statistics = self._source.pool(first)
            projection = self._identity(len(operations))
        elif isinstance(first, FactorizedReduce):
            maps, statistics = self._source.halves(first)
            projection = torch.cat([operation.projection() for operation in operations])
        elif isinstance(first, (DepthwiseConv, SeparableConv)):
            maps, operations = self._convolve(operations)
            statistics = moments(maps, self._extent.count)
            projection = _pointwise(operations)
        else:
            self._skip(weights)
            return
        scale, shift = self._normalize([operation.norm for operation in operations], projection, statistics)
        if name == SKIP and self._skip_dropout:
            skipped = self._extent.masked(linear_sum([(maps, scale[:, None] * projection)], shift))
            self._drop(skipped, weights)
            return
        share = weights.repeat_interleave(self._width)
        self._terms.append((maps, (share * scale)[:, None] * projection))
        self._shift = self._shift + share * shift

    @property
    def _skip_dropout(self) -> float:
        return self._edges[0].skip_dropout if self._edges[0].training else 0.0

    def _skip(self, weights: Tensor) -> None:
        maps = self._source.maps
        if self._skip_dropout:
            self._drop(torch.cat([maps for _ in weights], 1), weights)
        else:
            self._terms.append((maps, weights.repeat_interleave(self._width)[:, None] * self._identity(len(weights))))

    def _drop(self, skipped: Tensor, weights: Tensor) -> None:
        """What skip connections pass on, all edges side by side, less what dropout takes."""
        share = torch.diag(weights.repeat_interleave(self._width))
        self._terms.append((F.dropout(skipped, self._skip_dropout), share))

    @functools.cached_property
    def _rectified(self) -> Tensor:
        """The source's, once for each edge, (N, edges C, F, T)."""
        rectified, times = self._source.rectified, len(self._edges)
        return torch.cat([rectified] * times, 1) if times > 1 else rectified

    def _convolve(self, operations: Sequence[Any]) -> tuple[Tensor, list[Any]]:
        """The operations' maps before their last pointwise convolution, and the layers that this belongs to."""
        if isinstance(operations[0], DepthwiseConv):
            return self._depthwise(self._rectified, operations), list(operations)
        first, second = [each.first for each in operations], [each.second for each in operations]
        maps = self._depthwise(self._rectified, first)
        projection = _pointwise(first)
        statistics = moments(maps, self._extent.count)
        scale, shift = self._normalize([layer.norm for layer in first], projection, statistics)
        hidden = linear_sum([(maps, scale[:, None] * projection)], shift)
        return self._depthwise(rectify(self._extent.masked(hidden)), second), second

    def _depthwise(self, maps: Tensor, layers: Sequence[DepthwiseConv]) -> Tensor:
        conv = layers[0].depthwise
        weight = torch.cat([layer.depthwise.weight for layer in layers])
        return self._extent.masked(depthwise(maps, weight, conv.stride[0], conv.dilation[0]))

    def _normalize(
        self, norms: Sequence[MaskedBatchNorm2d], projection: Tensor, statistics: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Scale and shift that normalise `projection` (C', C) of maps with these moments: (C',) each."""
        mean, covariance = statistics
        variance = ((projection @ covariance) * projection).sum(1).clamp(min=0.0)
        return joint_scale(norms, projection @ mean, variance, self._extent.count)

    def _identity(self, times: int) -> Tensor:
        return torch.eye(self._width).to(self._source.maps).repeat(times, 1)


def rectify(maps: Tensor) -> Tensor:
    """ReLU. Its own backward pass on a CPU is several times slower than that of the leaky one (torch 2.11)."""
    return F.leaky_relu(maps, 0.0)


def _pointwise(layers: Sequence[DepthwiseConv]) -> Tensor:
    """Pointwise convolutions of layers side by side: (C, C), a block for each."""
    blocks: Tensor = torch.block_diag(*(layer.pointwise.weight[:, :, 0, 0] for layer in layers))
    return blocks
