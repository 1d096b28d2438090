"""Changes of the features that leave the emotion."""

from torch import Tensor
from torchaudio.functional import mask_along_axis


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
        count, share = self._time
        for _ in range(count):
            features = mask_along_axis(features[None], int(share * features.shape[1]) + 1, 0.0, axis=2)[0]
        count, share = self._frequency
        for _ in range(count):
            masked = mask_along_axis(features[None, : self._bins], int(share * self._bins) + 1, 0.0, axis=1)[0]
            features = features.clone()
            features[: self._bins] = masked
        return features
