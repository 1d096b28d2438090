"""Recordings as waveforms: any format, bit depth, channel count and sampling rate that libsndfile reads."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from nni_emodarts.errors import AudioError

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
BLOCK_SAMPLES = 2**20
"""Samples decoded at once, all channels counted, so that an hour of many channels never lies in memory as a whole."""
UNKNOWN_FRAMES = 2**62
"""Number of samples from which a header means that it knows none: FLAC that an encoder wrote to a pipe."""
CLIPPED_SHARE = 0.001
"""Share of samples at full scale from which a recording is named: peaks that touch it are harmless, runs are not."""
QUIET_DBFS = -60.0
"""Level below which a recording, or a window of it, counts as silent."""
RESAMPLING = "HQ"
"""soxr's quality."""

_LENGTH_FAULT = re.compile(r"^\s*(?:RIFF|data|FORM|SSND)\b.*\(should be.*\)", re.MULTILINE)
"""How libsndfile notes that a chunk states another length than the file has."""
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}


@dataclass(frozen=True)
class Stretch:
    """A recording that is open at the beginning of a stretch.

    Attributes:
        sound: the open file.
        samples: samples of each channel that its header promises from there to the stretch's end.
    """

    sound: soundfile.SoundFile
    samples: int

    def blocks(self, multiple: int = 1) -> Iterator[np.ndarray]:
        """(B, channels) float32, block by block; fewer samples where the header promised too many.

        Args:
            multiple: B is a multiple of it in every block but the last.
        """
        size = max(1, BLOCK_SAMPLES // self.sound.channels // multiple) * multiple
        left = self.samples
        while left > 0:
            block: np.ndarray = self.sound.read(min(size, left), dtype="float32", always_2d=True)
            if not len(block):
                break
            yield block
            left -= len(block)


@contextmanager
def open_stretch(path: str | Path, start: float | None = None, end: float | None = None) -> Iterator[Stretch]:
    """Open a recording at a stretch (seconds) of it; what fails while its samples are read is told in its name too.

    Raises:
        AudioError: the file is missing or no audio, or does not contain the stretch.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise AudioError(f"{path}: no such file; correct its name in the manifest")
        # as bytes, since a name need not be text
        with soundfile.SoundFile(os.fsencode(path)) as sound:
            first, last = _bounds(path, sound, start, end)
            _go_to(sound, first)
            yield Stretch(sound, last - first)
    except (soundfile.SoundFileError, OSError, TypeError) as error:  # TypeError: a file named .raw, which has no header
        reason = str(getattr(error, "error_string", error)).rstrip(".")
        remedy = "convert it to WAV or FLAC"
        if path.name.startswith("._"):
            remedy = "macOS keeps notes under such names: remove its line from the manifest"
        raise AudioError(f"{path}: cannot be decoded ({reason}); {remedy}") from None


def _go_to(sound: soundfile.SoundFile, first: int) -> None:
    """Go to a sample; codecs of telephones (GSM 6.10) know no way but to decode all before it."""
    if first and sound.seekable():
        sound.seek(first)
        return
    while first > 0 and (read := len(sound.read(min(first, BLOCK_SAMPLES // sound.channels), always_2d=True))):
        first -= read


def mix_down(block: np.ndarray) -> np.ndarray:
    """Mean (B,) over the channels of a block (B, channels); channels that are not finite are told by `find_fault`."""
    with np.errstate(invalid="ignore", over="ignore"):
        mono: np.ndarray = block.mean(axis=1) if block.shape[1] > 1 else block[:, 0]
    return mono


def full_scale(sound: soundfile.SoundFile) -> float:
    """The largest sample of a file's encoding; 1 where samples are floats."""
    bits = _BITS.get(sound.subtype)
    return 1.0 if bits is None else 1.0 - 2.0 ** (1 - bits)


def header_fault(sound: soundfile.SoundFile, promised: int, samples: int) -> str | None:
    """How a file's header and its samples differ, after they were read; None where they agree.

    Args:
        sound: the file.
        promised: samples of each channel that its header promises.
        samples: samples that were there.
    """
    if samples < promised:
        rate = sound.samplerate
        return f"its header promises {promised / rate:.2f} s, but only {samples / rate:.2f} s are there"
    if _LENGTH_FAULT.search(sound.extra_info):
        return "its header states another length than the file has; the copy may be cut short"
    return None


def find_fault(samples: int, rate: int, low: float, high: float) -> str | None:
    """Why a decoded stretch cannot be used, with the remedy; None where it can.

    Args:
        samples: how many samples it has.
        rate: sampling rate in Hz.
        low: its smallest sample, channels averaged; NaN where one is NaN.
        high: its largest sample, likewise.
    """
    if not samples:
        return "holds 0 samples; record it again or leave it out"
    peak = max(abs(low), abs(high))
    if not peak <= PEAK:  # NaN compares false
        return f"has a sample of {peak:g}, beyond ±{PEAK:g}; export it again from its source"
    if samples + 1 < MIN_SECONDS * rate:  # a segment's bounds are rounded to samples
        return f"lasts {samples / rate:.3g} s, less than {MIN_SECONDS:g} s; leave it out"
    if samples > MAX_SECONDS * rate:
        return f"lasts more than {MAX_SECONDS} s; name its utterances by start and end"
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
    with open_stretch(path, start, end) as stretch:
        rate = stretch.sound.samplerate
        blocks = _bounded(stretch.blocks(), MAX_SECONDS * rate)
    waveform = np.concatenate(blocks) if blocks else np.empty(0, np.float32)
    low, high = (waveform.min(), waveform.max()) if blocks else (0.0, 0.0)
    fault = find_fault(len(waveform), rate, float(low), float(high))
    if fault is not None:
        raise AudioError(f"{path}: {fault}")
    return resample(waveform, rate, sampling_rate)


def _bounded(blocks: Iterator[np.ndarray], samples: int) -> list[np.ndarray]:
    """Blocks averaged over their channels, until there are more samples than that: a header may promise anything."""
    kept: list[np.ndarray] = []
    for block in blocks:
        kept.append(mix_down(block))
        if sum(map(len, kept)) > samples:
            break
    return kept


def _bounds(path: Path, sound: soundfile.SoundFile, start: float | None, end: float | None) -> tuple[int, int]:
    """First sample of the segment and the one after its last."""
    rate, low, high = sound.samplerate, *SAMPLING_RATES
    if not low <= rate <= high:
        raise AudioError(f"{path}: states a sampling rate of {rate} Hz, outside {low} to {high}; mend its header")
    if end is None and sound.frames >= UNKNOWN_FRAMES:
        raise AudioError(
            f"{path}: its header states no length, as of a stream; encode it again, or name its start and end"
        )
    seconds = sound.frames / rate
    start = 0.0 if start is None else start
    stop = seconds if end is None else end
    if start < 0 or (start and start >= seconds):
        raise AudioError(f"{path}: start {start:g} s lies outside its {seconds:.3f} s; correct the manifest")
    if stop > seconds + END_TOLERANCE:
        raise AudioError(f"{path}: end {stop:g} s lies beyond its {seconds:.3f} s; correct the manifest")
    if stop < start or (end is not None and stop == start):
        raise AudioError(f"{path}: end {stop:g} s does not lie after start {start:g} s; correct the manifest")
    return round(start * rate), min(round(stop * rate), sound.frames)


def resample(waveform: np.ndarray, rate: int, sampling_rate: int) -> np.ndarray:
    """Waveform (S,) at `rate` Hz -> (ceil(S * sampling_rate / rate),) at `sampling_rate` Hz."""
    if rate == sampling_rate:
        return waveform
    expected = -(-len(waveform) * sampling_rate // rate)
    resampled: np.ndarray = soxr.resample(waveform, rate, sampling_rate, quality=RESAMPLING)
    # soxr rounds the length
    return np.pad(resampled, (0, max(0, expected - len(resampled))))
