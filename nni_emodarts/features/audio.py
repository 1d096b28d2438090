"""Recordings as waveforms: any format, bit depth, channel count and sampling rate that libsndfile reads."""

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
BLOCK_SAMPLES = 2**20
"""Samples decoded at once, all channels counted, so that an hour of many channels never lies in memory as a whole."""


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
        Waveform (S,), float32, at least one sample.

    Raises:
        AudioError: the file is missing, no audio or empty, holds NaN or the like, or does not contain the segment.
    """
    rate, waveform = _decode(Path(path), start, end)
    if waveform.size == 0:
        raise AudioError(f"{path}: holds 0 samples; record it again or leave it out")
    peak = np.abs(waveform).max()
    if not peak <= PEAK:  # NaN compares false
        raise AudioError(f"{path}: has a sample of {peak:g}, beyond ±{PEAK:g}; export it again from its source")
    return _resample(waveform, rate, sampling_rate)


def _decode(path: Path, start: float | None, end: float | None) -> tuple[int, np.ndarray]:
    try:
        if not path.is_file():
            raise AudioError(f"{path}: no such file; correct its name in the manifest")
        with soundfile.SoundFile(path) as sound:
            first, last = _bounds(path, sound, start, end)
            sound.seek(first)
            return sound.samplerate, _read_mono(sound, last - first)
    except (soundfile.SoundFileError, OSError, TypeError) as error:  # TypeError: a file named .raw, which has no header
        reason = str(getattr(error, "error_string", error)).rstrip(".")
        raise AudioError(f"{path}: cannot be decoded ({reason}); convert it to WAV or FLAC") from None


def _bounds(path: Path, sound: soundfile.SoundFile, start: float | None, end: float | None) -> tuple[int, int]:
    """First sample of the segment and the one after its last."""
    rate, low, high = sound.samplerate, *SAMPLING_RATES
    if not low <= rate <= high:
        raise AudioError(f"{path}: states a sampling rate of {rate} Hz, outside {low} to {high}; mend its header")
    seconds = sound.frames / rate
    start = 0.0 if start is None else start
    stop = seconds if end is None else end
    if start < 0 or (start and start >= seconds):
        raise AudioError(f"{path}: start {start:g} s lies outside its {seconds:.3f} s; correct the manifest")
    if stop > seconds + END_TOLERANCE:
        raise AudioError(f"{path}: end {stop:g} s lies beyond its {seconds:.3f} s; correct the manifest")
    if stop < start or (end is not None and stop == start):
        raise AudioError(f"{path}: end {stop:g} s does not lie after start {start:g} s; correct the manifest")
    return round(start * rate), round(stop * rate)


def _read_mono(sound: soundfile.SoundFile, samples: int) -> np.ndarray:
    """Mean over channels of the next samples, decoded block by block; a header that promises more is not believed."""
    size = max(1, BLOCK_SAMPLES // sound.channels)
    blocks: list[np.ndarray] = []
    while samples > 0:
        block = sound.read(min(size, samples), dtype="float32", always_2d=True)
        if not len(block):
            break
        blocks.append(block.mean(axis=1) if sound.channels > 1 else block[:, 0])
        samples -= len(block)
    return np.concatenate(blocks) if blocks else np.empty(0, np.float32)


def _resample(waveform: np.ndarray, rate: int, sampling_rate: int) -> np.ndarray:
    if rate == sampling_rate:
        return waveform
    expected = -(-len(waveform) * sampling_rate // rate)
    resampled: np.ndarray = soxr.resample(waveform, rate, sampling_rate, quality="HQ")
    # soxr rounds the length, which leaves nothing of a single sample
    return np.pad(resampled, (0, max(0, expected - len(resampled))))
