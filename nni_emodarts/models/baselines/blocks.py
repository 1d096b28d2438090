"""Convolution blocks that the hand-designed networks share."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts.models.nn.convolution import Stem
from nni_emodarts.models.nn.masking import strided, without_padding


class ConvolutionBlock(nn.Module):
    """Two 3 x 3 convolutions, each normalised and rectified; the second halves time and frequency."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.first = Stem(in_channels, channels, 1, affine=True)
        self.second = Stem(channels, channels, 2, affine=True)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T), lengths (N,) -> (N, C', ceil(F / 2), ceil(T / 2))."""
        return F.relu(self.second(F.relu(self.first(maps, lengths)), lengths))


def make_blocks(input_shape: tuple[int, int], channels: Sequence[int]) -> tuple[nn.ModuleList, tuple[int, int]]:
    """Blocks one behind the other, and the shape that they leave.

    Args:
        input_shape: (C, F), channels and frequency bins of the maps.
        channels: channels of each block.
    """
    in_channels, bins = input_shape
    blocks = nn.ModuleList()
    for out_channels in channels:
        blocks.append(ConvolutionBlock(in_channels, out_channels))
        in_channels, bins = out_channels, -(-bins // 2)
    return blocks, (in_channels, bins)


def convolve(blocks: nn.ModuleList, maps: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """maps (N, C, F, T), lengths (N,) -> maps (N, C', F', T') and lengths (N,) behind all blocks."""
    maps = without_padding(maps, lengths)
    for block in blocks:
        maps, lengths = block(maps, lengths), strided(lengths, 2)
    return maps, lengths
