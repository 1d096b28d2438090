"""Recordings as a recogniser takes them: files or arrays of any rate, length and channels, judged as they are read.

What cannot be recognised is an error with the remedy; what can be, but may mislead, is a note that the answer carries.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from nni_emodarts.data.containers.track import UNKNOWN_FRAMES
from nni_emodarts.data.features.audio import (
    BLOCK_SAMPLES,
    CLIPPED_SHARE,
    MAX_SECONDS,
    MOST_VALUES,
    QUIET_DBFS,
    Resampler,
    Stretch,
    find_fault,
    full_scale,
    header_fault,
    mix_down,
    open_stretch,
)
from nni_emodarts.deploy.given import Recording, as_columns, as_float, ceiling_of, checked_rate, name_of, understand
from nni_emodarts.errors import AudioError

LEVELS_PER_SECOND = 50
"""Stretches by which loudness is measured: 20 ms."""
LOUD_PERCENTILE = 95.0
"""Percentile of a recording's levels that stands for its loud parts; a click does not move it."""
LONG_SECONDS = 30.0
"""Length from which one answer for a whole recording says little; networks are trained on utterances of seconds."""
BELIEVED_PEAK = 8.0
"""Largest float sample that passes without a note; beyond it, integers were probably stored as floats."""

LONGEST_SECONDS = 24 * 3600.0
"""Longest recording that is recognised over time; a header that promises more is damaged, or made to fill memory."""


@dataclass(frozen=True)
class Heard:
    """A recording as one utterance.

    Attributes:
        waveform: (S,) float32, channels averaged, at the rate that was asked for.
        notes: what may mislead.
    """

    waveform: np.ndarray
    notes: tuple[str, ...]


