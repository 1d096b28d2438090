"""Recordings as waveforms: any format, bit depth, channel count and sampling rate that libsndfile reads."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from nni_emodarts.data.containers.kinds import absence, identify
from nni_emodarts.data.containers.track import UNKNOWN_FRAMES, Track, open_track
from nni_emodarts.errors import AudioError
from nni_emodarts.runtime.reading import UnreadableError

SAMPLING_RATES = (1_000, 1_000_000)
"""Lowest and highest sampling rate of a file in Hz; beyond them the header is damaged, and resampling fills memory."""
PEAK = 1e9
"""Largest sample that is believed: far above integers stored as floats, far below the overflow of a power spectrum."""
END_TOLERANCE = 0.1
"""Seconds by which a segment may end after its recording: annotations are rounded."""
MIN_SECONDS = 0.1
"""Shortest stretch that can be used: a few frames, less than a syllable."""
MAX_SECONDS = 600
"""Longest stretch that is one utterance: features of an hour and a batch of them would fill memory."""
MOST_VALUES = 2**28
"""Samples of an utterance that are decoded, all channels counted: ten minutes of eight channels at 48 kHz are less."""
BLOCK_SAMPLES = 2**20
"""Samples decoded at once, all channels counted, so that an hour of many channels never lies in memory as a whole."""
CLIPPED_SHARE = 0.001
"""Share of samples at full scale from which a recording is named: peaks that touch it are harmless, runs are not."""
QUIET_DBFS = -60.0
"""Level below which a recording, or a window of it, counts as silent."""
RESAMPLING = "HQ"
"""soxr's quality."""
FRAME_SECONDS = 0.08
"""Seconds that may lack at the end: a frame of MP3, since some encoders count one too many."""

_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}


