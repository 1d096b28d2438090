"""Operations that pass their input on, halve it, or drop it."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts.models.nn.halving import every_second
from nni_emodarts.models.nn.masking import strided
from nni_emodarts.models.nn.normalization import MaskedBatchNorm2d


class Skip(nn.Module):
    """The input itself, of maps and sequences alike."""

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """(N, ...) -> the same."""
        return inputs


class FactorizedReduce(nn.Module):
    """Halves time and frequency with two pointwise convolutions, shifted by one, side by side (DARTS).

    Over time alone, bins stay: of a single bin, the shifted one is beyond the edge, where all is zero.

    Every second frame and bin is taken before the convolution, not by its stride: the backward pass of a strided
    pointwise convolution writes past its memory on a CPU (torch 2.11, channels last, fewer than 8 channels).
    """

    stride = 2

    def __init__(self, in_channels: int, out_channels: int, affine: bool, time_only: bool = False) -> None:
        super().__init__()
        self.time_only = time_only
        self.even = nn.Conv2d(in_channels, out_channels - out_channels // 2, 1, bias=False)
        # One output channel leaves nothing for the shifted half.
        self.odd = nn.Conv2d(in_channels, out_channels // 2, 1, bias=False) if out_channels > 1 else None
        self.norm = MaskedBatchNorm2d(out_channels, affine)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T), lengths (N,) -> (N, C', ceil(F / 2), ceil(T / 2))."""
        even, odd = self.halves(F.relu(maps))
        parts = [self.even(even)] if self.odd is None else [self.even(even), self.odd(odd)]
        out: Tensor = self.norm(torch.cat(parts, 1), strided(lengths, self.stride))
        return out

    def halves(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Every second frame and bin, and the same shifted by one: (N, C, ceil(F / 2), ceil(T / 2)) each."""
        return every_second(maps, 0, self.time_only), every_second(maps, 1, self.time_only)

    def projection(self) -> Tensor:
        """Both convolutions as one matrix (C', 2 C) that acts on both halves side by side."""
        convolutions = [conv.weight[:, :, 0, 0] for conv in (self.even, self.odd) if conv is not None]
        matrix = torch.block_diag(*convolutions)
        return F.pad(matrix, (0, 2 * self.even.in_channels - matrix.shape[1]))


class Zero(nn.Module):
    """`none`: no connection. It exists in the supernet only."""

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """(N, ...) -> zeros, of the strided size for maps."""
        kept = inputs if self.stride == 1 else inputs[:, :, :: self.stride, :: self.stride]
        return torch.zeros_like(kept)
