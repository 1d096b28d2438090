"""From maps to a sequence."""

from torch import Tensor, nn

from nni_emodarts.models.nn.masking import frame_mask


class Bridge(nn.Module):
    """Maps -> a sequence over the same frames: each frame's channels and frequencies, mapped linearly to D.

    The time axis stays, and no frequency is averaged away; the official code recurs over the batch instead, after
    averaging time and frequency.
    """

    def __init__(self, channels: int, frequency_bins: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels * frequency_bins, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T), lengths (N,) -> (N, T, D), zero in the padding."""
        frames = maps.permute(0, 3, 1, 2).flatten(2)
        sequence = self.norm(self.linear(frames))
        out: Tensor = sequence.masked_fill(~frame_mask(lengths, maps.shape[-1])[:, :, None], 0.0)
        return out
