"""What a feature store is filled by."""

from typing import Any, Protocol

import numpy as np


class Extractor(Protocol):
    """Waveform (S,) -> map (R, T), float32. It is sent to other processes, so that it can be pickled."""

    @property
    def sampling_rate(self) -> int:
        """Of the waveforms, in Hz."""

    @property
    def feature_rows(self) -> int:
        """Rows R of a map."""

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that decides the numbers, as plain data."""

    def __call__(self, waveform: np.ndarray, /) -> np.ndarray:
        """Waveform (S,) -> map (R, T)."""
