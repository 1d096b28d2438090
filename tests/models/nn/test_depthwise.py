"""Depthwise convolutions and sums of linear maps against the library's."""

import pytest
import torch
from torch.nn import functional as F

from nni_emodarts.models.nn.depthwise import depthwise
from nni_emodarts.search.supernet.linear_sum import linear_sum, moments, multiply, products


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("shape", [(2, 3, 7, 9), (2, 8, 8, 12), (1, 4, 5, 6), (1, 1, 1, 1)])
def test_a_depthwise_convolution_is_the_librarys(
    shape: tuple[int, int, int, int], kernel: int, stride: int, dilation: int
) -> None:
    maps = torch.randn(shape, dtype=torch.double).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight = torch.randn(shape[1], 1, kernel, kernel, dtype=torch.double, requires_grad=True)
    expected = F.conv2d(maps, weight, None, stride, dilation * (kernel // 2), dilation, shape[1])
    found = depthwise(maps, weight, stride, dilation)
    gradient = torch.randn_like(expected)
    torch.testing.assert_close(found, expected)
    for ours, theirs in zip(
        torch.autograd.grad(found, (maps, weight), gradient),
        torch.autograd.grad(expected, (maps, weight), gradient),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("frames", [1, 9, 12])
def test_over_time_alone_it_is_the_librarys_in_one_dimension(
    frames: int, kernel: int, stride: int, dilation: int
) -> None:
    maps = torch.randn(2, 3, 1, frames, dtype=torch.double).contiguous(memory_format=torch.channels_last)
    maps.requires_grad_()
    weight = torch.randn(3, 1, 1, kernel, dtype=torch.double, requires_grad=True)
    expected = F.conv1d(maps[:, :, 0], weight[:, :, 0], None, stride, dilation * (kernel // 2), dilation, 3)
    found = depthwise(maps, weight, stride, dilation)[:, :, 0]
    gradient = torch.randn_like(expected)
    torch.testing.assert_close(found, expected)
    for ours, theirs in zip(
        torch.autograd.grad(found, (maps, weight), gradient),
        torch.autograd.grad(expected, (maps, weight), gradient),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("rows", [1, 6, 64])
@pytest.mark.parametrize(("before", "after"), [(1, 1), (2, 3), (8, 8), (20, 5)])
def test_folded_products(rows: int, before: int, after: int) -> None:
    matrix, other = torch.randn(rows, before).double(), torch.randn(rows, after).double()
    weight, shift = torch.randn(before, after).double(), torch.randn(after).double()
    torch.testing.assert_close(multiply(matrix, weight), matrix @ weight)
    torch.testing.assert_close(multiply(matrix, weight, shift), matrix @ weight + shift)
    torch.testing.assert_close(multiply(matrix, weight, out=other.clone()), other + matrix @ weight)
    torch.testing.assert_close(products(matrix, other), matrix.T @ other)


def test_gradients_of_sums_and_moments() -> None:
    maps = [torch.randn(2, channels, 3, 4).double().requires_grad_() for channels in (3, 5)]
    weights = [torch.randn(2, channels).double().requires_grad_() for channels in (3, 5)]
    shift = torch.randn(2).double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda first, second, one, two, by: linear_sum([(first, one), (second, two)], by), (*maps, *weights, shift)
    )
    assert torch.autograd.gradcheck(lambda first: moments(first, torch.tensor(24)), maps[:1])
