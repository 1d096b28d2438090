"""Depthwise convolutions whose backward pass uses only kernels that a CPU's library is fast at.

oneDNN's gradient of a depthwise kernel is ten times slower where the kernel is wider than three columns or dilated
(AVX2, torch 2.11). A wide kernel's gradient is put together from narrow ones, and a dilated convolution is taken apart
into plain ones on every second row and column. Forward, and on other devices, the library's own way is the best.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nni_emodarts.models.nn.autograd import ConvolutionContext
from nni_emodarts.models.nn.halving import every_second

_NARROW = 3
"""Columns of a kernel up to which its gradient is fast."""


def depthwise(maps: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    """What `conv2d` computes with one kernel a channel and padding that keeps the size.

    Args:
        maps: (N, C, F, T), channels last.
        weight: (C, 1, k, k), k odd.
        stride: 1 or 2.
        dilation: 1 or 2.

    Returns:
        (N, C, ceil(F / stride), ceil(T / stride)), channels last.
    """
    if dilation == stride == 2:  # reads every second row and column only
        return depthwise(every_second(maps), weight, 1, 1)
    if maps.device.type == "cpu":
        out: Tensor = _Depthwise.apply(maps, weight, stride, dilation)
        return out
    return _convolve(maps, weight, stride, dilation)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: ConvolutionContext, maps: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
        ctx.save_for_backward(maps, weight)
        ctx.stride, ctx.dilation = stride, dilation
        return _convolve(maps, weight, stride, dilation)

    @staticmethod
    @once_differentiable
    def backward(ctx: ConvolutionContext, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        maps, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        wanted = ctx.needs_input_grad[0], ctx.needs_input_grad[1]
        if ctx.dilation == 1:
            return *_gradients(gradient, maps, weight, ctx.stride, wanted), None, None
        of_maps, of_weight = _gradients(_phases(gradient), _phases(maps), weight.repeat(2, 1, 1, 1), 1, wanted)
        return (
            None if of_maps is None else _together(of_maps, maps),
            None if of_weight is None else of_weight.unflatten(0, (2, -1)).sum(0),
            None,
            None,
        )


def _convolve(maps: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    padding = dilation * (weight.shape[-1] // 2)
    out = F.conv2d(maps, weight, None, stride, padding, dilation, len(weight))
    return out.contiguous(memory_format=torch.channels_last)


def _gradients(
    gradient: Tensor, maps: Tensor, weight: Tensor, stride: int, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of maps and weight of a convolution without dilation, each where wanted."""
    padding = weight.shape[-1] // 2
    of_maps = of_weight = None
    if wanted[0]:
        of_maps = _backward(gradient, maps, weight, stride, (padding, padding), 0)
    if wanted[1] and weight.shape[-1] <= _NARROW:
        of_weight = _backward(gradient, maps, weight, stride, (padding, padding), 1)
    elif wanted[1]:
        half = weight[..., : padding + 1]
        left, right = (
            _backward(gradient, F.pad(maps, sides), half, stride, (padding, 0), 1)
            for sides in ((padding, 0), (0, padding))
        )
        of_weight = torch.cat([left, right[..., 1:]], 3)
    return of_maps, of_weight


def _backward(
    gradient: Tensor, maps: Tensor, weight: Tensor, stride: int, padding: tuple[int, int], which: int
) -> Tensor:
    """The gradient of maps (which = 0) or weight (1)."""
    mask = [which == 0, which == 1, False]
    found: Tensor = torch.ops.aten.convolution_backward(
        gradient, maps, weight, None, [stride, stride], list(padding), [1, 1], False, [0, 0], len(weight), mask
    )[which]
    return found


def _phases(maps: Tensor) -> Tensor:
    """Even and odd rows as maps, even and odd columns as channels: (N, C, F, T) -> (2 N, 2 C, ceil(F/2), ceil(T/2)).

    Columns become channels without a copy, and rows are copied whole.
    """
    batch, channels, bins, frames = maps.shape
    if bins % 2 or frames % 2:
        maps = F.pad(maps, (0, frames % 2, 0, bins % 2))
        bins, frames = maps.shape[2:]
    rows = maps.permute(0, 2, 3, 1).reshape(batch, bins // 2, 2, frames // 2, 2 * channels).permute(2, 0, 1, 3, 4)
    return rows.reshape(2 * batch, bins // 2, frames // 2, 2 * channels).permute(0, 3, 1, 2)


def _together(parts: Tensor, like: Tensor) -> Tensor:
    """The inverse of `_phases`, of the size of `like`."""
    batch, channels, bins, frames = like.shape
    _, doubled, rows, columns = parts.shape
    maps = parts.permute(0, 2, 3, 1).reshape(2, batch, rows, columns, doubled).permute(1, 2, 0, 3, 4)
    whole = maps.reshape(batch, 2 * rows, 2 * columns, channels).permute(0, 3, 1, 2)
    return whole[:, :, :bins, :frames].contiguous(memory_format=torch.channels_last)
