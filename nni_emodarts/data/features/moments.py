"""Statistics of recordings, worked out once each and put together for any set of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

EVERY_ROW = slice(None)
"""All feature rows."""


class Maps(Protocol):
    """Maps (R, T) by row number: a `FeatureStore`, or a list."""

    def __getitem__(self, row: int, /) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Moments:
    """Frames, means and squared deviations of n recordings.

    Attributes:
        frames: (n,) number of frames; (n, R) where rows are of several streams, whose numbers differ.
        means: (n, R) mean of each feature row over the recording's frames.
        squares: (n, R) sum of its squared deviations from that mean.
    """

    frames: np.ndarray
    means: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> Self:
        """Those of one recording's map (R, T)."""
        values = np.asarray(features, np.float64)
        mean = values.mean(axis=1)
        squares = np.square(values - mean[:, np.newaxis]).sum(axis=1)
        return cls(
            np.array([values.shape[1]], np.float64),
            np.asarray(mean, np.float32)[None],
            np.asarray(squares, np.float32)[None],
        )

    @classmethod
    def join(cls, parts: Iterable["Moments"]) -> Self:
        """All recordings of some parts, in their order."""
        parts = list(parts)
        if not parts:
            raise ValueError("statistics need at least one recording; 0 were given")
        frames, means, squares = zip(*((part.frames, part.means, part.squares) for part in parts), strict=True)
        return cls(np.concatenate(frames), np.concatenate(means), np.concatenate(squares))

    @classmethod
    def beside(cls, parts: Sequence["Moments"]) -> "Moments":
        """The same recordings with the rows of all parts, one part after another."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([np.broadcast_to(part.column, part.means.shape) for part in parts], 1),
            np.concatenate([part.means for part in parts], 1),
            np.concatenate([part.squares for part in parts], 1),
        )

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def column(self) -> np.ndarray:
        """Frames as (n, 1), or (n, R)."""
        return self.frames if self.frames.ndim == 2 else self.frames[:, np.newaxis]

    def pick(self, recordings: np.ndarray) -> "Moments":
        """Those of some of the recordings."""
        return Moments(self.frames[recordings], self.means[recordings], self.squares[recordings])

    def part(self, rows: slice) -> "Moments":
        """Those of some of the feature rows."""
        frames = self.frames[:, rows] if self.frames.ndim == 2 else self.frames
        return Moments(frames, self.means[:, rows], self.squares[:, rows])

    @property
    def pooled(self) -> "Pooled":
        """Statistics over all frames of all recordings."""
        return pool([self])


@dataclass(frozen=True, eq=False)
class Pooled:
    """Statistics over all frames of some recordings.

    Attributes:
        recordings: how many.
        frames: of all of them; (R,) where rows are of several streams.
        mean: (R,) of each feature row.
        scatter: (R,) sum of squared deviations from `mean`.
    """

    recordings: int
    frames: float | np.ndarray
    mean: np.ndarray
    scatter: np.ndarray

    def joined(self, other: "Pooled") -> "Pooled":
        """Of these recordings and other ones (Chan et al. 1979)."""
        frames, step = self.frames + other.frames, other.mean - self.mean
        mean = self.mean + step * (other.frames / frames)
        scatter = self.scatter + other.scatter + np.square(step) * (self.frames * other.frames / frames)
        return Pooled(self.recordings + other.recordings, frames, mean, scatter)


def pool(parts: Iterable[Moments]) -> Pooled:
    """Statistics over all frames of all recordings of some parts.

    Sums are of 64 bits: the squares of means lose no digit that a deviation of 32 bits has, unless it is a millionth of
    its mean. Nothing is stacked, since a pretrained stream has thousands of rows.
    """
    recordings = 0
    frames: float | np.ndarray = 0.0
    total: np.ndarray | float = 0.0
    squares: np.ndarray | float = 0.0
    for part in parts:
        means = part.means.astype(np.float64)
        weighted = part.column * means
        total = total + weighted.sum(axis=0)
        squares = squares + part.squares.sum(axis=0, dtype=np.float64) + (weighted * means).sum(axis=0)
        recordings, frames = recordings + len(part), frames + part.frames.sum(axis=0)
    if not recordings:
        raise ValueError("statistics need at least one recording; 0 were given")
    mean = np.asarray(total) / frames
    return Pooled(recordings, frames, mean, np.maximum(np.asarray(squares) - frames * np.square(mean), 0.0))
