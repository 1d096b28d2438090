"""Changes of the features that leave the emotion."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Augment = Callable[[Tensor], Tensor]
"""Changes the features (R, T) of an utterance each time it is read."""
Drawn = tuple[np.float32, np.float32]
"""Width and start of a stretch, as shares."""


class Chain:
    """One change after the other."""

    def __init__(self, *changes: Augment) -> None:
        """Set the changes, the first one first."""
        self._changes = changes

    def __call__(self, features: Tensor) -> Tensor:
        """Features (R, T) -> the changed features (R, T')."""
        for change in self._changes:
            features = change(features)
        return features


class Excerpt:
    """A stretch of the utterance, another one each time: how something is said is heard in a part of it, too.

    What is said is then less of a help, where many speakers say the same few sentences.
    """

    def __init__(self, least: float) -> None:
        """Set the smallest share of the frames that a stretch holds."""
        self._least = least

    def __call__(self, features: Tensor) -> Tensor:
        """Features (R, T) -> (R, T'), least T <= T' <= T."""
        if self._least == 1:
            return features
        frames = features.shape[1]
        length = math.ceil(self._share() * frames)
        start = int(torch.randint(frames - length + 1, ()))
        return features[:, start : start + length]

    def of_each(self, streams: Sequence[Tensor]) -> list[Tensor]:
        """Features (R, T) of an utterance in each stream -> the same stretch of all of them."""
        if self._least == 1:
            return list(streams)
        share, place = self._share(), float(torch.rand(()))
        return [self._stretch(features, share, place) for features in streams]

    def _share(self) -> float:
        return self._least + (1 - self._least) * float(torch.rand(()))

    @staticmethod
    def _stretch(features: Tensor, share: float, place: float) -> Tensor:
        frames = features.shape[1]
        length = math.ceil(share * frames)
        start = round(place * (frames - length))
        return features[:, start : start + length]


class Voice(NamedTuple):
    """How another voice differs: each a share of the largest change, noise from 0 to 1, the others from -1 to 1."""

    tempo: float
    level: float
    pitch: float
    noise: float


class Perturbation:
    """Another voice that says the same: faster or slower, louder or softer, higher or lower, noisier.

    Speed is changed by interpolation along time (Ko et al. 2015 resample the waveform), pitch and vocal tract together
    by a shift along the frequency axis (Jaitly & Hinton 2013 warp it). How loud a recording is says more of the
    microphone than of the speaker. Contours follow the speed alone.
    """

    def __init__(
        self, frequency_bins: int, tempo: float = 0.0, level: float = 0.0, pitch: float = 0.0, noise: float = 0.0
    ) -> None:
        """Set the largest changes.

        Args:
            frequency_bins: bins F; further rows are contours.
            tempo: of the speed, as a share.
            level: of the loudness, in deviations of the features.
            pitch: along the frequency axis, as a share of the bins.
            noise: deviation of the added noise, in deviations of the features.
        """
        self._bins = frequency_bins
        self._tempo = tempo
        self._level = level
        self._pitch = pitch
        self._noise = noise

    def __call__(self, features: Tensor) -> Tensor:
        """Normalised features (R, T) -> those of another voice (R, T')."""
        return self.spoken_by(self.draw(), features)

    def draw(self) -> Voice:
        """Another voice."""
        return Voice(
            _between_minus_one_and_one() if self._tempo else 0.0,
            _between_minus_one_and_one() if self._level else 0.0,
            _between_minus_one_and_one() if self._pitch else 0.0,
            float(torch.rand(())) if self._noise else 0.0,
        )

    def spoken_by(self, voice: Voice, features: Tensor) -> Tensor:
        """Normalised features (R, T) -> those of a voice (R, T')."""
        if self._tempo:
            features = self._stretched(features, voice.tempo)
        if self._level:
            features = self._louder(features, voice.level)
        if self._pitch:
            features = self._shifted(features, voice.pitch)
        if self._noise:
            features = self._noisier(features, voice.noise)
        return features

    def _stretched(self, features: Tensor, share: float) -> Tensor:
        factor = (1 + self._tempo) ** share
        frames = max(1, round(features.shape[1] * factor))
        return F.interpolate(features[None], size=frames, mode="linear", align_corners=False)[0]

    def _louder(self, features: Tensor, share: float) -> Tensor:
        gain = self._level * share
        return torch.cat([features[: self._bins] + gain, features[self._bins :]])

    def _shifted(self, features: Tensor, share: float) -> Tensor:
        """Bins beyond the edge repeat the edge's."""
        places = torch.arange(self._bins) + share * self._pitch * self._bins
        places = places.clamp(0, self._bins - 1)
        below = places.floor().long()
        above = (places - below)[:, None]
        maps = features[below] * (1 - above) + features[(below + 1).clamp(max=self._bins - 1)] * above
        return torch.cat([maps, features[self._bins :]])

    def _noisier(self, features: Tensor, share: float) -> Tensor:
        deviation = share * self._noise
        maps = features[: self._bins]
        return torch.cat([maps + deviation * torch.randn_like(maps), features[self._bins :]])


def _between_minus_one_and_one() -> float:
    return float(2 * torch.rand(()) - 1)


class SpecAugment:
    """Masks stretches of time and frequency with the training mean (Park et al. 2019).

    Widths are shares of the utterance, so that short clips keep most of their frames. Contours are masked in time only.
    Of a pretrained stream, features are masked in place of frequencies, those of all
    levels alike (Baevski et al. 2020).
    """

    def __init__(
        self,
        frequency_bins: int,
        time_masks: int = 2,
        time_share: float = 0.1,
        frequency_masks: int = 2,
        frequency_share: float = 0.15,
        levels: int = 0,
    ) -> None:
        """Set the number of masks and their largest width, as a share of T and F.

        Args:
            frequency_bins: bins F; features D of a level of a pretrained stream.
            time_masks: stretches of time.
            time_share: their largest width.
            frequency_masks: stretches of bins.
            frequency_share: their largest width.
            levels: of a pretrained stream, which has no further rows; 0 of a spectral one.
        """
        self._bins = frequency_bins
        self._levels = levels
        self._time = time_masks, time_share
        self._frequency = frequency_masks, frequency_share

    def __call__(self, features: Tensor) -> Tensor:
        """Normalised features (R, T) -> the same with masked stretches."""
        return self.masked(features, self.draw())

    def draw(self) -> list[Drawn]:
        """Stretches of time: width and start of each, as shares."""
        return [_draw() for _ in range(self._time[0])]

    def masked(self, features: Tensor, stretches: Sequence[Drawn]) -> Tensor:
        """Normalised features (R, T) -> the same without these stretches of time, and without some of frequency."""
        masked = features.clone()
        for drawn in stretches:
            masked[:, _stretch(features.shape[1], self._time[1], drawn)] = 0
        count, share = self._frequency
        maps = masked.unflatten(0, (self._levels, -1)) if self._levels else masked[: self._bins][None]
        for _ in range(count):
            maps[:, _stretch(self._bins, share, _draw())] = 0
        return masked


class ChangedAlike:
    """Excerpt, perturbation and masks of an utterance in several streams: in time the same ones in all of them.

    A voice's speed, loudness and pitch are one, too; frequencies and features are masked in each stream by itself. What
    comes behind the streams, functionals, stays as it is.
    """

    def __init__(self, excerpt: Excerpt, voices: Sequence[Perturbation], masks: Sequence[SpecAugment]) -> None:
        """Set the changes; of voices and masks those of each stream, whose sizes differ and nothing else."""
        self._excerpt = excerpt
        self._voices = voices
        self._masks = masks

    def __call__(self, streams: Sequence[Tensor]) -> list[Tensor]:
        """Features (R, T) of an utterance in each stream -> the changed ones."""
        count = len(self._voices)
        voice, excerpts = self._voices[0].draw(), self._excerpt.of_each(streams[:count])
        spoken = [own.spoken_by(voice, features) for own, features in zip(self._voices, excerpts, strict=True)]
        stretches = self._masks[0].draw()
        masked = [own.masked(features, stretches) for own, features in zip(self._masks, spoken, strict=True)]
        return [*masked, *streams[count:]]


def _draw() -> Drawn:
    width, start = torch.rand(1), torch.rand(1)
    return np.float32(width.item()), np.float32(start.item())


def _stretch(size: int, share: float, drawn: Drawn) -> slice:
    """A stretch of at most a share of an axis, as torchaudio's `mask_along_axis` has it, in its single precision."""
    width = drawn[0] * np.float32(int(share * size) + 1)
    start = int(drawn[1] * (np.float32(size) - width))
    return slice(start, start + int(width))
