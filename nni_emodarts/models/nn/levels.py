"""What a network hears of a pretrained encoder: a level, each frame normalised, then mapped linearly to a width.

A level has no frequency axis: its features are channels, so that its maps are (N, D, 1, T), of a single bin.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts.models.nn.masking import frame_mask
from nni_emodarts.models.nn.normalization import MaskedBatchNorm2d


class Level(nn.Module):
    """One level of a stream, each frame of mean zero and variance one (Ba et al. 2016).

    Scale and shift are left to the linear map behind it, which can make any of them.
    """

    def __init__(self, place: int) -> None:
        """Set the place of the level among those of the maps, from 0."""
        super().__init__()
        self.place = place

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, L, D, T), or (N, 1, D, T) of this level alone, lengths (N,) -> (N, D, 1, T), zero in the padding."""
        level = maps[:, self.place if maps.shape[1] > 1 else 0]
        features = int(level.shape[1])  # a plain number also where sizes are traced
        frames = F.layer_norm(level.transpose(1, 2), (features,))
        real = frame_mask(lengths, maps.shape[-1])[:, :, None]
        # A choice, since what lies in the padding need not be a number. Frames one after the other are channels last.
        return torch.where(real, frames, 0.0)[:, None].permute(0, 3, 1, 2)


class Projection(nn.Module):
    """Features of a level -> the width of the first cell's inputs: what a stem is to spectral maps."""

    def __init__(self, in_channels: int, out_channels: int, affine: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.norm = MaskedBatchNorm2d(out_channels, affine)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, D, 1, T), lengths (N,) -> (N, C, 1, T)."""
        out: Tensor = self.norm(self.conv(maps.contiguous(memory_format=torch.channels_last)), lengths)
        return out
