"""Recurrences alone, on the frames as they come."""

from torch import Tensor, nn

from nni_emodarts.models.nn.bridge import Bridge
from nni_emodarts.models.nn.dropout import Dropout
from nni_emodarts.models.nn.masking import without_padding
from nni_emodarts.models.nn.recurrence import BidirectionalLayer, RecurrentKind, mirrored_frames
from nni_emodarts.models.nn.temporal_pooling import AttentionPooling


class Recurrent(nn.Module):
    """Bidirectional recurrent layers over time, attention pooling, a classifier.

    The RNN and the LSTM of Rajapakshe et al. 2024, with what a careful engineer adds: both directions (Graves &
    Schmidhuber 2005), attention pooling (Mirsamadi et al. 2017), dropout.
    """

    def __init__(
        self,
        kind: RecurrentKind,
        num_classes: int,
        input_shape: tuple[int, int],
        width: int = 64,
        layers: int = 2,
        dropout: float = 0.0,
    ) -> None:
        """Build the network.

        Args:
            kind: `rnn` or `lstm`.
            num_classes: number of classes K.
            input_shape: (C, F), channels and frequency bins of the maps.
            width: width of each layer in each direction.
            layers: number of layers.
            dropout: share of values dropped after each layer.
        """
        super().__init__()
        self.bridge = Bridge(*input_shape, 2 * width)
        self.layers = nn.ModuleList(BidirectionalLayer(kind, 2 * width, width) for _ in range(layers))
        self.dropout = Dropout(dropout)
        self.pooling = AttentionPooling(2 * width)
        self.classifier = nn.Linear(2 * width, num_classes)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T), lengths (N,) in frames -> logits (N, K); what lies behind a length has no say."""
        states = self.bridge(without_padding(maps, lengths), lengths)
        mirror = mirrored_frames(lengths, states.shape[1])
        for layer in self.layers:
            states = self.dropout(layer(states, mirror))
        out: Tensor = self.classifier(self.pooling(states, lengths))
        return out


def rnn(num_classes: int, input_shape: tuple[int, int], dropout: float = 0.0) -> Recurrent:
    """The network of plain recurrences, at its sizes."""
    return Recurrent("rnn", num_classes, input_shape, width=128, dropout=dropout)


def lstm(num_classes: int, input_shape: tuple[int, int], dropout: float = 0.0) -> Recurrent:
    """The network of LSTMs, at its sizes: half the RNN's width, since a layer has four gates."""
    return Recurrent("lstm", num_classes, input_shape, width=64, dropout=dropout)
