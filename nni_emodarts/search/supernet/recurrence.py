"""Many recurrences of one width at once."""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nni_emodarts.models.nn.autograd import Context


class _Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Context, drive: Tensor, weight: Tensor) -> Tensor:
        states = torch.empty_like(drive)
        across = weight.mT
        before: Tensor | None = None
        for arriving, state in zip(drive.unbind(), states.unbind(), strict=True):
            if before is None:
                torch.tanh(arriving, out=state)
            else:
                torch.baddbmm(arriving, before, across, out=state).tanh_()
            before = state
        ctx.save_for_backward(states, weight)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Context, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        states, weight = ctx.saved_tensors
        found = torch.addcmul(torch.ones_like(states), states, states, value=-1.0)  # slopes, overwritten step by step
        after: Tensor | None = None
        for of_state, slope in zip(reversed(gradient.unbind()), reversed(found.unbind()), strict=True):
            slope.mul_(of_state if after is None else torch.baddbmm(of_state, after, weight))
            after = slope
        return found, _of_weight(found, states) if ctx.needs_input_grad[1] else None


def _of_weight(drives: Tensor, states: Tensor) -> Tensor:
    """Gradient (G, D', D) of the weight by which states (T, G, N, D) reach the next step's drive (T, G, N, D')."""
    later, earlier = (part.transpose(0, 1).flatten(1, 2) for part in (drives[1:], states[:-1]))
    return later.mT @ earlier


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
    def forward(ctx: Context, drive: Tensor, weight: Tensor) -> Tensor:
        # tanh(x) = 2 sigmoid(2 x) - 1, so that one call opens all four gates.
        width = weight.shape[2]
        twice = drive.new_ones(4, width)
        twice[2] = 2.0
        drive, across = drive * twice.flatten(), (weight * twice.flatten()[:, None]).mT
        gates = torch.empty_like(drive)
        states, memories, seen = (drive.new_empty(*drive.shape[:3], width) for _ in range(3))
        opened = [part.unbind() for part in gates.chunk(4, 3)]
        steps = zip(
            drive.unbind(), gates.unbind(), *opened, memories.unbind(), seen.unbind(), states.unbind(), strict=True
        )
        before: tuple[Tensor, Tensor] | None = None
        for arriving, gate, take, forget, value, give, memory, shown, state in steps:
            if before is None:
                torch.sigmoid(arriving, out=gate)
            else:
                torch.baddbmm(arriving, before[1], across, out=gate).sigmoid_()
            value.mul_(2.0).sub_(1.0)
            torch.mul(take, value, out=memory)
            if before is not None:
                memory.addcmul_(forget, before[0])
            torch.tanh(memory, out=shown)
            torch.mul(give, shown, out=state)
            before = memory, state
        ctx.save_for_backward(gates, states, memories, seen, weight)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Context, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        gates, states, memories, seen, weight = ctx.saved_tensors
        found = _slopes(gates, memories, seen)  # overwritten step by step
        onto_memory = gates.chunk(4, 3)[3] * (1.0 - seen.square())
        of_gates = found.unflatten(3, (4, -1))
        steps = (
            gradient.unbind(),
            gates.chunk(4, 3)[1].unbind(),
            onto_memory.unbind(),
            of_gates[..., :3, :].unbind(),
            of_gates[..., 3, :].unbind(),
            found.unbind(),
        )
        carried, after = torch.zeros_like(seen[0]), None
        for of_state, forget, onto, of_three, of_give, whole in zip(*map(reversed, steps), strict=True):
            if after is not None:
                of_state = torch.baddbmm(of_state, after, weight)
            of_memory = torch.addcmul(carried, of_state, onto)
            of_three.mul_(of_memory.unsqueeze(2))
            of_give.mul_(of_state)
            carried, after = of_memory * forget, whole
        return found, _of_weight(found, states) if ctx.needs_input_grad[1] else None


def _slopes(gates: Tensor, memories: Tensor, seen: Tensor) -> Tensor:
    """How the memory answers to what arrives at the first three gates, and the state to the fourth: (T, G, N, 4 D)."""
    take, forget, value, give = gates.chunk(4, 3)
    slopes = torch.empty_like(gates)
    of_take, of_forget, of_value, of_give = slopes.chunk(4, 3)
    torch.mul(value * take, 1.0 - take, out=of_take)
    of_forget[0] = 0.0
    torch.mul(memories[:-1] * forget[1:], 1.0 - forget[1:], out=of_forget[1:])
    torch.mul(take, 1.0 - value.square(), out=of_value)
    torch.mul(seen * give, 1.0 - give, out=of_give)
    return slopes


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
