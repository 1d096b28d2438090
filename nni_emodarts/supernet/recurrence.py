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


class _Lstm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, drive: Tensor, weight: Tensor) -> Tensor:
        # tanh(x) = 2 sigmoid(2 x) - 1, so that one call opens all four gates.
        width = weight.shape[2]
        doubled = (
            torch.ones(4 * width).to(drive).index_fill_(0, torch.arange(2 * width, 3 * width).to(drive.device), 2.0)
        )
        drive, across = drive * doubled, (weight * doubled[:, None]).mT
        gates = torch.empty_like(drive)
        states, memories, seen = (drive.new_empty(*drive.shape[:3], width) for _ in range(3))
        for step in range(len(drive)):
            gate = gates[step]
            if step:
                torch.baddbmm(drive[step], states[step - 1], across, out=gate).sigmoid_()
            else:
                torch.sigmoid(drive[0], out=gate)
            take, forget, value, give = gate.chunk(4, 2)
            value.mul_(2.0).sub_(1.0)
            memory = torch.mul(take, value, out=memories[step])
            if step:
                memory.addcmul_(forget, memories[step - 1])
            torch.tanh(memory, out=seen[step])
            torch.mul(give, seen[step], out=states[step])
        ctx.save_for_backward(gates, states, memories, seen, weight)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        gates, states, memories, seen, weight = ctx.saved_tensors
        take, forget, value, give = gates.chunk(4, 3)
        onto_memory = give * (1.0 - seen.square())
        slopes = torch.empty_like(gates)
        of_take, of_forget, of_value, of_give = slopes.chunk(4, 3)
        torch.mul(value * take, 1.0 - take, out=of_take)
        of_forget[0] = 0.0
        torch.mul(memories[:-1] * forget[1:], 1.0 - forget[1:], out=of_forget[1:])
        torch.mul(take, 1.0 - value.square(), out=of_value)
        torch.mul(seen * give, 1.0 - give, out=of_give)
        found, last = slopes, len(gates) - 1  # overwritten step by step
        carried = torch.zeros_like(seen[0])
        for step in range(last, -1, -1):
            of_state = gradient[step] if step == last else torch.baddbmm(gradient[step], found[step + 1], weight)
            carried = torch.addcmul(carried, of_state, onto_memory[step])
            three, one = found[step].unflatten(2, (4, -1)).split([3, 1], 2)
            three.mul_(carried[:, :, None])
            one.mul_(of_state[:, :, None])
            carried = carried * forget[step]
        if not ctx.needs_input_grad[1]:
            return found, None
        later, earlier = (part.transpose(0, 1).flatten(1, 2) for part in (found[1:], states[:-1]))
        return found, later.mT @ earlier


def recur_lstm(drive: Tensor, weight: Tensor) -> Tensor:
    """LSTMs from zero states, G side by side (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

    Args:
        drive: (T, G, N, 4 D), what arrives from the inputs, biases included: input, forget, cell and output gates.
        weight: (G, 4 D, D), what the states before send to the gates.

    Returns:
        (T, G, N, D).
    """
    out: Tensor = _Lstm.apply(drive, weight)
    return out
