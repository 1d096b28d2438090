"""Past all cells: what a linear classifier makes of what is heard, pooled over time."""

import numpy as np
import torch
from torch import Tensor, nn

from nni_emodarts.models.nn.masking import frame_mask

_LEAST_VARIANCE = 1e-6


class Shortcut(nn.Module):
    """Mean and deviation over time of each row of what is heard -> outputs that are averaged with those of the cells.

    A linear classifier of pooled levels of a pretrained encoder does better than most networks behind them, where it is
    solved for and not approached by gradient steps. So its weights are no parameters that an optimiser sees: they are
    zero until they are set, and while the cells learn it is not asked.
    """

    def __init__(self, rows: int, num_outputs: int) -> None:
        """Set the sizes R and K."""
        super().__init__()
        self.linear = nn.Linear(2 * rows, num_outputs).requires_grad_(False)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T) of R = C F rows, lengths (N,) in frames -> outputs (N, K)."""
        out: Tensor = self.linear(self.pooled(maps, lengths))
        return out

    def pooled(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """What the classifier hears (N, 2 R) of the same."""
        return means_and_deviations(maps.flatten(1, 2), lengths)

    @torch.no_grad()
    def set_weights(self, weight: np.ndarray, bias: np.ndarray) -> None:
        """Take weights (K, 2 R) and a bias (K,)."""
        self.linear.weight.copy_(torch.from_numpy(weight))
        self.linear.bias.copy_(torch.from_numpy(bias))


def means_and_deviations(rows: Tensor, lengths: Tensor) -> Tensor:
    """Rows (N, R, T), lengths (N,) -> means and deviations (N, 2 R) over real frames."""
    real = frame_mask(lengths, rows.shape[-1])[:, None]
    count = lengths[:, None].to(rows.dtype)
    mean = rows.masked_fill(~real, 0.0).sum(2) / count
    centred = (rows - mean[:, :, None]).masked_fill(~real, 0.0)
    return torch.cat([mean, (centred.square().sum(2) / count + _LEAST_VARIANCE).sqrt()], 1)
