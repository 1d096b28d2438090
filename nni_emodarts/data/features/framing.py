"""Centred frames, a bounded number at a time."""

from collections.abc import Iterator

import numpy as np

BLOCK_FRAMES = 4096
"""Frames computed at once: an hour-long recording needs no more memory than a short one."""


def frame_count(samples: int, hop: int) -> int:
    """Frames T of a waveform of that many samples: one at each hop, the first centred on the first sample."""
    return 1 + samples // hop


def centred_blocks(waveform: np.ndarray, frame_length: int, hop: int) -> Iterator[np.ndarray]:
    """Pieces of a zero-padded waveform whose uncentred frames are, one after the other, its centred frames.

    Args:
        waveform: (S,).
        frame_length: samples of a frame, even.
        hop: samples from one frame to the next.

    Yields:
        Pieces (P,) that hold up to `BLOCK_FRAMES` frames each, 1 + S // hop in all.
    """
    padded = np.pad(waveform, frame_length // 2)
    frames = frame_count(len(waveform), hop)
    for first in range(0, frames, BLOCK_FRAMES):
        last = min(first + BLOCK_FRAMES, frames) - 1
        yield padded[first * hop : last * hop + frame_length]
