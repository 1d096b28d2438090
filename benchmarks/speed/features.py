"""`python -m benchmarks.speed.features`: features from recordings on disk, in seconds of audio per second.

On a manifest, or on made FLAC recordings of 3 s at 16 kHz. Each figure is of one process with one thread unless it says
otherwise; the last row is a second call, which finds everything in the store.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.speed.measuring import Step, measure, write_figures
from nni_emodarts.config import load_config
from nni_emodarts.data.corpus import load_corpus
from nni_emodarts.data.features import FeatureExtractor, read_audio
from nni_emodarts.data.manifest import Manifest, read_manifest

GOAL = 500
"""Seconds of audio that a core should turn into features in a second."""
_RATE, _SECONDS, _COUNT = 16_000, 3.0, 400


def make_corpus(folder: Path, count: int = _COUNT) -> Path:
    """Recordings of coloured noise, and their manifest."""
    random = np.random.default_rng(0)
    lines = ["file,emotion,speaker"]
    for number in range(count):
        samples = np.cumsum(random.normal(0, 0.01, int(_SECONDS * _RATE)))
        soundfile.write(folder / f"{number:04}.flac", np.clip(samples - samples.mean(), -0.9, 0.9), _RATE)
        lines.append(f"{number:04}.flac,{('anger', 'sadness')[number % 2]},speaker {number // 2 % 10}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder / "manifest.csv"


def make_part_step(manifest: str, preset: str, part: str) -> Step:
    """Reading alone, or reading and extracting, of all recordings, one after the other."""
    rows = read_manifest(manifest)
    extractor = FeatureExtractor(**load_config(preset).features.spectral())

    def step() -> dict[str, Any]:
        seconds = 0.0
        for file, start, end in _spans(rows):
            waveform = read_audio(file, extractor.sampling_rate, start, end)
            seconds += len(waveform) / extractor.sampling_rate
            if part == "extract":
                extractor(waveform)
        return {"audio_seconds": seconds}

    return step


def make_store_step(manifest: str, preset: str, workers: int, again: bool) -> Step:
    """A whole call: digests, extraction, and the store on disk; `again` finds the maps of the call before."""
    config = load_config(preset, options={"data.manifest": manifest, "data.workers": workers})
    kept = tempfile.TemporaryDirectory()

    def step() -> None:
        with tempfile.TemporaryDirectory() as emptied:
            cache = Path(kept.name if again else emptied)
            data = config.data.model_copy(update={"cache": cache})
            load_corpus(config.model_copy(update={"data": data}))

    return step


def _spans(manifest: Manifest) -> list[tuple[str, float | None, float | None]]:
    times = manifest.table[["start", "end"]].astype(object).where(manifest.table[["start", "end"]].notna(), None)
    return list(zip(manifest.table["file"], times["start"], times["end"], strict=True))


def main() -> None:
    """Measure reading, extraction and the whole call."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", type=Path, help="recordings to use; made ones where absent")
    parser.add_argument("--presets", default="compact,paper", help="presets whose features are extracted")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        manifest = str((arguments.manifest or make_corpus(Path(folder))).absolute())
        rows = [row for preset in arguments.presets.split(",") for row in _rows(manifest, preset, arguments.repeats)]
    source = arguments.manifest.parent.name if arguments.manifest else f"{_COUNT} made recordings"
    write_figures(arguments.json, {"recordings": source, "goal": GOAL, "rows": rows})


def _rows(manifest: str, preset: str, repeats: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    kind = load_config(preset).features.kind
    for name, function, own, threads in (
        ("read", "make_part_step", {"part": "read"}, 1),
        ("read and extract", "make_part_step", {"part": "extract"}, 1),
        ("whole call, 1 process", "make_store_step", {"workers": 1, "again": False}, 1),
        ("whole call, more processes where they pay", "make_store_step", {"workers": None, "again": False}, 2),
        ("whole call, all in the store", "make_store_step", {"workers": 1, "again": True}, 1),
    ):
        wanted = {"manifest": manifest, "preset": preset, **own}
        found = measure(f"benchmarks.speed.features:{function}", wanted, repeats, threads)
        audio = found.facts.get("audio_seconds") or rows[0]["audio_seconds"]
        speed = audio / found.seconds
        rows.append({"preset": preset, "kind": kind, "name": name, "seconds": found.seconds, "audio_seconds": audio})
        rows[-1] |= {"times_real_time": speed, "peak_bytes": found.peak_bytes}
        print(f"{preset:8} {kind:8} {name:42} {speed:9.0f} x real time, {found.peak_bytes / 1e6:5.0f} MB", flush=True)
    return rows


if __name__ == "__main__":
    main()
