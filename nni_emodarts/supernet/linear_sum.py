"""Sums of linear maps over channels, and what normalisation needs to know of their inputs.

Maps (N, C, F, T) lie channels last, so that they are matrices of N F T rows and C columns without a copy.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def rows(maps: Tensor) -> Tensor:
    """(N, C, F, T) -> (N F T, C); a view where the maps lie channels last."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def _maps(matrix: Tensor, like: Tensor) -> Tensor:
    batch, _, bins, frames = like.shape
    return matrix.view(batch, bins, frames, -1).permute(0, 3, 1, 2)


class _Moments(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(maps)
        matrix = rows(maps)
        return matrix.sum(0), matrix.T @ matrix

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_sum: Tensor, of_products: Tensor) -> Tensor:
        (maps,) = ctx.saved_tensors
        return _maps(torch.addmm(of_sum, rows(maps), of_products + of_products.T), maps)


def moments(maps: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (C,) and covariance (C, C) over pixels, padding being zero.

    A linear map P of the channels then has mean P m and variances diag(P S P'), without being computed.

    Args:
        maps: (N, C, F, T).
        count: number of real pixels.
    """
    total, products = _Moments.apply(maps)
    mean = total / count
    return mean, products / count - torch.outer(mean, mean)


class _LinearSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, shift: Tensor, *terms: Tensor) -> Tensor:
        inputs, weights = terms[::2], terms[1::2]
        ctx.save_for_backward(*terms)
        out = torch.addmm(shift, rows(inputs[0]), weights[0].T)
        for maps, weight in zip(inputs[1:], weights[1:], strict=True):
            out.addmm_(rows(maps), weight.T)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, matrix: Tensor) -> tuple[Tensor | None, ...]:
        terms = ctx.saved_tensors
        needs = ctx.needs_input_grad
        found: list[Tensor | None] = [matrix.sum(0) if needs[0] else None]
        for position in range(0, len(terms), 2):
            maps, weight = terms[position], terms[position + 1]
            found.append(_maps(matrix @ weight, maps) if needs[position + 1] else None)
            found.append(matrix.T @ rows(maps) if needs[position + 2] else None)
        return tuple(found)


def linear_sum(terms: list[tuple[Tensor, Tensor]], shift: Tensor) -> Tensor:
    """Sum over terms of weight (C', C_i) times maps (N, C_i, F, T), plus shift (C',) -> (N, C', F, T).

    No product is stored.
    """
    matrix = _LinearSum.apply(shift, *(tensor for term in terms for tensor in term))
    return _maps(matrix, terms[0][0])
