"""What a feature store is filled by."""

from typing import Protocol

import numpy as np

from nni_emodarts.runtime.plain_data import JsonObject


class Extractor(Protocol):
    """Waveform (S,) -> map (R, T), float32. It is sent to other processes, so that it can be pickled."""

    @property
    def sampling_rate(self) -> int:
        """Of the waveforms, in Hz."""

    @property
    def feature_rows(self) -> int:
        """Rows R of a map."""

    @property
    def settings(self) -> JsonObject:
        """Everything that decides the numbers, as plain data."""

    def __call__(self, waveform: np.ndarray, /) -> np.ndarray:
        """Waveform (S,) -> map (R, T)."""
