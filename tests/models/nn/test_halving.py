"""Every second frame and bin, against slices and their gradient."""

import pytest
import torch
from torch.nn import functional as F

from nni_emodarts.models.nn.halving import every_second


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("size", [(4, 6), (5, 7), (1, 2)])
def test_it_is_a_slice_with_its_gradient(size: tuple[int, int], first: int) -> None:
    maps = torch.randn(2, 3, *size).contiguous(memory_format=torch.channels_last).requires_grad_()
    expected = F.pad(maps, (0, 1, 0, 1))[:, :, 1::2, 1::2] if first else maps[:, :, ::2, ::2]
    found = every_second(maps, first)
    assert torch.equal(found, expected)
    assert torch.equal(every_second(maps.detach(), first), expected)
    over_time = every_second(maps, first, time_only=True)
    assert torch.equal(over_time, F.pad(maps, (0, 1))[..., 1::2] if first else maps[..., ::2])
    assert torch.equal(every_second(maps.detach(), first, time_only=True), over_time)
    direction = torch.randn_like(expected)
    (ours,) = torch.autograd.grad((found * direction).sum(), maps)
    (theirs,) = torch.autograd.grad((expected * direction).sum(), maps)
    assert torch.equal(ours, theirs)
    assert ours.is_contiguous(memory_format=torch.channels_last)
