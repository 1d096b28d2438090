"""Sums of linear maps over channels, and what normalisation needs to know of their inputs.

Maps (N, C, F, T) lie channels last, so that they are matrices of N F T rows and C columns without a copy.
"""

import math

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nni_emodarts.models.nn.autograd import Context

_COLUMNS = 16


def rows(maps: Tensor) -> Tensor:
    """(N, C, F, T) -> (N F T, C); a view where the maps lie channels last."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def _maps(matrix: Tensor, like: Tensor) -> Tensor:
    batch, _, bins, frames = like.shape
    return matrix.view(batch, bins, frames, -1).permute(0, 3, 1, 2)


def _folds(rows: int, *channels: int) -> int:
    """How many rows to lay side by side as one: a matrix of fewer than 16 columns is slow to multiply."""
    return math.gcd(rows, max(_COLUMNS // max(channels), 1))


def _repeated(weight: Tensor, times: int) -> Tensor:
    """weight (C, C') so many times along the diagonal, as `torch.block_diag`, in three calls."""
    blocks = weight.new_zeros(times, len(weight), times, weight.shape[1])
    blocks.diagonal(dim1=0, dim2=2).copy_(weight[:, :, None])
    return blocks.view(times * len(weight), -1)


def multiply(matrix: Tensor, weight: Tensor, shift: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    """matrix (R, C) times weight (C, C') -> (R, C'), plus shift (C',), or added to `out` in place."""
    folds = _folds(len(matrix), *weight.shape)
    if folds > 1:
        weight = _repeated(weight, folds)
        shift = None if shift is None else shift.repeat(folds)
    wide = matrix.reshape(len(matrix) // folds, -1)
    if out is not None:
        out.view(len(wide), -1).addmm_(wide, weight)
        return out
    out = matrix.new_empty(len(matrix), weight.shape[1] // folds)  # autograd takes no view out of a function
    product = out.view(len(wide), -1)
    if shift is None:
        torch.mm(wide, weight, out=product)
    else:
        torch.addmm(shift, wide, weight, out=product)
    return out


def products(left: Tensor, right: Tensor) -> Tensor:
    """left (R, C) transposed times right (R, C') -> (C, C')."""
    columns = left.shape[1], right.shape[1]
    folds = _folds(len(left), *columns)
    wide = left.reshape(len(left) // folds, -1).T @ right.reshape(len(right) // folds, -1)
    blocks = wide.view(folds, columns[0], folds, columns[1])
    return blocks.diagonal(dim1=0, dim2=2).sum(2)


class _Moments(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Context, maps: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(maps)
        matrix = rows(maps)
        return matrix.sum(0), products(matrix, matrix)

    @staticmethod
    @once_differentiable
    def backward(ctx: Context, of_sum: Tensor, of_products: Tensor) -> Tensor:
        (maps,) = ctx.saved_tensors
        return _maps(multiply(rows(maps), of_products + of_products.T, of_sum), maps)


def moments(maps: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (C,) and covariance (C, C) over pixels, padding being zero.

    A linear map P of the channels then has mean P m and variances diag(P S P'), without being computed.

    Args:
        maps: (N, C, F, T).
        count: number of real pixels.
    """
    total, squares = _Moments.apply(maps)
    mean = total / count
    return mean, squares / count - torch.outer(mean, mean)


class _LinearSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Context, shift: Tensor, *terms: Tensor) -> Tensor:
        inputs, weights = terms[::2], terms[1::2]
        ctx.save_for_backward(*terms)
        out = multiply(rows(inputs[0]), weights[0].T, shift)
        for maps, weight in zip(inputs[1:], weights[1:], strict=True):
            multiply(rows(maps), weight.T, out=out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Context, matrix: Tensor) -> tuple[Tensor | None, ...]:
        terms = ctx.saved_tensors
        needs = ctx.needs_input_grad
        found: list[Tensor | None] = [matrix.sum(0) if needs[0] else None]
        for position in range(0, len(terms), 2):
            maps, weight = terms[position], terms[position + 1]
            found.append(_maps(multiply(matrix, weight), maps) if needs[position + 1] else None)
            found.append(products(matrix, rows(maps)) if needs[position + 2] else None)
        return tuple(found)


def linear_sum(terms: list[tuple[Tensor, Tensor]], shift: Tensor) -> Tensor:
    """Sum over terms of weight (C', C_i) times maps (N, C_i, F, T), plus shift (C',) -> (N, C', F, T).

    No product is stored.
    """
    matrix = _LinearSum.apply(shift, *(tensor for term in terms for tensor in term))
    return _maps(matrix, terms[0][0])
