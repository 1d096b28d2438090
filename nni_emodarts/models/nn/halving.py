"""Every second frame and bin of maps.

Slices would do, but their gradient leaves channels-last memory, and elementwise work on operands of two different
orders is thirty times slower on a CPU (torch 2.11).
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nni_emodarts.models.nn.autograd import SliceContext


def every_second(maps: Tensor, first: int = 0) -> Tensor:
    """Frames and bins first, first + 2, ...; one beyond the end is zero.

    Args:
        maps: (N, C, F, T).
        first: 0 or 1.

    Returns:
        (N, C, ceil(F / 2), ceil(T / 2)), whatever the first one is.
    """
    if maps.requires_grad and not torch.onnx.is_in_onnx_export():
        out: Tensor = _EverySecond.apply(maps, first)
        return out
    return F.pad(maps, (0, first, 0, first))[:, :, first::2, first::2]


class _EverySecond(torch.autograd.Function):
    @staticmethod
    def forward(ctx: SliceContext, maps: Tensor, first: int) -> Tensor:  # type: ignore[override]
        batch, channels, bins, frames = maps.shape
        ctx.shape, ctx.first = maps.shape, first
        out = _zeros(maps, (batch, channels, -(-bins // 2), -(-frames // 2)))
        taken = maps[:, :, first::2, first::2]
        out[:, :, : taken.shape[2], : taken.shape[3]] = taken
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: SliceContext, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        found = _zeros(gradient, ctx.shape)
        taken = found[:, :, ctx.first :: 2, ctx.first :: 2]
        taken.copy_(gradient[:, :, : taken.shape[2], : taken.shape[3]])
        return found, None


def _zeros(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Zeros of a shape in channels-last memory."""
    zeros = torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)
    return zeros.zero_()
