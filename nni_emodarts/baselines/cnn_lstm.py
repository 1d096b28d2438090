"""The network that most papers on speech emotion build by hand: convolutions, a recurrence, attention."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts.nn.bridge import Bridge
from nni_emodarts.nn.convolution import Stem
from nni_emodarts.nn.masking import strided
from nni_emodarts.nn.recurrence import BidirectionalLayer, mirrored_frames
from nni_emodarts.nn.temporal_pooling import AttentionPooling


class ConvolutionBlock(nn.Module):
    """Two 3 x 3 convolutions, each normalised and rectified; the second halves time and frequency."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.first = Stem(in_channels, channels, 1, affine=True)
        self.second = Stem(channels, channels, 2, affine=True)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T), lengths (N,) -> (N, C', ceil(F / 2), ceil(T / 2))."""
        return F.relu(self.second(F.relu(self.first(maps, lengths)), lengths))


class CnnLstm(nn.Module):
    """Convolution blocks, a bidirectional LSTM over time, attention pooling, a classifier.

    The CNN-LSTM of the field (Zhao et al. 2019; the baseline of Rajapakshe et al. 2024), with the parts that a careful
    engineer adds: batch normalisation, attention pooling (Mirsamadi et al. 2017), dropout. It masks padding as the
    space's networks do.
    """

    def __init__(
        self,
        num_classes: int,
        input_shape: tuple[int, int],
        channels: Sequence[int] = (16, 32, 64),
        width: int = 64,
        dropout: float = 0.3,
    ) -> None:
        """Build the network.

        Args:
            num_classes: number of classes K.
            input_shape: (C, F), channels and frequency bins of the maps.
            channels: channels of each block.
            width: width of the LSTM in each direction.
            dropout: share of values dropped after the convolutions and after the recurrence.
        """
        super().__init__()
        in_channels, bins = input_shape
        self.blocks = nn.ModuleList()
        for out_channels in channels:
            self.blocks.append(ConvolutionBlock(in_channels, out_channels))
            in_channels, bins = out_channels, -(-bins // 2)
        self.bridge = Bridge(in_channels, bins, 2 * width)
        self.recurrence = BidirectionalLayer("lstm", 2 * width, width)
        self.dropout = nn.Dropout(dropout)
        self.pooling = AttentionPooling(2 * width)
        self.classifier = nn.Linear(2 * width, num_classes)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T) with zero padding, lengths (N,) in frames -> logits (N, K)."""
        for block in self.blocks:
            maps, lengths = block(maps, lengths), strided(lengths, 2)
        sequence = self.dropout(self.bridge(maps, lengths))
        states = self.recurrence(sequence, mirrored_frames(lengths, sequence.shape[1]))
        out: Tensor = self.classifier(self.pooling(self.dropout(states), lengths))
        return out
