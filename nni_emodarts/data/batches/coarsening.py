"""Features of lower resolution, for a search that need not hear every detail."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


class Coarsening:
    """Means of neighbouring frames and bins; contours are averaged in time only."""

    def __init__(self, frequency_bins: int, factor: int) -> None:
        """Set the number of rows that are bins, and how many neighbours become one."""
        self.frequency_bins = frequency_bins
        self._factor = factor

    def __call__(self, features: Tensor) -> Tensor:
        """Features (R, T) -> rows and frames divided by the factor, rounded up."""
        bins, contours = features[: self.frequency_bins], features[self.frequency_bins :]
        return torch.cat([self._means(bins, self._factor), self._means(contours, 1)])

    def lengths(self, lengths: np.ndarray) -> np.ndarray:
        """Frames that are left of so many."""
        return -(-lengths // self._factor)

    def _means(self, rows: Tensor, height: int) -> Tensor:
        if not len(rows):
            return rows[:, : -(-rows.shape[1] // self._factor)]
        return F.avg_pool2d(rows[None, None], (height, self._factor), ceil_mode=True)[0, 0]
