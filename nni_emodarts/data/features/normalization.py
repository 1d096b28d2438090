"""Zero mean and unit deviation of each feature row, fitted on training utterances."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from nni_emodarts.data.features.moments import EVERY_ROW, Maps, Pooled
from nni_emodarts.runtime.plain_data import JsonMapping

CONSTANT = 1e-7
"""A deviation below this share of the mean's size is rounding in float32: the row is constant."""


@dataclass(frozen=True, eq=False)
class Normalizer:
    """Subtracts a mean and divides by a deviation, per feature row.

    Args:
        mean: (R,), float64.
        std: (R,), float64, positive.
    """

    mean: np.ndarray
    std: np.ndarray

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or self.mean.shape != self.std.shape:
            raise ValueError(f"mean {self.mean.shape} and std {self.std.shape} must be vectors of one length")
        if not (np.isfinite(self.mean).all() and np.isfinite(self.std).all() and (self.std > 0).all()):
            raise ValueError("mean and std must be finite and std above 0")

    @classmethod
    def fit(cls, store: Maps, rows: Iterable[int]) -> Self:
        """Statistics over all frames of the given rows, one map in memory at a time.

        Args:
            store: the maps.
            rows: the training utterances; nothing else is read.
        """
        count, mean, squares = 0, np.zeros(()), np.zeros(())
        for row in rows:
            count, mean, squares = _merge(count, mean, squares, np.asarray(store[row], np.float64))
        if count == 0:
            raise ValueError("a normaliser needs at least one utterance; 0 were given")
        return cls(mean, deviation_of(squares, count, mean))

    @classmethod
    def of(cls, pooled: Pooled) -> Self:
        """Of what recordings are known by."""
        return cls(pooled.mean, deviation_of(pooled.scatter, pooled.frames, pooled.mean))

    @classmethod
    def beside(cls, parts: Sequence["Normalizer"]) -> "Normalizer":
        """One of the rows of all parts, one part after another."""
        if len(parts) == 1:
            return parts[0]
        return cls(np.concatenate([part.mean for part in parts]), np.concatenate([part.std for part in parts]))

    def for_row(self, row: int, part: slice = EVERY_ROW) -> "Normalizer":
        """What normalises a part of the features of a row of the manifest: the same for all."""
        return self.part(part)

    def part(self, rows: slice) -> "Normalizer":
        """The normaliser of some of the rows."""
        return Normalizer(self.mean[rows], self.std[rows])

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Map (R, T) -> normalised map (R, T), float32."""
        return np.asarray((features - self.mean[:, np.newaxis]) / self.std[:, np.newaxis], np.float32)

    def to_dict(self) -> dict[str, list[float]]:
        """Plain data that `from_dict` reads back exactly."""
        return {"mean": self.mean.tolist(), "std": self.std.tolist()}

    @classmethod
    def from_dict(cls, data: JsonMapping) -> Self:
        """The normaliser that `to_dict` wrote."""
        return cls(np.asarray(data["mean"], np.float64), np.asarray(data["std"], np.float64))


def deviation_of(scatter: np.ndarray, frames: float | np.ndarray, mean: np.ndarray) -> np.ndarray:
    """(R,) deviation of sums (R,) of squared deviations from a mean (R,); 1 where it is no more than rounding."""
    std = np.sqrt(scatter / frames)
    return np.where(std <= CONSTANT * np.maximum(1, np.abs(mean)), 1.0, std)


class Normalizers(Protocol):
    """What normalises each row of a manifest."""

    def for_row(self, row: int, part: slice = EVERY_ROW, /) -> Normalizer:
        """What normalises a part of a row's features."""
        ...


def _merge(
    count: int, mean: np.ndarray, squares: np.ndarray, features: np.ndarray
) -> tuple[int, np.ndarray, np.ndarray]:
    """Count, mean and sum of squared deviations with another map's frames (Chan et al. 1979): no sum grows large."""
    frames = features.shape[1]
    own_mean = features.mean(axis=1)
    own_squares = np.square(features - own_mean[:, np.newaxis]).sum(axis=1)
    total, step = count + frames, own_mean - mean
    return total, mean + step * (frames / total), squares + own_squares + np.square(step) * (count * frames / total)
