"""Masked batch normalisation out of torch's own kernels: three times as fast on a CPU as its formula written out."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nni_emodarts.models.nn.autograd import NormalizationContext
from nni_emodarts.models.nn.masking import frame_mask

Normalized = tuple[Tensor, Tensor, Tensor]
"""Normalised maps (N, C, F, T), mean (C,) and biased variance (C,) of the batch."""


class _Moments(NamedTuple):
    """Mean and biased variance (C,) that maps are normalised by, and what is added to the variance."""

    mean: Tensor
    var: Tensor
    eps: float


def normalize_real_frames(
    maps: Tensor, lengths: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Normalized:
    """Normalise maps by the statistics of their real frames; padding leaves as zero.

    The kernels know nothing of padding and count all pixels. So padding is set to zero first, which adds nothing to a
    sum, and the counts are put right; of the gradient, the little that reaches padding is taken off again.

    Args:
        maps: (N, C, F, T); what its padding holds is not read.
        lengths: (N,), real frames of each map.
        weight: scale of each channel (C,), or None for one.
        bias: shift of each channel (C,), or None for zero.
        eps: added to the variance.
    """
    found: Normalized = _MaskedNormalization.apply(maps, _padded_pixels(maps, lengths), weight, bias, eps)
    return found


def _padded_pixels(maps: Tensor, lengths: Tensor) -> Tensor:
    """Positions of padded pixels in maps laid out pixel by pixel, as `_pixels` gives them."""
    padded = ~frame_mask(lengths, maps.shape[3])[:, None]
    return padded.expand(-1, maps.shape[2], -1).flatten().nonzero()[:, 0]


def _pixels(maps: Tensor) -> Tensor:
    """Maps (N, C, F, T) in channels-last memory -> (N F T, C), the same memory."""
    return maps.permute(0, 2, 3, 1).view(-1, maps.shape[1])


class _MaskedNormalization(torch.autograd.Function):
    """(maps, padded pixels, weight, bias, eps) -> normalised maps, mean, variance."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: NormalizationContext, maps: Tensor, padded: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> Normalized:
        maps = maps.contiguous(memory_format=torch.channels_last)
        if len(padded):
            maps = maps.clone()
            _pixels(maps).index_fill_(0, padded, 0.0)
        mean, var = _statistics(maps, len(padded))
        out = _scale(maps, _Moments(mean, var, eps), weight, bias)
        _pixels(out).index_fill_(0, padded, 0.0)
        ctx.save_for_backward(maps, padded, weight, mean, var)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, var)
        return out, mean, var

    @staticmethod
    @once_differentiable
    def backward(
        ctx: NormalizationContext, grad: Tensor, *_: Tensor
    ) -> tuple[Tensor, None, Tensor | None, Tensor | None, None]:  # type: ignore[override]
        """Gradient of batch normalisation (Ioffe & Szegedy 2015, section 3), with sums over real frames."""
        maps, padded, weight, mean, var = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        rate = torch.rsqrt(var + ctx.eps)
        scale = rate if weight is None else rate * weight
        of_weight, of_bias = _parameter_gradients(grad, maps, padded, _Moments(mean, var, ctx.eps))
        count = maps.shape[0] * maps.shape[2] * maps.shape[3] - len(padded)
        slope = -scale * rate * of_weight / count
        # scale * grad + slope * (maps - mean) - scale * of_bias / count, each term a single pass over memory
        shifted = _Moments(mean, torch.ones_like(var), 0.0)
        found = _scale(maps, shifted, slope, -scale * of_bias / count)
        found += _backward(grad, maps, scale, shifted, [True, False, False])[0]
        _pixels(found).index_fill_(0, padded, 0.0)
        if weight is None:
            return found, None, None, None, None
        return found, None, of_weight, of_bias, None


def _statistics(maps: Tensor, padded: int) -> tuple[Tensor, Tensor]:
    """Mean and biased variance (C,) of the real pixels of maps with so many padded ones, which are zero."""
    mean, var = torch.batch_norm_update_stats(maps, None, None, 0.0)
    if not padded:
        return mean, var
    every = maps.shape[0] * maps.shape[2] * maps.shape[3]
    more = every / (every - padded)
    squares = more * (var.double() + mean.double().square())
    real = more * mean.double()
    return real.to(mean.dtype), (squares - real.square()).clamp_(min=0).to(var.dtype)


def _scale(maps: Tensor, moments: _Moments, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    mean, var, eps = moments
    out: Tensor = torch.native_batch_norm(maps, weight, bias, mean, var, False, 0.0, eps)[0]
    return out


def _parameter_gradients(grad: Tensor, maps: Tensor, padded: Tensor, moments: _Moments) -> tuple[Tensor, Tensor]:
    """Gradients of weight and bias (C,): sums over the real pixels of maps that are zero in the padding."""
    mean, var, eps = moments
    _, of_weight, of_bias = _backward(grad, maps, torch.ones_like(mean), moments, [False, True, True])
    outside = _pixels(grad).index_select(0, padded).sum(0)
    return of_weight + outside * mean * torch.rsqrt(var + eps), of_bias - outside


def _backward(
    grad: Tensor, maps: Tensor, weight: Tensor, moments: _Moments, wanted: list[bool]
) -> tuple[Tensor, Tensor, Tensor]:
    """torch's gradients of maps, weight and bias under given statistics; of them those that are wanted."""
    mean, var, eps = moments
    found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.native_batch_norm_backward(
        grad, maps, weight, mean, var, None, None, False, eps, wanted
    )
    return found
