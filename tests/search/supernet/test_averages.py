"""The average by convolution against the library's."""

import pytest
import torch

from nni_emodarts.models.nn.pooling import AvgPool
from nni_emodarts.search.supernet.averages import average


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frames", [(7, 4, 1), (8, 8, 8), (1, 1, 1)])
def test_it_is_the_plain_one(stride: int, frames: tuple[int, ...]) -> None:
    lengths = torch.tensor(frames)
    maps = torch.randn(3, 2, 5, max(frames)).double()
    for row, length in zip(maps, frames, strict=True):
        row[..., length:] = 0
    torch.testing.assert_close(average(maps, lengths, stride), AvgPool(2, stride, False).pool(maps, lengths))
