"""Sequences of several streams in one time, and their sum.

All streams of an utterance begin and end with it, so that a frame is the same share of it whatever its hop: frame i of
n lasts from i / n to (i + 1) / n.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def resample(sequence: Tensor, lengths: Tensor, wanted: Tensor, frames: int) -> Tensor:
    """A sequence in as many frames as are wanted: means over what each lasts, weighted by time.

    Fewer frames average, more repeat, as many stay what they are; the mean over time stays the same.

    Args:
        sequence: (N, T, D), no number that is infinite in the padding.
        lengths: (N,) its frames.
        wanted: (N,) frames of the result.
        frames: T' of the result, at least the largest of `wanted`.

    Returns:
        (N, T', D), zero behind each length.
    """
    own = torch.arange(sequence.shape[1], device=lengths.device)
    other = torch.arange(frames, device=lengths.device)[:, None]
    # In parts of an utterance that are 1 / (lengths * wanted) long, every frame is a whole number of them.
    has, wants = lengths[:, None, None], wanted[:, None, None]
    begins = torch.maximum(other * has, own * wants)
    ends = torch.minimum((other + 1) * has, (own + 1) * wants)
    shared = (ends - begins).clamp(min=0).masked_fill((own >= has) | (other >= wants), 0)
    return torch.bmm(shared.to(sequence.dtype) / has, sequence)


def in_one_time(sequences: Sequence[Tensor | None], lengths: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Sequences of one utterance in the time of that with the fewest frames.

    Args:
        sequences: (N, T, D) of each stream; None of one that is not computed, at least one is.
        lengths: (N,) frames of each, also of those that are not computed.

    Returns:
        (N, streams, T', D), zero of those that are not computed, and lengths (N,).
    """
    computed = [each for each in sequences if each is not None]
    fewest = lengths[0]
    for each in lengths[1:]:
        fewest = torch.minimum(fewest, each)
    frames = min(each.shape[1] for each in computed)
    found = [
        None if each is None else resample(each, own, fewest, frames)
        for each, own in zip(sequences, lengths, strict=True)
    ]
    silent = torch.zeros_like(next(each for each in found if each is not None))
    return torch.stack([silent if each is None else each for each in found], 1), fewest


class StreamSum(nn.Module):
    """The sum of some streams: a candidate of the choice of what is heard."""

    def __init__(self, places: Sequence[int]) -> None:
        """Set the places of the streams among those that there are, from 0."""
        super().__init__()
        self.places = tuple(places)

    def forward(self, sequences: Tensor, lengths: Tensor) -> Tensor:
        """sequences (N, streams, T, D) in one time -> (N, T, D)."""
        out = sequences[:, self.places[0]]
        for place in self.places[1:]:
            out = out + sequences[:, place]
        return out
