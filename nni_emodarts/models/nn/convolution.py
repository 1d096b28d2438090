"""Convolutions on maps. Each keeps padding at zero and turns T frames into ceil(T / stride)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts.models.nn.depthwise import depthwise
from nni_emodarts.models.nn.masking import strided
from nni_emodarts.models.nn.normalization import MaskedBatchNorm2d

Kernel = tuple[int, int]
"""Bins and frames of a kernel, both odd."""


class ReluConvNorm(nn.Module):
    """ReLU, pointwise convolution, normalisation: brings a cell's input to its number of channels."""

    def __init__(self, in_channels: int, out_channels: int, affine: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.norm = MaskedBatchNorm2d(out_channels, affine)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T), lengths (N,) -> (N, C', F, T)."""
        out: Tensor = self.norm(self.conv(F.relu(maps)), lengths)
        return out


class DepthwiseConv(nn.Module):
    """ReLU, depthwise and pointwise convolution, normalisation; dilated on request (DARTS: `dil_conv`).

    A kernel has as many bins as frames; one bin makes it a convolution over time alone.
    """

    def __init__(self, channels: int, kernel: Kernel, stride: int, dilation: int, affine: bool) -> None:
        super().__init__()
        self.stride = stride
        self.dilation = dilation
        bins, frames = (dilation * (size // 2) for size in kernel)
        self.depthwise = nn.Conv2d(
            channels, channels, kernel, stride, (bins, frames), dilation, groups=channels, bias=False
        )
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm = MaskedBatchNorm2d(channels, affine)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T), lengths (N,) -> (N, C, F', T')."""
        filtered = self._filter(F.relu(maps))
        out: Tensor = self.norm(self.pointwise(filtered), strided(lengths, self.stride))
        return out

    def _filter(self, maps: Tensor) -> Tensor:
        """The depthwise convolution; in training the way whose gradient is fast, else one that can be exported."""
        if self.training:
            return depthwise(maps, self.depthwise.weight, self.stride, self.dilation)
        filtered: Tensor = self.depthwise(maps)
        return filtered


class SeparableConv(nn.Module):
    """Two depthwise separable convolutions; the first carries the stride (DARTS: `sep_conv`)."""

    def __init__(self, channels: int, kernel: Kernel, stride: int, affine: bool) -> None:
        super().__init__()
        self.first = DepthwiseConv(channels, kernel, stride, 1, affine)
        self.second = DepthwiseConv(channels, kernel, 1, 1, affine)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T), lengths (N,) -> (N, C, F', T')."""
        out: Tensor = self.second(self.first(maps, lengths), strided(lengths, self.first.stride))
        return out


class Stem(nn.Module):
    """The first convolution: feature channels -> the width of the first cell's inputs."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, affine: bool) -> None:
        super().__init__()
        self.stride = stride
        # Convolutions run several times faster on this order of memory, and all maps behind keep it. Maps of one
        # channel are in either order; the order of the weights then decides.
        self.conv = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.conv.weight.data = self.conv.weight.data.contiguous(memory_format=torch.channels_last)
        self.norm = MaskedBatchNorm2d(out_channels, affine)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T) with zero padding, lengths (N,) -> (N, C', F', T')."""
        convolved = self.conv(maps.contiguous(memory_format=torch.channels_last))
        out: Tensor = self.norm(convolved, strided(lengths, self.stride))
        return out
