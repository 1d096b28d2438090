"""How sharp the validation loss is in the alphas: a sign of a search that is about to collapse."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from nni_emodarts.training.parallel.group import averaged


def dominant_eigenvalue(
    loss: Callable[[], Tensor],
    alphas: Sequence[Tensor],
    iterations: int = 20,
    tolerance: float = 1e-3,
    step: float = 1e-2,
    seed: int = 0,
) -> float:
    """The eigenvalue of largest magnitude of the loss's Hessian in the alphas (Zela et al. 2020, section 4).

    Power iteration; products with the Hessian are central differences of first gradients, since recurrences on a GPU
    have no second derivative.

    Args:
        loss: the validation loss under the current alphas; the same random numbers each time.
        alphas: the alphas.
        iterations: products at most.
        tolerance: relative change at which it ends.
        step: length of the difference.
        seed: seed of the first direction.
    """
    generator = torch.Generator().manual_seed(seed)
    size = sum(alpha.numel() for alpha in alphas)
    start = torch.cat([alpha.detach().flatten() for alpha in alphas])
    direction = torch.randn(size, generator=generator).to(start)
    direction /= direction.norm()
    value = 0.0
    try:
        for _ in range(iterations):
            product = (
                _gradient(loss, alphas, start + step * direction) - _gradient(loss, alphas, start - step * direction)
            ) / (2 * step)
            before, value = value, float(direction @ product)
            norm = product.norm()
            if norm == 0 or abs(value - before) <= tolerance * abs(value):
                break
            direction = product / norm
    finally:
        _write(alphas, start)
    return value


def _gradient(loss: Callable[[], Tensor], alphas: Sequence[Tensor], values: Tensor) -> Tensor:
    _write(alphas, values)
    found = torch.autograd.grad(loss(), list(alphas), allow_unused=True)
    gradient = torch.cat(
        [
            (torch.zeros_like(alpha) if gradient is None else gradient).flatten()
            for alpha, gradient in zip(alphas, found, strict=True)
        ]
    )
    averaged([gradient])
    return gradient


@torch.no_grad()
def _write(alphas: Sequence[Tensor], values: Tensor) -> None:
    for alpha, part in zip(alphas, values.split([alpha.numel() for alpha in alphas]), strict=True):
        alpha.copy_(part.view_as(alpha))
