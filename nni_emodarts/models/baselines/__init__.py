"""Hand-designed networks to compare with, trained by the same recipe as a searched one."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from nni_emodarts.config import nearest
from nni_emodarts.errors import ConfigError
from nni_emodarts.models.baselines.cnn import Cnn
from nni_emodarts.models.baselines.cnn_lstm import CnnLstm
from nni_emodarts.models.baselines.cnn_lstm_attention import CnnLstmAttention
from nni_emodarts.models.baselines.recurrent import lstm, rnn

__all__ = ["BASELINES", "Baseline", "CnnLstm", "build_baseline"]

BASELINES: dict[str, Callable[..., nn.Module]] = {
    "cnn": Cnn,
    "rnn": rnn,
    "lstm": lstm,
    "cnn_lstm": CnnLstm,
    "cnn_lstm_attention": CnnLstmAttention,
}
"""Names of hand-designed networks: the five kinds that Rajapakshe et al. 2024 compare emoDARTS with.

Each takes `num_classes`, `input_shape` and `dropout`. All of them end in the same pooling; they differ in what stands
before it.
"""


@dataclass(frozen=True)
class Baseline:
    """A hand-designed network by name; it stands where an architecture does in retraining.

    Attributes:
        id: its name.
        dropout: share of values dropped in training: that of the space's networks, where it is compared with them.
    """

    id: str
    dropout: float = 0.0


def build_baseline(design: Baseline, num_classes: int, input_shape: tuple[int, int]) -> nn.Module:
    """The network of a name, newly initialised: model(maps (N, C, F, T), lengths (N,)) -> logits (N, K).

    Raises:
        ConfigError: an unknown name.
    """
    if design.id not in BASELINES:
        raise ConfigError(f"baseline {design.id!r} is unknown{nearest(design.id, BASELINES)}")
    return BASELINES[design.id](num_classes, input_shape, dropout=design.dropout)