@dataclass(frozen=True)
class Stretch:
    """A recording that is open at the beginning of a stretch.

    Attributes:
        sound: the open file.
        samples: samples of each channel that its header promises from there to the stretch's end.
    """

    sound: Track
    samples: int

    def blocks(self, multiple: int = 1) -> Iterator[np.ndarray]:
        """(B, channels) float32, block by block; fewer samples where the header promised too many.

        Args:
            multiple: B is a multiple of it in every block but the last.
        """
        size = max(1, BLOCK_SAMPLES // self.sound.channels // multiple) * multiple
        left = self.samples
        while left > 0:
            block = self.sound.read(min(size, left))
            if not len(block):
                break
            yield block
            left -= len(block)


@contextmanager
def open_stretch(
    source: str | Path | BinaryIO, start: float | None = None, end: float | None = None, name: str | None = None
) -> Iterator[Stretch]:
    """Open a recording at a stretch (seconds) of it; what fails while its samples are read is reported in its name too.

    Args:
        source: a file, or one that is open in binary mode and can be sought in.
        start: where the stretch begins; at the file's beginning where absent.
        end: where it ends; at the file's end where absent.
        name: what messages call it.

    Raises:
        AudioError: the file is missing or no audio, or does not contain the stretch.
    """
    source = Path(source) if isinstance(source, str) else source
    name = str(source) if name is None else name
    fault = absence(source) if isinstance(source, Path) else None
    if fault is not None:
        raise AudioError(f"{name}: {fault}")
    try:
        with open_track(source) as sound:
            first, last = _bounds(name, sound, start, end)
            sound.seek(first)
            yield Stretch(sound, last - first)
    except UnreadableError as error:
        raise AudioError(f"{name}: {error}") from None
    except (soundfile.SoundFileError, OSError, TypeError) as error:  # TypeError: a file named .raw, which has no header
        raise AudioError(f"{name}: {_why_not(source, error)}") from None


def _why_not(source: Path | BinaryIO, error: Exception) -> str:
    """Why a file cannot be decoded, with the remedy."""
    reason = str(getattr(error, "error_string", error)).rstrip(".")
    if isinstance(source, Path) and source.name.startswith("._"):
        return f"cannot be decoded ({reason}); macOS keeps notes under such names: remove its line from the manifest"
    try:
        known = identify(source)
    except OSError:
        known = None
    return known or f"cannot be decoded ({reason}); convert it to WAV or FLAC"


def mix_down(block: np.ndarray) -> np.ndarray:
    """Mean (B,) over the channels of a block (B, channels); channels that are not finite are for `find_fault`."""
    with np.errstate(invalid="ignore", over="ignore"):
        mono: np.ndarray = block.mean(axis=1) if block.shape[1] > 1 else block[:, 0]
    return mono


def full_scale(sound: soundfile.SoundFile) -> float:
    """The largest sample of a file's encoding; 1 where samples are floats."""
    bits = _BITS.get(sound.subtype)
    return 1.0 if bits is None else 1.0 - 2.0 ** (1 - bits)


def header_fault(sound: Track, promised: int, samples: int) -> str | None:
    """How a file's header and its samples differ, after they were read; None where they agree.

    Args:
        sound: the file.
        promised: samples of each channel that its header promises.
        samples: samples that were there.
    """
    rate = sound.samplerate
    fault = sound.layout.fault(sound.frames / rate)
    if fault is None and samples + FRAME_SECONDS * rate < promised < UNKNOWN_FRAMES:
        fault = f"its header promises {promised / rate:.2f} s, but only {samples / rate:.2f} s are there"
    return fault


def most_samples(rate: int, channels: int) -> int:
    """Samples of each channel that an utterance may have, at a sampling rate in Hz."""
    return min(MAX_SECONDS * rate, MOST_VALUES // channels)


def find_fault(samples: int, rate: int, low: float, high: float, channels: int = 1) -> str | None:
    """Why a decoded stretch cannot be used, with the remedy; None where it can.

    Args:
        samples: how many samples it has.
        rate: sampling rate in Hz.
        low: its smallest sample, channels averaged; NaN where one is NaN.
        high: its largest sample, likewise.
        channels: how many it has.
    """
    if not samples:
        return "holds 0 samples; record it again or leave it out"
    peak = max(abs(low), abs(high))
    if not peak <= PEAK:  # NaN compares false
        return f"has a sample of {peak:g}, beyond ±{PEAK:g}; export it again from its source"
    if samples + 1 < MIN_SECONDS * rate:  # a segment's bounds are rounded to samples
        return f"lasts {samples / rate:.3g} s, less than {MIN_SECONDS:g} s; leave it out"
    if samples > most_samples(rate, channels):
        much = (
            f"lasts more than {MAX_SECONDS} s" if samples > MAX_SECONDS * rate else f"has over {MOST_VALUES:,} samples"
        )
        return f"{much}; name its utterances by start and end"
    if low == high:
        return f"is silent: every sample is {low:g} once channels are averaged; record it again or leave it out"
    return None


def read_audio(
    path: str | Path, sampling_rate: int, start: float | None = None, end: float | None = None
) -> np.ndarray:
    """Decode a recording, average its channels and resample it.

    Args:
        path: the audio file.
        sampling_rate: sampling rate of the result in Hz.
        start: where the segment begins, in seconds; at the file's beginning where absent.
        end: where it ends, in seconds; at the file's end where absent.

    Returns:
        Waveform (S,), float32, from `MIN_SECONDS` to `MAX_SECONDS` long.

    Raises:
        AudioError: the file is missing, no audio, empty, too short, too long or silent, holds NaN or the like, or does
            not contain the segment.
    """
    pieces, samples, low, high = [], 0, np.float32(np.inf), np.float32(-np.inf)
    with open_stretch(path, start, end) as stretch:
        rate, channels = stretch.sound.samplerate, stretch.sound.channels
        resampler, longest = Resampler(rate, sampling_rate), most_samples(rate, channels)
        for mono in map(mix_down, stretch.blocks()):
            low, high = np.minimum(low, mono.min()), np.maximum(high, mono.max())
            pieces.append(resampler(mono))
            samples += len(mono)
            if samples > longest:  # a header may promise anything
                break
    fault = find_fault(samples, rate, float(low), float(high), channels)
    if fault is not None:
        raise AudioError(f"{path}: {fault}")
    return np.concatenate([*pieces, resampler.rest()])


def _bounds(name: str, sound: Track, start: float | None, end: float | None) -> tuple[int, int]:
    """First sample of the segment and the one after its last."""
    rate, low, high = sound.samplerate, *SAMPLING_RATES
    if not low <= rate <= high:
        raise AudioError(f"{name}: states a sampling rate of {rate} Hz, outside {low} to {high}; mend its header")
    seconds = sound.frames / rate
    start = 0.0 if start is None else start
    stop = seconds if end is None else end
    if start < 0 or (start and start >= seconds):
        raise AudioError(f"{name}: start {start:g} s lies outside its {seconds:.3f} s; correct the manifest")
    if stop > seconds + END_TOLERANCE:
        raise AudioError(f"{name}: end {stop:g} s lies beyond its {seconds:.3f} s; correct the manifest")
    if stop < start or (end is not None and stop == start):
        raise AudioError(f"{name}: end {stop:g} s does not lie after start {start:g} s; correct the manifest")
    return round(start * rate), min(round(stop * rate), sound.frames)


class Resampler:
    """Resamples a waveform that comes piece by piece, as it would be as a whole.

    Args:
        rate: its sampling rate in Hz.
        sampling_rate: that of the result in Hz.
    """

    def __init__(self, rate: int, sampling_rate: int) -> None:
        self._rates = rate, sampling_rate
        self._same = rate == sampling_rate
        self._stream = soxr.ResampleStream(rate, sampling_rate, 1, dtype="float32", quality=RESAMPLING)
        self._heard = self._given = 0

    def __call__(self, piece: np.ndarray, last: bool = False) -> np.ndarray:
        """What a piece (P,) adds to the result."""
        resampled: np.ndarray = piece if self._same else self._stream.resample_chunk(piece, last)
        self._heard += len(piece)
        self._given += len(resampled)
        return resampled

    def rest(self) -> np.ndarray:
        """What is left at the end: the result has ceil(S * sampling_rate / rate) samples."""
        rate, sampling_rate = self._rates
        last = self(np.empty(0, np.float32), last=True)
        expected = -(-self._heard * sampling_rate // rate)
        return np.pad(last, (0, max(0, expected - self._given)))  # soxr rounds the length
