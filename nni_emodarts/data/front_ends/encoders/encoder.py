"""What all encoders have in common."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from nni_emodarts.data.front_ends.facts import FRAME

Count = TypeVar("Count", int, Tensor)
"""A number of samples or frames: of a recording, or traced for any."""


class Encoder(nn.Module):
    """Waveforms of one length -> hidden states, frame by frame.

    Sizes may be traced: nothing here is worked out in Python that depends on the number of samples.

    Args:
        levels: the hidden states that are kept, rising: 0 is what the first layer hears, `depth` the output of the last
            one. Later layers than the last of them are never built.
    """

    together: int = FRAME
    """Recordings are heard in one batch where their samples, divided by it and rounded, are as many: 1 where each
    sample counts."""

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        self.levels = tuple(levels)

    @abstractmethod
    def prepare(self, waveforms: Tensor, padding: int) -> Tensor:
        """Waveforms (N, S) -> what is heard (N, S'), with so many samples of silence behind."""

    @abstractmethod
    def frames(self, samples: Count) -> Count:
        """Frames of a recording of so many samples, without those of the silence behind it."""

    @abstractmethod
    def states(self, heard: Tensor) -> Iterator[Tensor]:
        """What is heard (N, S') -> hidden states (N, T, D), from level 0 on."""

    def forward(self, heard: Tensor) -> Tensor:
        """What is heard (N, S') -> levels (N, L, T, D)."""
        kept = []
        for level, state in enumerate(self.states(heard)):
            if level in self.levels:
                kept.append(state)
            if level == self.levels[-1]:
                break
        return torch.stack(kept, 1)


def with_silence(waveforms: Tensor, samples: int) -> Tensor:
    """Waveforms (N, S) with so many zeros behind."""
    return torch.cat([waveforms, waveforms.new_zeros(waveforms.shape[0], samples)], 1)


def at_least(number: Count, least: int) -> Count:
    """The larger of two numbers, of which one may be traced."""
    return number.clamp(min=least) if isinstance(number, Tensor) else max(number, least)


def normalised(waveforms: Tensor, epsilon: float) -> Tensor:
    """Waveforms (N, S), each of zero mean and unit variance."""
    mean = waveforms.mean(1, keepdim=True)
    centred = waveforms - mean
    return centred / torch.sqrt(centred.square().mean(1, keepdim=True) + epsilon)


def average_frames(levels: Tensor, count: int) -> Tensor:
    """Means of so many neighbouring frames of (N, L, T, D); of those that are left at the end, theirs."""
    if count == 1:
        return levels
    n, depth, frames, features = levels.shape
    missing = (frames + count - 1) // count * count - frames
    padded = torch.cat([levels, levels.new_zeros(n, depth, missing, features)], 2)
    sums = padded.reshape(n, depth, -1, count, features).sum(3)
    real = torch.cat([levels[:1, :1, :, :1] * 0 + 1, levels.new_zeros(1, 1, missing, 1)], 2)
    return sums / real.reshape(1, 1, -1, count, 1).sum(3)
