"""`python -m benchmarks.speed.corpus_size`: memory and time of a search by number of utterances.

The utterances are made: half a second of noise each, a file each, in a temporary folder (16 kB an utterance, and their
features). Memory is RssAnon, which belongs to no file, of a search that reads the whole corpus and takes the same
number of steps; it must not grow with the corpus. Time is of a whole epoch, where that is short enough to wait for.
With `--pretrained` it is heard with an encoder: one level of 512 features, a frame every 80 ms. Its weights are made
and it has one layer, so that features are as large as those of Whisper base, and sooner there.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from benchmarks.speed.measuring import Step, measure, write_figures
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import load_corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.runtime.run_folder import METRICS, RunFolder
from nni_emodarts.search.run import search

SIZES = (1_000, 10_000, 100_000)
EPOCH_UP_TO = 10_000
"""Utterances of the largest corpus whose whole epoch is timed."""
_RATE, _SECONDS, _NOISE_SECONDS = 16_000, 0.5, 10
_LEVEL, _HOP_MS = 1, 80.0
_SPEAKERS, _EMOTIONS, _IN_A_FOLDER = 50, ("anger", "happiness", "neutral", "sadness"), 1_000


def make_corpus(folder: Path, utterances: int) -> Path:
    """Stretches of noise, no two alike, and their manifest."""
    random = np.random.default_rng(0)
    noise = random.normal(0, 0.1, _NOISE_SECONDS * _RATE).astype(np.float32)
    length = int(_SECONDS * _RATE)
    rows = []
    for number in range(utterances):
        file = folder / f"{number // _IN_A_FOLDER:04}" / f"{number:06}.wav"
        file.parent.mkdir(exist_ok=True)
        start = random.integers(0, len(noise) - length)
        soundfile.write(file, noise[start : start + length] * (1 + number / utterances), _RATE)
        speaker = f"speaker {number // len(_EMOTIONS) % _SPEAKERS}"
        rows.append((file.relative_to(folder), _EMOTIONS[number % len(_EMOTIONS)], speaker))
    pd.DataFrame(rows, columns=["file", "emotion", "speaker"]).to_csv(folder / "manifest.csv", index=False)
    return folder / "manifest.csv"


def make_encoder(folder: Path) -> Path:
    """A Whisper of one layer, as wide as Whisper base, that has learnt nothing."""
    from transformers import WhisperConfig, WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    sizes: dict[str, Any] = {
        "d_model": 512,
        "encoder_layers": _LEVEL,
        "encoder_attention_heads": 8,
        "encoder_ffn_dim": 512,
    }
    WhisperEncoder(WhisperConfig(**sizes)).save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    return folder


def make_step(manifest: str, cache: str, front_end: str | None, steps: int | None) -> Step:
    """A search of one epoch, from reading the manifest on; features are in the cache from the second time on."""
    config = _config(manifest, cache, front_end, {"search.epochs": 1, "search.epoch_steps": steps})

    def step() -> dict[str, Any]:
        corpus = load_corpus(config)
        with tempfile.TemporaryDirectory() as folder:
            run = RunFolder.claim(Path(folder) / "run")
            search(FoldTask.of(config, corpus, 0, 1), run)
            return {"epoch_seconds": run.read_json(METRICS)["seconds"]}

    return step


def extract(manifest: str, cache: str, front_end: str | None) -> Step:
    """Features of all utterances into the cache."""
    config = _config(manifest, cache, front_end, {})

    def step() -> None:
        load_corpus(config)

    return step


def _config(manifest: str, cache: str, front_end: str | None, options: dict[str, Any]) -> ExperimentConfig:
    data = {"data.manifest": manifest, "data.protocol": "kfold:5", "data.cache": cache, "device": "cpu"}
    if front_end is None:
        return load_config("tiny", options={**data, **options})
    # Without the silence that Whisper wants behind each recording: it takes four times as long as half a second.
    heard = {"model": front_end, "levels": [_LEVEL], "hop_ms": _HOP_MS, "padding": 0.0}
    stream = {"name": "speech", "kind": "pretrained", **heard}
    return load_config("pretrained", options={**data, **options, "features.streams": [stream]})


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of utterances")
    parser.add_argument("--steps", type=int, default=30, help="search steps")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pretrained", action="store_true", help="hear with a made encoder")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for size in map(int, arguments.sizes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            made = {"manifest": str(make_corpus(Path(folder), size)), "cache": str(Path(folder) / "cache")}
            encoder = str(make_encoder(Path(folder) / "encoder")) if arguments.pretrained else None
            paths = {**made, "front_end": encoder}
            extraction = measure("benchmarks.speed.corpus_size:extract", paths, 1, arguments.threads, warm_up=False)
            wanted = {**paths, "steps": arguments.steps}
            found = measure("benchmarks.speed.corpus_size:make_step", wanted, 1, arguments.threads, warm_up=False)
            row = {"utterances": size, "extraction_seconds": extraction.seconds, "peak_bytes": found.peak_bytes}
            if size <= EPOCH_UP_TO:
                epoch = measure(
                    "benchmarks.speed.corpus_size:make_step", {**paths, "steps": None}, 1, arguments.threads, False
                )
                row["epoch_seconds"] = epoch.facts["epoch_seconds"]
        rows.append(row)
        _print(row, rows[0])
    heard = {"level": _LEVEL, "hop_ms": _HOP_MS} if arguments.pretrained else {}
    write_figures(arguments.json, {"steps": arguments.steps, **heard, "sizes": rows})


def _print(row: dict[str, Any], first: dict[str, Any]) -> None:
    epoch = f", epoch {row['epoch_seconds']:6.1f} s" if "epoch_seconds" in row else ""
    print(
        f"{row['utterances']:7} utterances: {row['peak_bytes'] / 1e6:6.0f} MB "
        f"({row['peak_bytes'] / first['peak_bytes']:.3f} x the first), "
        f"extraction {row['extraction_seconds']:6.1f} s{epoch}",
        flush=True,
    )


if __name__ == "__main__":
    main()
