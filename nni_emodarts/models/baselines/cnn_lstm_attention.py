"""Convolutions, a recurrence, and attention between its states."""

from collections.abc import Sequence

from torch import Tensor, nn

from nni_emodarts.models.baselines.blocks import convolve, make_blocks
from nni_emodarts.models.nn.bridge import Bridge
from nni_emodarts.models.nn.dropout import Dropout
from nni_emodarts.models.nn.recurrence import RecurrentAttention
from nni_emodarts.models.nn.temporal_pooling import AttentionPooling


class CnnLstmAttention(nn.Module):
    """Convolution blocks, a bidirectional LSTM whose states attend to all of time, attention pooling, a classifier.

    The CNN-LSTM with attention of Rajapakshe et al. 2024. Where `CnnLstm` weighs frames once, in its pooling, here a
    context of the whole utterance joins every state first, as in the space's operation `lstm_att_1`.
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
            width: width D of the sequence, and of the LSTM in each direction.
            dropout: share of values dropped after the convolutions and after the attention.
        """
        super().__init__()
        self.blocks, shape = make_blocks(input_shape, channels)
        self.bridge = Bridge(*shape, width)
        self.recurrence = RecurrentAttention("lstm", width, layers=1)
        self.dropout = Dropout(dropout)
        self.pooling = AttentionPooling(width)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T), lengths (N,) in frames -> logits (N, K); what lies behind a length has no say."""
        maps, lengths = convolve(self.blocks, maps, lengths)
        sequence = self.dropout(self.bridge(maps, lengths))
        states = self.dropout(self.recurrence(sequence, lengths))
        out: Tensor = self.classifier(self.pooling(states, lengths))
        return out
