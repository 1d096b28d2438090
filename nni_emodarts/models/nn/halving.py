"""Every second frame and bin of maps.

Slices would do, but their gradient leaves channels-last memory, and elementwise work on operands of two different
orders is thirty times slower on a CPU (torch 2.11).
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nni_emodarts.models.nn.autograd import SliceContext


def every_second(maps: Tensor, first: int = 0, time_only: bool = False) -> Tensor:
    """Frames and bins first, first + 2, ...; one beyond the end is zero.

    Args:
        maps: (N, C, F, T).
        first: 0 or 1.
        time_only: whether all bins stay.

    Returns:
        (N, C, ceil(F / 2), ceil(T / 2)), whatever the first one is; (N, C, F, ceil(T / 2)) over time alone.
    """
    if maps.requires_grad and not torch.onnx.is_in_onnx_export():
        out: Tensor = _EverySecond.apply(maps, first, time_only)
        return out
    if time_only:
        return F.pad(maps, (0, first))[..., first::2]
    return F.pad(maps, (0, first, 0, first))[:, :, first::2, first::2]


class _EverySecond(torch.autograd.Function):
    @staticmethod
    def forward(ctx: SliceContext, maps: Tensor, first: int, time_only: bool) -> Tensor:  # type: ignore[override]
        batch, channels, bins, frames = maps.shape
        ctx.shape, ctx.slices = maps.shape, (slice(None) if time_only else slice(first, None, 2), slice(first, None, 2))
        out = _zeros(maps, (batch, channels, bins if time_only else -(-bins // 2), -(-frames // 2)))
        taken = maps[:, :, *ctx.slices]
        out[:, :, : taken.shape[2], : taken.shape[3]] = taken
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: SliceContext, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        found = _zeros(gradient, ctx.shape)
        taken = found[:, :, *ctx.slices]
        taken.copy_(gradient[:, :, : taken.shape[2], : taken.shape[3]])
        return found, None, None


def _zeros(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Zeros of a shape in channels-last memory."""
    zeros = torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)
    return zeros.zero_()
