"""Past all cells: what a linear classifier makes of what is heard, pooled over time."""

import torch
from torch import Tensor, nn

from nni_emodarts.models.nn.dropout import Dropout
from nni_emodarts.models.nn.masking import frame_mask
from nni_emodarts.models.nn.normalization import MaskedBatchNorm2d

DROPOUT = 0.5
"""Share of the pooled features that is dropped in training. For a linear classifier of standardised features this is a
penalty of squared weights that grows with the number of utterances (Wager et al. 2013), so that it needs no other."""
_LEAST_VARIANCE = 1e-6


class Shortcut(nn.Module):
    """Mean and deviation over time of each row of what is heard, standardised -> logits, to be added to the cells'.

    A linear classifier of pooled levels of a pretrained encoder does better than most networks behind them: with it
    beside them, cells need only learn what it does not tell (wide and deep learning, Cheng et al. 2016). It begins with
    weights of zero, as if it were not there.
    """

    def __init__(self, rows: int, num_classes: int) -> None:
        """Set the sizes R and K."""
        super().__init__()
        self.norm = MaskedBatchNorm2d(2 * rows, affine=False)
        self.dropout = Dropout(DROPOUT)
        self.linear = nn.Linear(2 * rows, num_classes)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T) of R = C F rows, lengths (N,) in frames -> logits (N, K)."""
        pooled = means_and_deviations(maps.flatten(1, 2), lengths)
        once = torch.ones_like(lengths)
        out: Tensor = self.linear(self.dropout(self.norm(pooled[:, :, None, None], once).flatten(1)))
        return out


def means_and_deviations(rows: Tensor, lengths: Tensor) -> Tensor:
    """Rows (N, R, T), lengths (N,) -> means and deviations (N, 2 R) over real frames."""
    real = frame_mask(lengths, rows.shape[-1])[:, None]
    count = lengths[:, None].to(rows.dtype)
    mean = rows.masked_fill(~real, 0.0).sum(2) / count
    centred = (rows - mean[:, :, None]).masked_fill(~real, 0.0)
    return torch.cat([mean, (centred.square().sum(2) / count + _LEAST_VARIANCE).sqrt()], 1)
