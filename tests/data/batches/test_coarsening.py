"""Lower resolution against NumPy."""

import numpy as np
import pytest
import torch

from nni_emodarts.data.batches import Coarsening


@pytest.mark.parametrize("contours", [0, 2])
@pytest.mark.parametrize(("bins", "frames", "factor"), [(6, 8, 2), (7, 9, 2), (5, 1, 3), (4, 10, 4)])
def test_neighbours_become_their_mean(bins: int, frames: int, factor: int, contours: int) -> None:
    features = torch.randn(bins + contours, frames, dtype=torch.double)
    coarsening = Coarsening(bins, factor)
    found = coarsening(features).numpy()
    columns = [features[:, start : start + factor].mean(1).numpy() for start in range(0, frames, factor)]
    in_time = np.stack(columns, 1)
    rows = [in_time[start : min(start + factor, bins)].mean(0) for start in range(0, bins, factor)]
    np.testing.assert_allclose(found[: len(rows)], np.stack(rows))
    np.testing.assert_allclose(found[len(rows) :], in_time[bins:])
    assert coarsening.lengths(np.array([frames])) == [found.shape[1]]
