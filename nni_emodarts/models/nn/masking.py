"""Which frames of a padded batch are real."""

import torch
from torch import Tensor


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """True where a frame belongs to its utterance: lengths (N,), frames T -> (N, T) bool."""
    return torch.arange(frames, device=lengths.device) < lengths.unsqueeze(1)


def map_mask(lengths: Tensor, frames: int) -> Tensor:
    """`frame_mask` shaped for maps: (N, 1, 1, T)."""
    return frame_mask(lengths, frames)[:, None, None, :]


def without_padding(maps: Tensor, lengths: Tensor) -> Tensor:
    """Maps (N, C, F, T) with lengths (N,), zero behind each length whatever was there, be it no number."""
    return maps.masked_fill(~map_mask(lengths, maps.shape[-1]), 0.0)


def strided(lengths: Tensor, stride: int) -> Tensor:
    """Lengths after an operation of this stride, padded such that T frames become ceil(T / stride)."""
    return torch.div(lengths + stride - 1, stride, rounding_mode="floor")
