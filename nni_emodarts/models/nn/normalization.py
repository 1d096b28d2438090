"""Batch normalisation that counts real frames only."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn

from nni_emodarts.models.nn.fused_normalization import normalize_real_frames
from nni_emodarts.models.nn.masking import map_mask

_held: ContextVar[bool] = ContextVar("statistics_held", default=False)


@contextmanager
def statistics_held() -> Iterator[None]:
    """Running statistics stay as they are: for a batch that passes once more and would count twice."""
    before = _held.set(True)
    try:
        yield
    finally:
        _held.reset(before)


class MaskedBatchNorm2d(nn.Module):
    """Batch normalisation (Ioffe & Szegedy 2015) of maps, with statistics over real frames.

    Padding neither enters the statistics nor survives: it leaves as zero, so that the next operation sees at an
    utterance's end what it would see without a batch. Without padding it equals `torch.nn.BatchNorm2d`.
    """

    def __init__(self, channels: int, affine: bool = True, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum = momentum
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.running_mean: Tensor
        self.running_var: Tensor

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T), lengths (N,) -> (N, C, F, T), zero in the padding."""
        if self.training and maps.device.type == "cpu":
            out, mean, var = normalize_real_frames(maps, lengths, self.weight, self.bias, self.eps)
            self.track(mean, var, lengths.sum() * maps.shape[2])
            return out
        mask = map_mask(lengths, maps.shape[-1])
        mean, var = self.running_mean, self.running_var
        if self.training:
            count = lengths.sum() * maps.shape[2]
            mean, var = _statistics(maps, mask[:, 0], count)
            self.track(mean, var, count)
        scale = torch.rsqrt(var + self.eps)
        if self.weight is not None:
            scale = scale * self.weight
        shift = -mean * scale
        if self.bias is not None:
            shift = shift + self.bias
        return torch.addcmul(shift[:, None, None], maps, scale[:, None, None]).masked_fill_(~mask, 0.0)

    @torch.no_grad()
    def track(self, mean: Tensor, var: Tensor, count: Tensor) -> None:
        """Move the running statistics towards those of a batch: (C,) each, over `count` pixels."""
        _track([self.running_mean], [mean], self.momentum)
        _track([self.running_var], [var * _bessel(count)], self.momentum)


def joint_scale(norms: Sequence[MaskedBatchNorm2d], mean: Tensor, var: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and shift of several layers without parameters of their own, whose channels lie side by side.

    Args:
        norms: layers of C channels each.
        mean: means of the batch, all layers together.
        var: likewise its variances.
        count: real pixels of the batch.
    """
    if norms[0].training:
        width = len(norms[0].running_mean)
        _track([norm.running_mean for norm in norms], mean.detach().split(width), norms[0].momentum)
        unbiased = var.detach() * _bessel(count)
        _track([norm.running_var for norm in norms], unbiased.split(width), norms[0].momentum)
    else:
        mean = torch.cat([norm.running_mean for norm in norms])
        var = torch.cat([norm.running_var for norm in norms])
    scale = torch.rsqrt(var + norms[0].eps)
    return scale, -mean * scale


def _track(running: list[Tensor], found: Sequence[Tensor], momentum: float) -> None:
    if not _held.get():
        torch._foreach_lerp_(running, list(found), momentum)


def _bessel(count: Tensor) -> Tensor:
    """What makes the variance over `count` pixels unbiased."""
    return count / (count - 1).clamp(min=1)


def _statistics(maps: Tensor, mask: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    # Frequencies are summed first, so that the mask meets a small tensor.
    mean = (maps.sum(2) * mask).sum((0, 2)) / count
    var = ((maps - mean[:, None, None]).square().sum(2) * mask).sum((0, 2)) / count
    return mean, var
