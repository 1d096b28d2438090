"""Changes of the features that leave the emotion."""

import torch
from torch import Tensor


class SpecAugment:
    """Masks stretches of time and frequency with the training mean (Park et al. 2019).

    Widths are shares of the utterance, so that short clips keep most of their frames. Contours are masked in time only.
    """

    def __init__(
        self,
        frequency_bins: int,
        time_masks: int = 2,
        time_share: float = 0.1,
        frequency_masks: int = 2,
        frequency_share: float = 0.15,
    ) -> None:
        """Set the number of masks and their largest width, as a share of T and F."""
        self._bins = frequency_bins
        self._time = time_masks, time_share
        self._frequency = frequency_masks, frequency_share

    def __call__(self, features: Tensor) -> Tensor:
        """Normalised features (R, T) -> the same with masked stretches."""
        masked = features.clone()
        count, share = self._time
        for _ in range(count):
            masked[:, _stretch(features.shape[1], share)] = 0
        count, share = self._frequency
        for _ in range(count):
            masked[: self._bins][_stretch(self._bins, share)] = 0
        return masked


def _stretch(size: int, share: float) -> slice:
    """A stretch of at most a share of an axis, drawn as torchaudio's `mask_along_axis` draws it."""
    width = torch.rand(1) * (int(share * size) + 1)
    start = int(torch.rand(1) * (size - width))
    return slice(start, start + int(width))
