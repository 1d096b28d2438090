"""Convolutions alone: each frame's neighbourhood is heard, and frames are weighed, but nothing is remembered."""

from collections.abc import Sequence

from torch import Tensor, nn

from nni_emodarts.models.baselines.blocks import convolve, make_blocks
from nni_emodarts.models.nn.bridge import Bridge
from nni_emodarts.models.nn.dropout import Dropout
from nni_emodarts.models.nn.temporal_pooling import AttentionPooling


class Cnn(nn.Module):
    """Convolution blocks, attention pooling, a classifier: the CNN of Rajapakshe et al. 2024."""

    def __init__(
        self,
        num_classes: int,
        input_shape: tuple[int, int],
        channels: Sequence[int] = (16, 32, 64, 96),
        width: int = 128,
        dropout: float = 0.0,
    ) -> None:
        """Build the network.

        Args:
            num_classes: number of classes K.
            input_shape: (C, F), channels and frequency bins of the maps.
            channels: channels of each block.
            width: width D of the sequence that is pooled.
            dropout: share of values dropped after the convolutions.
        """
        super().__init__()
        self.blocks, shape = make_blocks(input_shape, channels)
        self.bridge = Bridge(*shape, width)
        self.dropout = Dropout(dropout)
        self.pooling = AttentionPooling(width)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T), lengths (N,) in frames -> logits (N, K); what lies behind a length has no say."""
        maps, lengths = convolve(self.blocks, maps, lengths)
        sequence = self.dropout(self.bridge(maps, lengths))
        out: Tensor = self.classifier(self.pooling(sequence, lengths))
        return out