class Survey:
    """What is added up over the blocks of a recording, in memory that an hour does not fill.

    Args:
        rate: sampling rate in Hz.
        ceiling: the largest sample that its encoding holds.
        stretch: the open file; None for an array.
    """

    def __init__(self, rate: int, ceiling: float, stretch: Stretch | None = None) -> None:
        self.rate = rate
        self._stretch = stretch
        self.step = max(1, rate // LEVELS_PER_SECOND)
        self.samples = 0
        self.low, self.high = np.inf, -np.inf
        self.header: str | None = None
        self._ceiling = ceiling
        self._clipped = 0
        self._counted = 0
        self._levels: list[np.ndarray] = []
        self._rest = np.empty(0, np.float32)

    def add(self, block: np.ndarray) -> np.ndarray:
        """Add a block (B, channels); returns its channels' mean (B,)."""
        mono = mix_down(block)
        with np.errstate(invalid="ignore", over="ignore"):  # samples that are not finite are a fault later
            self.low = float(np.minimum(self.low, mono.min()))
            self.high = float(np.maximum(self.high, mono.max()))
            self._clipped += int(np.count_nonzero(np.abs(block) >= self._ceiling))
            self._measure(mono)
        self._counted += block.size
        self.samples += len(block)
        return mono

    def _measure(self, mono: np.ndarray) -> None:
        joined = np.concatenate([self._rest, mono])
        whole = len(joined) // self.step * self.step
        self._levels.append(np.square(joined[:whole].reshape(-1, self.step)).mean(axis=1))
        self._rest = joined[whole:]

    def finish(self) -> None:
        """Compare the file's header with what was there; to be called while the file is open."""
        if self._stretch is not None:
            self.header = header_fault(self._stretch.sound, self._stretch.samples, self.samples)

    @property
    def promised(self) -> float:
        """Length in seconds by the file's header; 0 where it knows none."""
        samples = 0 if self._stretch is None else self._stretch.samples
        return samples / self.rate if samples < UNKNOWN_FRAMES else 0.0

    @property
    def too_many(self) -> bool:
        """Whether there are more samples, all channels counted, than an utterance may have."""
        return self._counted > MOST_VALUES

    @property
    def seconds(self) -> float:
        """Length so far."""
        return self.samples / self.rate

    @property
    def levels(self) -> np.ndarray:
        """Mean power of each stretch of `step` samples, in dBFS."""
        rest = [np.square(self._rest).mean(keepdims=True)] if len(self._rest) else []
        power = np.concatenate([*self._levels, *rest])
        return np.asarray(10 * np.log10(np.maximum(power, 1e-20)))

    def fault(self, longest: float) -> str | None:
        """Why the recording cannot be recognised, with the remedy; None where it can.

        Args:
            longest: seconds that are one utterance; `LONGEST_SECONDS` where it is cut into windows.
        """
        over_time = longest > MAX_SECONDS
        if self.seconds > longest or (self.promised > longest if over_time else self.too_many):
            much = f"has over {MOST_VALUES:,} samples" if self.seconds <= longest and not over_time else ""
            besides = "" if over_time else ", or have it recognised over time, window by window"
            return f"{much or f'lasts more than {longest:g} s'}; cut it{besides}"
        low, high = (self.low, self.high) if self.samples else (0.0, 0.0)
        within = min(self.samples, MAX_SECONDS * self.rate)  # what is too long has been judged above
        return find_fault(within, self.rate, low, high)

    def notes(self, sampling_rate: int) -> Iterator[str]:
        """What may mislead a network of this sampling rate in Hz."""
        clipped = self._clipped / max(self._counted, 1)
        peak = max(abs(self.low), abs(self.high))
        loudest = float(self.levels.max())
        if peak > BELIEVED_PEAK:
            yield f"its samples reach {peak:g}, far beyond ±1: if they are integers, divide by their full scale"
        elif clipped >= CLIPPED_SHARE:
            yield f"clipped: {clipped:.1%} of its samples are at full scale or beyond"
        if self.header is not None:
            yield self.header
        if loudest < QUIET_DBFS:
            yield f"quiet: nowhere louder than {loudest:.0f} dBFS"
        if self.rate < sampling_rate:
            yield f"at {self.rate} Hz it holds nothing above {self.rate // 2} Hz; the network heard {sampling_rate} Hz"


@dataclass(frozen=True)
class Source:
    """A recording that can be read from its beginning any number of times.

    Attributes:
        name: its file, or what messages call it.
        recording: the file or the samples, as `Source.of` understood them.
        sampling_rate: of samples, in Hz.
    """

    name: str
    recording: Path | BinaryIO | np.ndarray
    sampling_rate: int | None = None

    @classmethod
    def of(cls, recording: Recording, sampling_rate: int | None = None) -> "Source":
        """Understand what a person gives.

        Args:
            recording: a file or samples.
            sampling_rate: of samples, in Hz; a file states its own.

        Raises:
            AudioError: it is neither, or samples that say too little of themselves.
        """
        name = name_of(recording)
        understood = understand(name, recording)
        if isinstance(understood, np.ndarray):
            return cls(name, as_columns(understood), checked_rate(sampling_rate))
        if sampling_rate is not None:
            raise AudioError(f"{name}: sampling_rate is for arrays; the file states its own, so leave it out")
        return cls(name, understood)

    @contextmanager
    def open(self) -> Iterator[tuple[Survey, Iterator[np.ndarray]]]:
        """A survey of it that is still empty, and its blocks (B, channels), float32.

        Raises:
            AudioError: it is missing or no audio.
        """
        if isinstance(self.recording, np.ndarray):
            samples = self.recording
            size = max(1, BLOCK_SAMPLES // samples.shape[1])
            blocks = (samples[first : first + size] for first in range(0, len(samples), size))
            yield Survey(self.sampling_rate or 0, ceiling_of(samples)), (as_float(block) for block in blocks)
            return
        with open_stretch(self.recording, name=self.name) as stretch:
            yield Survey(stretch.sound.samplerate, full_scale(stretch.sound), stretch), stretch.blocks()

    def refuse(self, fault: str) -> AudioError:
        """The error that names this recording."""
        return AudioError(f"{self.name}: {fault}")


def hear(source: Source, sampling_rate: int) -> Heard:
    """Read a recording as one utterance.

    Args:
        source: the recording.
        sampling_rate: sampling rate of the result in Hz.

    Raises:
        AudioError: it cannot be recognised.
    """
    pieces = []
    with source.open() as (survey, blocks):
        resampler = Resampler(survey.rate, sampling_rate)
        for block in blocks:
            pieces.append(resampler(survey.add(block)))
            if survey.seconds > MAX_SECONDS or survey.too_many:
                break
        survey.finish()
    if (fault := survey.fault(MAX_SECONDS)) is not None:
        raise source.refuse(fault)
    notes = list(survey.notes(sampling_rate))
    if survey.seconds > LONG_SECONDS:
        notes.append(f"lasts {survey.seconds:.0f} s: one answer for so long a recording says little; see over time")
    return Heard(np.concatenate([*pieces, resampler.rest()]), tuple(notes))


def survey_whole(source: Source) -> Survey:
    """Listen to a recording of any length once, keeping none of it.

    Raises:
        AudioError: it cannot be recognised.
    """
    with source.open() as (survey, blocks):
        for block in blocks if survey.promised <= LONGEST_SECONDS else ():
            survey.add(block)
            if survey.seconds > LONGEST_SECONDS:
                break
        survey.finish()
    if (fault := survey.fault(LONGEST_SECONDS)) is not None:
        raise source.refuse(fault)
    return survey


def stream(source: Source, sampling_rate: int) -> Iterator[np.ndarray]:
    """The waveform at a sampling rate in Hz, piece by piece (P,) float32."""
    with source.open() as (survey, blocks):
        resampler = Resampler(survey.rate, sampling_rate)
        for block in blocks:
            yield resampler(mix_down(block))
        yield resampler.rest()
