"""What a network hears of a pretrained encoder: a level, each frame normalised, then mapped linearly to a width.

A level has no frequency axis: its features are channels, so that its maps are (N, D, 1, T), of a single bin.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts.models.nn.masking import frame_mask
from nni_emodarts.models.nn.normalization import MaskedBatchNorm2d


class Level(nn.Module):
    """One level of a stream, or neighbours side by side, each frame of mean zero and variance one (Ba et al. 2016).

    Scale and shift are left to the linear map behind it, which can make any of them.
    """

    def __init__(self, places: range, room: int | None = None) -> None:
        """Set what is heard.

        Args:
            places: of the level, or of neighbours, among those of the maps, from 0.
            room: of so many levels side by side; as many as are heard where absent. With more, as in a supernet whose
                other candidates join that many, a single level lies in the middle, its neighbours are silent, and
                it is as loud as all of them.
        """
        super().__init__()
        self.places = places
        self.room = room or len(places)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, L, D, T), or of its own levels alone, lengths (N,) -> (N, room D, 1, T), zero in the padding."""
        count = len(self.places)
        heard = maps if maps.shape[1] == count else maps[:, self.places.start : self.places.stop]
        features = int(heard.shape[2])  # a plain number also where sizes are traced
        frames = F.layer_norm(heard.permute(0, 3, 1, 2), (features,)).flatten(2)
        real = frame_mask(lengths, maps.shape[-1])[:, :, None]
        # A choice, since what lies in the padding need not be a number. Frames one after the other are channels last.
        frames = torch.where(real, frames, 0.0)
        if self.room > count:
            before = (self.room - count) // 2
            frames = F.pad(frames, (before * features, (self.room - count - before) * features))
            frames = frames * math.sqrt(self.room / count)
        return frames[:, None].permute(0, 3, 1, 2)


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
