"""Hand-designed networks to compare with, trained by the same recipe as a searched one.

Networks are imported when one is built, so that they can be listed without torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nni_emodarts.config.registry import Entry, Registry

if TYPE_CHECKING:
    from torch import nn

__all__ = ["BASELINES", "ON_LEVELS", "ON_MAPS", "Baseline", "build_baseline"]

BASELINES: Registry[Entry[Callable[..., "nn.Module"]]] = Registry(
    "baseline",
    Entry("cnn", f"{__name__}.cnn:Cnn"),
    Entry("rnn", f"{__name__}.recurrent:rnn"),
    Entry("lstm", f"{__name__}.recurrent:lstm"),
    Entry("cnn_lstm", f"{__name__}.cnn_lstm:CnnLstm"),
    Entry("cnn_lstm_attention", f"{__name__}.cnn_lstm_attention:CnnLstmAttention"),
    Entry("weighted_levels", f"{__name__}.weighted_levels:WeightedLevels"),
)
"""Hand-designed networks: the five kinds that Rajapakshe et al. 2024 compare emoDARTS with.

Each takes `num_classes`, `input_shape` and `dropout`. All of them end in the same pooling; they differ in what stands
before it. `weighted_levels`, the head that the field puts on a pretrained encoder, takes the maps (N, L, D, T) of one.
"""
ON_LEVELS = ("weighted_levels",)
"""Those that hear all levels of a pretrained encoder, and nothing else."""
ON_MAPS = tuple(name for name in BASELINES if name not in ON_LEVELS)
"""Those that hear spectral maps."""


@dataclass(frozen=True)
class Baseline:
    """A hand-designed network by name; it stands where an architecture does in retraining.

    Attributes:
        id: its name.
        dropout: share of values dropped in training: that of the space's networks, where it is compared with them.
    """

    id: str
    dropout: float = 0.0

    @property
    def levels(self) -> dict[str, tuple[int, ...]]:
        """None: it hears all that there is."""
        return {}

    @property
    def heard(self) -> tuple[str, ...]:
        """No streams by name: it hears the one that there is."""
        return ()


def build_baseline(design: Baseline, num_classes: int, input_shape: tuple[int, int]) -> "nn.Module":
    """The network of a name, newly initialised: model(maps (N, C, F, T), lengths (N,)) -> logits (N, K).

    Raises:
        ConfigError: an unknown name.
    """
    return BASELINES.find(design.id).load()(num_classes, input_shape, dropout=design.dropout)
