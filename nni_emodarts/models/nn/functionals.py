"""A constant vector of an utterance, joined to what pooling leaves of its frames."""

import torch
from torch import Tensor, nn

from nni_emodarts.data.batches import Maps


class JoinedFunctionals(nn.Module):
    """Functionals -> logits, to be added to those of the pooled vector.

    A linear classifier of two vectors side by side is the sum of one of each, so that this joins them before the
    classifier, whichever pooling there is and however many are chosen from.
    """

    def __init__(self, functionals: int, num_classes: int) -> None:
        """Set the sizes R and K."""
        super().__init__()
        self.linear = nn.Linear(functionals, num_classes, bias=False)

    def forward(self, functionals: Tensor) -> Tensor:
        """functionals (N, R), standardised -> logits (N, K)."""
        out: Tensor = self.linear(functionals)
        return out


def without_functionals(maps: Maps, lengths: Tensor) -> tuple[Maps, Tensor, Tensor]:
    """What streams give and what joins them, apart.

    Args:
        maps: of each stream, and (N, 1, R, 1) of functionals.
        lengths: (N, streams + 1).

    Returns:
        Maps and lengths of the streams, of one without the axis of streams, and the functionals (N, R).
    """
    *streams, functionals = maps
    vector = torch.select(functionals[:, 0], 2, 0)
    if len(streams) == 1:
        return streams[0], lengths[:, 0], vector
    return tuple(streams), lengths[:, :-1], vector
