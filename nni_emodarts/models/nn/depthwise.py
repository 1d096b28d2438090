"""Depthwise convolutions whose backward pass uses only kernels that a CPU's library is fast at.

oneDNN's gradient of a depthwise kernel is ten times slower where the kernel is wider than three columns or dilated
(AVX2, torch 2.11). A wide kernel's gradient is put together from narrow ones, and a dilated convolution is taken apart
into plain ones on every second row and column. Forward, and on other devices, the library's own way is the best.
"""

from typing import NamedTuple

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
        weight: (C, 1, k, k), k odd; (C, 1, 1, k) works over time alone.
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
        rows = min(weight.shape[2], 2)
        doubled = weight.repeat(2, 1, 1, 1)
        of_maps, of_weight = _gradients(_phases(gradient, rows), _phases(maps, rows), doubled, 1, wanted)
        return (
            None if of_maps is None else _together(of_maps, maps),
            None if of_weight is None else of_weight.unflatten(0, (2, -1)).sum(0),
            None,
            None,
        )


class _Window(NamedTuple):
    """How a kernel without dilation is moved: its stride, and the zeros around (bins, frames)."""

    stride: int
    padding: tuple[int, int]


def _convolve(maps: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    rows, columns = (dilation * (size // 2) for size in weight.shape[2:])
    out = F.conv2d(maps, weight, None, stride, (rows, columns), dilation, len(weight))
    return out.contiguous(memory_format=torch.channels_last)


def _gradients(
    gradient: Tensor, maps: Tensor, weight: Tensor, stride: int, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of maps and weight of a convolution without dilation, each where wanted."""
    rows, columns = (size // 2 for size in weight.shape[2:])
    window = _Window(stride, (rows, columns))
    of_maps = of_weight = None
    if wanted[0]:
        of_maps = _backward(gradient, maps, weight, window, 0)
    if wanted[1] and weight.shape[-1] <= _NARROW:
        of_weight = _backward(gradient, maps, weight, window, 1)
    elif wanted[1]:
        half = weight[..., : columns + 1]
        left, right = (
            _backward(gradient, F.pad(maps, sides), half, _Window(stride, (rows, 0)), 1)
            for sides in ((columns, 0), (0, columns))
        )
        of_weight = torch.cat([left, right[..., 1:]], 3)
    return of_maps, of_weight


def _backward(gradient: Tensor, maps: Tensor, weight: Tensor, window: _Window, which: int) -> Tensor:
    """The gradient of maps (which = 0) or weight (1)."""
    mask = [which == 0, which == 1, False]
    stride, padding = [window.stride, window.stride], list(window.padding)
    found: Tensor = torch.ops.aten.convolution_backward(
        gradient, maps, weight, None, stride, padding, [1, 1], False, [0, 0], len(weight), mask
    )[which]
    return found


def _phases(maps: Tensor, rows: int) -> Tensor:
    """Every one of `rows` rows as maps, even and odd columns as channels.

    Columns become channels without a copy, and rows are copied whole.

    Args:
        maps: (N, C, F, T).
        rows: 2; 1 for a kernel of one row, whose dilation skips none.

    Returns:
        (rows N, 2 C, ceil(F / rows), ceil(T / 2)).
    """
    batch, channels, bins, frames = maps.shape
    if bins % rows or frames % 2:
        maps = F.pad(maps, (0, frames % 2, 0, bins % rows))
        bins, frames = maps.shape[2:]
    lines = maps.permute(0, 2, 3, 1).reshape(batch, bins // rows, rows, frames // 2, 2 * channels)
    phases: Tensor = lines.permute(2, 0, 1, 3, 4).flatten(0, 1).permute(0, 3, 1, 2)
    return phases


def _together(parts: Tensor, like: Tensor) -> Tensor:
    """The inverse of `_phases`, of the size of `like`."""
    batch, channels, bins, frames = like.shape
    maps = parts.permute(0, 2, 3, 1).unflatten(0, (-1, batch)).permute(1, 2, 0, 3, 4)
    _, lines, rows, columns, _ = maps.shape
    whole: Tensor = maps.reshape(batch, lines * rows, 2 * columns, channels).permute(0, 3, 1, 2)
    return whole[:, :, :bins, :frames].contiguous(memory_format=torch.channels_last)
