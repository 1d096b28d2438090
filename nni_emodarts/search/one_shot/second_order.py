"""The unrolled gradient of DARTS: alphas are judged by the weights that a training step under them would give."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nni_emodarts.training.parallel.group import averaged

Loss = Callable[[], Tensor]

_STEP = 0.01  # length of the finite difference, as in the paper's footnote 2


def unrolled_gradients(
    train_loss: Loss,
    val_loss: Loss,
    weights: Sequence[Tensor],
    alphas: Sequence[Tensor],
    rate: float,
    step: float = _STEP,
) -> list[Tensor]:
    """Gradients of val_loss(w - rate * grad_w train_loss(w, a), a) with respect to the alphas a.

    Liu et al. 2019, eq. 7 and 8: the product with the Hessian is a central difference of first gradients, so that no
    operation needs a second derivative (recurrences on a GPU have none). The weights are put back as they were.

    Args:
        train_loss: loss of a training batch under the current weights and alphas.
        val_loss: likewise of a validation batch.
        weights: the weights w.
        alphas: the alphas a.
        rate: xi, the learning rate of the inner step.
        step: length of the difference in weight space: epsilon is step / norm(grad_w' val_loss).
    """
    with _restored(weights) as start:
        inner = _gradients(train_loss(), weights)
        _assign(weights, start, inner, -rate)
        outer = _gradients(val_loss(), [*weights, *alphas])
        direction, direct = outer[: len(weights)], outer[len(weights) :]
        norm = torch.sqrt(sum((part.square().sum() for part in direction), torch.zeros((), device=direction[0].device)))
        if norm == 0:
            return direct
        epsilon = float(step / norm)
        _assign(weights, start, direction, epsilon)
        above = _gradients(train_loss(), alphas)
        _assign(weights, start, direction, -epsilon)
        below = _gradients(train_loss(), alphas)
    return [value - rate * (high - low) / (2 * epsilon) for value, high, low in zip(direct, above, below, strict=True)]


@contextmanager
def same_surroundings(model: nn.Module) -> Iterator[Callable[[Loss], Loss]]:
    """Makes losses see the same random numbers and buffers each time, and leaves the buffers as they were.

    The four passes of an unrolled step differ in their weights alone: not in what dropout drops, nor in running means.
    """
    device = next(model.parameters()).device
    state = _random_state(device)
    buffers = [buffer.clone() for buffer in model.buffers()]

    def settle() -> None:
        _set_random_state(device, state)
        for buffer, value in zip(model.buffers(), buffers, strict=True):
            buffer.copy_(value)

    def same(loss: Loss) -> Loss:
        def repeated() -> Tensor:
            settle()
            return loss()

        return repeated

    yield same
    for buffer, value in zip(model.buffers(), buffers, strict=True):
        buffer.copy_(value)


def _gradients(loss: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    found = torch.autograd.grad(loss, list(parameters), allow_unused=True)
    gradients = [
        torch.zeros_like(parameter) if gradient is None else gradient
        for parameter, gradient in zip(parameters, found, strict=True)
    ]
    averaged(gradients)
    return gradients


@contextmanager
def _restored(weights: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    start = [weight.detach().clone() for weight in weights]
    try:
        yield start
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, start, strict=True):
                weight.copy_(value)


@torch.no_grad()
def _assign(weights: Sequence[Tensor], start: Sequence[Tensor], direction: Sequence[Tensor], length: float) -> None:
    """weights := start + length * direction."""
    for weight, value, part in zip(weights, start, direction, strict=True):
        weight.copy_(value + length * part)


def _random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    own = None if device.type == "cpu" else torch.get_device_module(device).get_rng_state(device)
    return torch.get_rng_state(), own


def _set_random_state(device: torch.device, state: tuple[Tensor, Tensor | None]) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.get_device_module(device).set_rng_state(state[1], device)
