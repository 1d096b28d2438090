"""Batch normalisation that counts real frames only."""

import torch
from torch import Tensor, nn

from nni_emodarts.nn.masking import map_mask


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
        mask = map_mask(lengths, maps.shape[-1])
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = self._batch_statistics(maps, lengths, mask[:, 0])
        scale = torch.rsqrt(var + self.eps)
        if self.weight is not None:
            scale = scale * self.weight
        shift = -mean * scale
        if self.bias is not None:
            shift = shift + self.bias
        return torch.addcmul(shift[:, None, None], maps, scale[:, None, None]).masked_fill_(~mask, 0.0)

    def _batch_statistics(self, maps: Tensor, lengths: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        count = lengths.sum() * maps.shape[2]
        # Frequencies are summed first, so that the mask meets a small tensor.
        mean = (maps.sum(2) * mask).sum((0, 2)) / count
        var = ((maps - mean[:, None, None]).square().sum(2) * mask).sum((0, 2)) / count
        with torch.no_grad():
            unbiased = var * (count / (count - 1).clamp(min=1))
            self.running_mean.lerp_(mean.detach(), self.momentum)
            self.running_var.lerp_(unbiased.detach(), self.momentum)
        return mean, var
