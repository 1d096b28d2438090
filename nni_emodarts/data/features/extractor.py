"""What a feature store is filled by."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

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


@runtime_checkable
class LargeExtractor(Extractor, Protocol):
    """An extractor whose maps are large and kept as float16, and that is quicker with recordings of one length."""

    @property
    def hop_ms(self) -> float:
        """From one frame to the next."""

    @property
    def remedy(self) -> str:
        """What makes the maps smaller, as messages say it."""

    def many(self, waveforms: Sequence[np.ndarray], /) -> list[np.ndarray]:
        """Waveforms (S,) -> maps (R, T), float16."""

    def most_workers(self, wanted: int, /) -> int:
        """Processes that it can work in at once, of those that are wanted."""
