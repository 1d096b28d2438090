"""Pooling on maps: windows at an utterance's end see no padding."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts.models.nn.masking import map_mask, strided
from nni_emodarts.models.nn.normalization import MaskedBatchNorm2d


def max_over_real_frames(maps: Tensor, lengths: Tensor, size: int, stride: int, padding: int) -> Tensor:
    """Maximum of windows: maps (N, C, F, T), lengths (N,) -> (N, C, ceil(F / stride), ceil(T / stride)).

    Windows without `padding` may end outside. The padding of utterances has no say, and leaves as zero.
    """
    # A sum and a choice keep the order of memory, which `masked_fill` and its gradient do not.
    lowest = torch.where(map_mask(lengths, maps.shape[-1]), 0.0, float("-inf")).to(maps.dtype)
    pooled = F.max_pool2d(maps + lowest, size, stride, padding, ceil_mode=not padding)
    # Windows without any real frame hold -inf, which normalisation must not multiply.
    return torch.where(map_mask(strided(lengths, stride), pooled.shape[-1]), pooled, 0.0)


class MaxPool(nn.Module):
    """3 x 3 maximum over real frames, normalised."""

    def __init__(self, channels: int, stride: int, affine: bool) -> None:
        super().__init__()
        self.stride = stride
        self.norm = MaskedBatchNorm2d(channels, affine)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T), lengths (N,) -> (N, C, F', T')."""
        out: Tensor = self.norm(self.pool(maps, lengths), strided(lengths, self.stride))
        return out

    def pool(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """The maximum before normalisation, zero in the padding."""
        return max_over_real_frames(maps, lengths, 3, self.stride, padding=1)


class AvgPool(nn.Module):
    """3 x 3 mean over real frames, normalised."""

    def __init__(self, channels: int, stride: int, affine: bool) -> None:
        super().__init__()
        self.stride = stride
        self.norm = MaskedBatchNorm2d(channels, affine)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T) with zero padding, lengths (N,) -> (N, C, F', T')."""
        out: Tensor = self.norm(self.pool(maps, lengths), strided(lengths, self.stride))
        return out

    def pool(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """The mean before normalisation."""
        real = map_mask(lengths, maps.shape[-1]).to(maps.dtype).expand(-1, 1, maps.shape[2], -1)
        share = F.avg_pool2d(real, 3, self.stride, 1)
        return F.avg_pool2d(maps, 3, self.stride, 1) / share.clamp(min=1 / 9)
