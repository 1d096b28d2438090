"""A corpus is read and prepared in memory that hardly grows with it."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import load_corpus
from nni_emodarts.data.overlap import fingerprint

MOST_BYTES = 590
"""An utterance may cost so much, all reported: 100,000 of them are a tenth of what a search of preset tiny takes."""
SECONDS = 0.15


@pytest.fixture
def config_of(tmp_path: Path):
    """Configuration of so many utterances, segments of one recording each with a name of its own in the manifest."""

    def make(count: int) -> ExperimentConfig:
        folder = tmp_path / f"corpus_of_{count}_utterances_in_a_folder_with_a_long_name"
        folder.mkdir()
        noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
        soundfile.write(folder / "noise.wav", noise, 16_000)
        lines = ["file,emotion,speaker,start,end"]
        for number in range(count):
            (folder / f"{number:06}.wav").hardlink_to(folder / "noise.wav")
            emotion = "anger" if number % 2 else "sadness"
            start = number / count * 0.8
            lines.append(f"{number:06}.wav,{emotion},speaker {number // 2 % 20},{start:.6f},{start + SECONDS:.6f}")
        (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
        options = {"data.manifest": str(folder / "manifest.csv"), "data.cache": str(tmp_path / "cache")}
        return load_config("tiny", options={**options, "data.workers": 1})

    return make


def test_an_utterance_costs_little_memory(config_of) -> None:
    configs = {count: config_of(count) for count in (500, 3000)}
    # once in a while a table of Python's own grows meanwhile, by megabytes: not of three times
    peaks = {count: min(_peak(config) for _ in range(3)) for count, config in configs.items()}
    assert (peaks[3000] - peaks[500]) / 2500 < MOST_BYTES


def _peak(config: ExperimentConfig) -> int:
    """Largest memory while a corpus is prepared whose features are in the store, and its origin noted."""
    load_corpus(config)
    tracemalloc.start()
    try:
        corpus = load_corpus(config)
        fingerprint(corpus, np.arange(len(corpus.manifest)))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
