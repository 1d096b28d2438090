"""`python -m benchmarks.corpus_size`: memory and time of a search by number of utterances.

The utterances are half-second segments of made recordings in a temporary folder. Memory is RssAnon, which belongs to no
file: it must not grow with the corpus. Time is of the same number of steps, and of a whole pass.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from benchmarks.measuring import Step, anonymous_bytes, machine, measure
from nni_emodarts.config import load_config
from nni_emodarts.preparation import prepare as prepare_corpus
from nni_emodarts.run_folder import RunFolder, write_atomically
from nni_emodarts.search import search

SIZES = (1_000, 100_000)
_RATE, _SECONDS, _SEGMENTS = 16_000, 0.5, 1_000
_SPEAKERS, _EMOTIONS = 50, ("anger", "happiness", "neutral", "sadness")


def make_corpus(folder: Path, utterances: int) -> Path:
    """Recordings of noise, a thousand segments each, and their manifest."""
    random = np.random.default_rng(0)
    rows = []
    for first in range(0, utterances, _SEGMENTS):
        file = folder / f"{first:06}.wav"
        noise = random.normal(0, 0.1, int(_SEGMENTS * _SECONDS * _RATE)).astype(np.float32)
        soundfile.write(file, noise, _RATE)
        rows += [(file.name, number, (number - first) * _SECONDS) for number in range(first, first + _SEGMENTS)]
    table = pd.DataFrame(rows[:utterances], columns=["file", "number", "start"])
    table["end"] = table["start"] + _SECONDS
    table["emotion"] = np.array(_EMOTIONS)[table["number"] % len(_EMOTIONS)]
    table["speaker"] = [f"speaker {number // len(_EMOTIONS) % _SPEAKERS}" for number in table["number"]]
    table.drop(columns="number").to_csv(folder / "manifest.csv", index=False)
    return folder / "manifest.csv"


def prepare(manifest: str, cache: str, steps: int | None) -> Step:
    """A search of one epoch, from reading the manifest on; features are in the cache from the second time on."""
    data = {"data.manifest": manifest, "data.protocol": "kfold:5", "data.cache": cache, "device": "cpu"}
    config = load_config("tiny", options={**data, "search.epochs": 1, "search.epoch_steps": steps})

    def step() -> dict[str, Any]:
        corpus = prepare_corpus(config.data, config.features)
        after_reading = anonymous_bytes()
        with tempfile.TemporaryDirectory() as folder:
            search(config, corpus, corpus.fold(0), 1, RunFolder.claim(Path(folder) / "run"))
        return {"utterances": len(corpus.manifest), "bytes_after_reading": after_reading}

    return step


def extract(manifest: str, cache: str) -> Step:
    """Features of all utterances into the cache."""
    config = load_config("tiny", options={"data.manifest": manifest, "data.cache": cache, "device": "cpu"})

    def step() -> None:
        prepare_corpus(config.data, config.features)

    return step


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of utterances")
    parser.add_argument("--steps", type=int, default=30, help="search steps")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for size in map(int, arguments.sizes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            paths = {"manifest": str(make_corpus(Path(folder), size)), "cache": str(Path(folder) / "cache")}
            extraction = measure("benchmarks.corpus_size:extract", paths, 1, arguments.threads, warm_up=False)
            wanted = {**paths, "steps": arguments.steps}
            found = measure("benchmarks.corpus_size:prepare", wanted, 1, arguments.threads, warm_up=False)
        seconds = {"extraction_seconds": extraction.seconds, "seconds": found.seconds}
        rows.append({"utterances": size, **seconds, "peak_bytes": found.peak_bytes, **found.facts})
        print(
            f"{size:7} utterances: extraction {extraction.seconds:7.1f} s, search {found.seconds:6.1f} s, "
            f"{found.peak_bytes / 1e6:6.0f} MB ({found.peak_bytes / rows[0]['peak_bytes']:.3f} x the first)",
            flush=True,
        )
    if arguments.json:
        figures = json.dumps({"steps": arguments.steps, "sizes": rows, "machine": machine()}, indent=2)
        write_atomically(arguments.json, figures.encode() + b"\n")


if __name__ == "__main__":
    main()
