"""The head that the field puts on a pretrained encoder: all levels, weighed and summed, then a recurrence."""

from torch import Tensor, nn

from nni_emodarts.models.nn.dropout import Dropout
from nni_emodarts.models.nn.level_sum import LevelSum
from nni_emodarts.models.nn.masking import without_padding
from nni_emodarts.models.nn.recurrence import BidirectionalLayer, mirrored_frames
from nni_emodarts.models.nn.temporal_pooling import AttentionPooling


class WeightedLevels(nn.Module):
    """Softmax-weighted sum of all levels (Yang et al. 2021, SUPERB), a bidirectional LSTM, attention, a classifier.

    The LSTM is two one-way ones, one on the reversed frames: on a CPU a packed one takes six times as long.
    """

    def __init__(self, num_classes: int, input_shape: tuple[int, int], dropout: float = 0.0, width: int = 64) -> None:
        """Build the network.

        Args:
            num_classes: number of classes K.
            input_shape: (L, D), levels and features of the maps.
            dropout: share of values dropped before and after the LSTM.
            width: of the LSTM in each direction.
        """
        super().__init__()
        levels, features = input_shape
        self.levels = LevelSum(levels)
        self.lstm = BidirectionalLayer("lstm", features, width)
        self.dropout = Dropout(dropout)
        self.pooling = AttentionPooling(2 * width)
        self.classifier = nn.Linear(2 * width, num_classes)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, L, D, T), lengths (N,) in frames -> logits (N, K); what lies behind a length has no say."""
        frames = self.levels(without_padding(maps, lengths))
        states = self.lstm(self.dropout(frames), mirrored_frames(lengths, frames.shape[1]))
        out: Tensor = self.classifier(self.dropout(self.pooling(states, lengths)))
        return out
