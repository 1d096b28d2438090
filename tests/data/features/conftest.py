import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from nni_emodarts.data.features import FeatureExtractor
from nni_emodarts.data.manifest import Manifest


def tone(seconds: float, rate: int, frequency: float = 220.0, seed: int = 0) -> np.ndarray:
    """A buzz with some noise: power in every mel band, and a pitch."""
    time = np.arange(round(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * frequency * k * time) / k for k in range(1, int(0.45 * rate / frequency)))
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return (0.1 * buzz + 0.01 * noise).astype(np.float32)


def manifest_of(files: Sequence[Path | str], spans: Sequence[tuple[float, float]] | None = None) -> Manifest:
    starts, ends = zip(*(spans or [(np.nan, np.nan)] * len(files)), strict=True)
    table = pd.DataFrame({"file": [str(file) for file in files], "start": starts, "end": ends})
    return Manifest(table, ("anger",), "")


@pytest.fixture
def recordings(tmp_path: Path) -> Callable[[int], list[Path]]:
    """Writes that many recordings of different lengths; returns their files."""

    def write(count: int) -> list[Path]:
        files = [tmp_path / "audio" / f"{number}.wav" for number in range(count)]
        files[0].parent.mkdir(exist_ok=True)
        for number, file in enumerate(files):
            soundfile.write(file, tone(0.2 + 0.01 * number, 16000, seed=number), 16000)
        return files

    return write


class Counting(FeatureExtractor):
    """Log-mel that counts how often it is called."""

    def __init__(self, **changes: object) -> None:
        super().__init__(**{**LOG_MEL, **changes})
        self.calls = 0

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        self.calls += 1
        return super().__call__(waveform)


LOG_MEL = {"kind": "log_mel", "sampling_rate": 16000, "window_ms": 32.0, "hop_ms": 10.0, "mel_bands": 64}


@pytest.fixture
def counting() -> type[Counting]:
    return Counting


@pytest.fixture
def log_mel() -> dict[str, object]:
    return dict(LOG_MEL)


@pytest.fixture(name="tone")
def tone_fixture() -> Callable[..., np.ndarray]:
    return tone


@pytest.fixture(name="manifest_of")
def manifest_of_fixture() -> Callable[..., Manifest]:
    return manifest_of


@pytest.fixture
def emodb4() -> Path:
    root = os.environ.get("EMODARTS_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data"
    folder = Path(root) / "emodb4"
    if not (folder / "manifest.csv").exists():
        pytest.skip(f"no real speech at {folder}; set EMODARTS_DATA to the folder that holds emodb4")
    return folder
