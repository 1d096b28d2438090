"""Pooling on maps: windows at an utterance's end see no padding."""

from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts.nn.masking import map_mask, strided
from nni_emodarts.nn.normalization import MaskedBatchNorm2d


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
        lowest = maps.masked_fill(~map_mask(lengths, maps.shape[-1]), float("-inf"))
        pooled = F.max_pool2d(lowest, 3, self.stride, 1)
        # Windows without any real frame hold -inf, which normalisation must not multiply.
        return pooled.masked_fill(~map_mask(strided(lengths, self.stride), pooled.shape[-1]), 0.0)


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
