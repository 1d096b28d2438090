"""What large maps will take on disk, worked out before any of them is computed."""

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from nni_emodarts.data.features.audio import open_stretch
from nni_emodarts.data.features.extractor import LargeExtractor
from nni_emodarts.data.features.store import HEADER_BYTES, SEAL_BYTES
from nni_emodarts.errors import AudioError, ConfigError

_BLOCK = 4096
"""Bytes that a file takes at least: a disk's blocks."""
_BYTES = 2
"""Of a value: float16."""
Stretches = Sequence[tuple[str, float | None, float | None]]


def read_seconds(stretches: Stretches, threads: int) -> np.ndarray:
    """Seconds of each recording, as its header tells; 0 where it cannot be read.

    Args:
        stretches: file, start and end of each.
        threads: headers that are read at once.
    """
    with ThreadPoolExecutor(threads) as pool:
        return np.fromiter(pool.map(_seconds, stretches), np.float64, len(stretches))


def needed_bytes(extractor: LargeExtractor, seconds: np.ndarray) -> int:
    """Bytes on disk that the maps of recordings of so many seconds take."""
    frames = np.ceil(seconds * 1000 / extractor.hop_ms)
    blocks = np.ceil((frames * extractor.feature_rows * _BYTES + HEADER_BYTES + SEAL_BYTES) / _BLOCK)
    return int(blocks.sum()) * _BLOCK


def check_room(extractor: LargeExtractor, needed: int, root: Path) -> None:
    """Check that maps have room on the disk.

    Args:
        extractor: what computes them.
        needed: bytes that they take.
        root: where they are to lie; its folder may not be there yet.

    Raises:
        ConfigError: there is less.
    """
    there = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise ConfigError(
            f"data.cache: the features need {needed / 1e9:.1f} GB in {root}, where {free / 1e9:.1f} GB are free; "
            f"{extractor.remedy}, or set data.cache to a folder on a larger disk"
        )


def _seconds(stretch: tuple[str, float | None, float | None]) -> float:
    file, start, end = stretch
    try:
        with open_stretch(file, start, end) as opened:
            return opened.samples / opened.sound.samplerate
    except AudioError:
        return 0.0
