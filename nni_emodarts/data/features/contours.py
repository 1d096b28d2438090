"""Contours: one value a frame, on the frames of the map that they accompany."""

import math
from collections.abc import Callable

import librosa
import numpy as np

from nni_emodarts.data.features.framing import centred_blocks

PITCH_RANGE = (60.0, 600.0)
"""Lowest and highest pitch in Hz: from a low male voice to an excited child's."""
PITCH_WINDOW = 0.05
"""Seconds that a pitch estimate sees: three periods of the lowest pitch."""
PITCH_RESOLUTION = 0.25
"""Semitones between pitch candidates: three times as fast as librosa's 0.1, and still 1.5 %."""
PITCH_CHANGE = 35.92
"""Fastest change of pitch in octaves per second (librosa's default)."""
ENERGY_FLOOR = 1e-5
"""Smallest root mean square, about the quantisation noise of 16 bits."""

Contour = Callable[[np.ndarray, int, int, int], np.ndarray]
"""(waveform (S,), sampling rate in Hz, window in samples, hop in samples) -> (T,)."""


def pitch(waveform: np.ndarray, sampling_rate: int, window: int, hop: int) -> np.ndarray:
    """Pitch in log2 Hz by pYIN (Mauch and Dixon 2014), interpolated over unvoiced frames.

    A recording without a voiced frame gets the centre of the range throughout. The window is pitch's own: a map's
    window may be shorter than a period.
    """
    low, high = PITCH_RANGE[0], min(PITCH_RANGE[1], 0.45 * sampling_rate)
    octaves = math.log2(high / low)
    frame_length = 2 ** math.ceil(math.log2(PITCH_WINDOW * sampling_rate))
    blocks = [
        librosa.pyin(
            block,
            fmin=low,
            fmax=high,
            sr=sampling_rate,
            frame_length=frame_length,
            hop_length=hop,
            resolution=PITCH_RESOLUTION,
            # a jump from frame to frame must stay below the range, or pYIN refuses a long hop
            max_transition_rate=min(PITCH_CHANGE, 0.9 * octaves * sampling_rate / hop),
            center=False,
        )[0]
        for block in centred_blocks(waveform, frame_length, hop)
    ]
    return _fill_unvoiced(np.log2(np.concatenate(blocks)), constant=math.log2(low) + octaves / 2)


def energy(waveform: np.ndarray, sampling_rate: int, window: int, hop: int) -> np.ndarray:
    """Natural logarithm of the root mean square of each window."""
    frame_length = window + window % 2
    blocks = [
        librosa.feature.rms(y=block, frame_length=frame_length, hop_length=hop, center=False)[0]
        for block in centred_blocks(waveform, frame_length, hop)
    ]
    return np.asarray(np.log(np.maximum(np.concatenate(blocks), ENERGY_FLOOR)))


def _fill_unvoiced(contour: np.ndarray, constant: float) -> np.ndarray:
    voiced = np.flatnonzero(~np.isnan(contour))
    if not voiced.size:
        return np.full_like(contour, constant)
    return np.asarray(np.interp(np.arange(len(contour)), voiced, contour[voiced]))


CONTOURS: dict[str, Contour] = {"pitch": pitch, "energy": energy}
"""Contours by name."""
