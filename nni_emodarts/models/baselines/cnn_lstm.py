"""The network that most papers on speech emotion build by hand: convolutions, a recurrence, attention."""

from collections.abc import Sequence

from torch import Tensor, nn

from nni_emodarts.models.baselines.blocks import convolve, make_blocks
from nni_emodarts.models.nn.bridge import Bridge
from nni_emodarts.models.nn.dropout import Dropout
from nni_emodarts.models.nn.recurrence import BidirectionalLayer, mirrored_frames
from nni_emodarts.models.nn.temporal_pooling import AttentionPooling


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
        dropout: float = 0.0,
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
        self.blocks, shape = make_blocks(input_shape, channels)
        self.bridge = Bridge(*shape, 2 * width)
        self.recurrence = BidirectionalLayer("lstm", 2 * width, width)
        self.dropout = Dropout(dropout)
        self.pooling = AttentionPooling(2 * width)
        self.classifier = nn.Linear(2 * width, num_classes)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T), lengths (N,) in frames -> logits (N, K); what lies behind a length has no say."""
        maps, lengths = convolve(self.blocks, maps, lengths)
        sequence = self.dropout(self.bridge(maps, lengths))
        states = self.recurrence(sequence, mirrored_frames(lengths, sequence.shape[1]))
        out: Tensor = self.classifier(self.pooling(self.dropout(states), lengths))
        return out
