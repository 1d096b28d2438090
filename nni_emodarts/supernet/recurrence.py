"""Many recurrences of one width at once."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, drive: Tensor, weight: Tensor) -> Tensor:
        states = torch.empty_like(drive)
        torch.tanh(drive[0], out=states[0])
        across = weight.mT
        for step in range(1, len(drive)):
            torch.baddbmm(drive[step], states[step - 1], across, out=states[step]).tanh_()
        ctx.save_for_backward(states, weight)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        states, weight = ctx.saved_tensors
        slope = torch.addcmul(torch.ones_like(states), states, states, value=-1.0)
        found = torch.empty_like(states)
        torch.mul(gradient[-1], slope[-1], out=found[-1])
        for step in range(len(states) - 2, -1, -1):
            torch.baddbmm(gradient[step], found[step + 1], weight, out=found[step]).mul_(slope[step])
        if not ctx.needs_input_grad[1]:
            return found, None
        later, earlier = (part.transpose(0, 1).flatten(1, 2) for part in (found[1:], states[:-1]))
        return found, later.mT @ earlier


def recur_tanh(drive: Tensor, weight: Tensor) -> Tensor:
    """h_t = tanh(drive_t + W h_{t-1}) with h_0 = 0, for G recurrences side by side (Elman 1990).

    Args:
        drive: (T, G, N, D), what arrives from the inputs, biases included.
        weight: (G, D, D), W of each.

    Returns:
        (T, G, N, D).
    """
    out: Tensor = _Tanh.apply(drive, weight)
    return out
