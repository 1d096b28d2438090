"""A long recording in overlapping windows, and which of them are silent."""

from collections.abc import Iterable, Iterator

import numpy as np

from nni_emodarts.data.features.audio import MAX_SECONDS, MIN_SECONDS
from nni_emodarts.deploy.listening import LOUD_PERCENTILE, Survey
from nni_emodarts.errors import ConfigError

SILENCE_DB = 35.0
"""How far below a recording's loud parts silence begins, in dB; speech spans about 30."""
LOUD_SECONDS = 1.0
"""A recording's loud parts last so long at most; a click is shorter."""
SPOKEN_SHARE = 0.1
"""Share of a window that must be louder than silence for the window to be recognised."""

Span = tuple[int, int]
"""First sample, and the one after the last."""


def spans(samples: int, size: int, step: int) -> Iterator[Span]:
    """Windows over a recording; the last ends where the recording does, so that all are equally long.

    They come one by one, since a long recording has millions of small ones.

    Args:
        samples: length of the recording.
        size: length of a window.
        step: from the beginning of one window to that of the next.
    """
    if samples <= size:
        yield 0, samples
        return
    firsts = range(0, samples - size + 1, step)
    yield from ((first, first + size) for first in firsts)
    if firsts[-1] + size < samples:
        yield samples - size, samples


def count_spans(samples: int, size: int, step: int) -> int:
    """How many windows `spans` gives."""
    return 1 if samples <= size else 1 + -(-(samples - size) // step)


def check_windows(window: float, overlap: float, silence_db: float | None) -> None:
    """Check how a recording is to be cut.

    Raises:
        ConfigError: a value out of bounds.
    """
    if not MIN_SECONDS <= window <= MAX_SECONDS:
        raise ConfigError(f"window: {window:g} s must lie from {MIN_SECONDS:g} to {MAX_SECONDS} s")
    if not 0 <= overlap <= 0.99:
        raise ConfigError(f"overlap: {overlap:g} must lie from 0 to 0.99, a share of the window")
    if silence_db is not None and not silence_db > 0:
        raise ConfigError(f"silence_db: {silence_db:g} must be above 0; leave silence in by None")


class Silence:
    """Which windows of a recording are silent.

    Args:
        survey: of the whole recording.
        below: how far below its loud parts silence begins, in dB; nothing is silent where None.
    """

    def __init__(self, survey: Survey, below: float | None) -> None:
        levels = survey.levels
        self._seconds = survey.step / survey.rate
        threshold = -np.inf if below is None else _loud(levels, self._seconds) - below
        self._spoken = np.concatenate([[0], np.cumsum(levels > threshold)])

    def __call__(self, start: float, end: float) -> bool:
        """Whether a window (seconds) is silent."""
        last = len(self._spoken) - 1
        low = min(int(start / self._seconds), last - 1)
        high = min(max(int(np.ceil(end / self._seconds)), low + 1), last)
        return bool(self._spoken[high] - self._spoken[low] < SPOKEN_SHARE * (high - low))


def _loud(levels: np.ndarray, step: float) -> float:
    """The level in dB that a recording's loudest share reaches, or the loudest second of a long one.

    Args:
        levels: (n,) in dB.
        step: seconds from one level to the next.
    """
    share = (1 - LOUD_PERCENTILE / 100) * len(levels)
    count = max(1, round(min(share, LOUD_SECONDS / step)))
    return float(np.partition(levels, -count)[-count])


def cut(pieces: Iterator[np.ndarray], wanted: Iterable[Span]) -> Iterator[np.ndarray]:
    """The wanted stretches of a waveform that comes piece by piece; only one window is kept in memory.

    Args:
        pieces: the waveform, (P,) each.
        wanted: stretches in order of their beginnings. What lies behind the waveform's end, by which resampling
            rounds, is zero.
    """
    buffer, offset = np.empty(0, np.float32), 0
    for first, last in wanted:
        while offset + len(buffer) < last and (piece := next(pieces, None)) is not None:
            kept = buffer[max(0, first - offset) :]
            offset += len(buffer) - len(kept)
            buffer = np.concatenate([kept, piece])
        window = buffer[first - offset : last - offset]
        yield np.pad(window, (0, last - first - len(window)))
