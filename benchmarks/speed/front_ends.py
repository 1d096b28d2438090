"""`python -m benchmarks.speed.front_ends MODEL`: levels of a pretrained encoder, in times real time of a core.

The model is what `--front-end` takes; a folder of Whisper, say. On a manifest, or on made FLAC recordings of 3 s at 16
kHz. Each figure is of one process with one thread, in seconds of the processor, since other work on the machine would
make seconds of the clock say less. `bare encoder` is transformers' own layers on Whisper's log-mel bands of the same
recordings, one by one, and nothing else; it is measured where the model is a Whisper.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.speed.features import make_corpus
from benchmarks.speed.measuring import Step, measure, write_figures
from nni_emodarts.config import PretrainedStream, located_model
from nni_emodarts.data.features import build_store, read_audio
from nni_emodarts.data.front_ends import front_end_facts
from nni_emodarts.data.front_ends.extraction import PretrainedExtractor
from nni_emodarts.data.front_ends.fetching import have_source
from nni_emodarts.data.manifest import read_manifest

GOAL = 25
"""Seconds of audio that a core should hear with Whisper base in a second, without silence behind."""
RATIO = 1.3
"""Times the bare encoder's seconds that hearing should take at most."""
_MOST = 40
"""Recordings that are heard."""


def make_step(manifest: str, model: str, kind: str, padding: float) -> Step:
    """Hearing of recordings that are in memory, one after the other; or with reading and the store on disk."""
    table = read_manifest(manifest).pick(np.arange(_MOST))
    extractor = PretrainedExtractor(stream_of(model, padding), "cpu")
    waveforms = [read_audio(file, extractor.sampling_rate) for file in table.table["file"]]
    hear = make_bare(model) if kind == "bare encoder" else extractor.many
    hear(waveforms[:2])

    def step() -> dict[str, Any]:
        began = time.process_time()
        if kind == "whole call":
            with tempfile.TemporaryDirectory() as folder:
                build_store(table, extractor, folder, 1)
        else:
            for waveform in waveforms:
                hear([waveform])
        audio = sum(map(len, waveforms)) / extractor.sampling_rate
        return {"cpu_seconds": time.process_time() - began, "audio_seconds": audio}

    return step


def make_bare(model: str) -> Callable[[Sequence[np.ndarray]], object]:
    """transformers' layers of a Whisper on the first positions, in float32: what hearing cannot do without."""
    from transformers import WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    folder = have_source(stream_of(model, 0.0)).files[0].parent
    encoder = WhisperEncoder.from_pretrained(folder, dtype=torch.float32).eval()
    extractor = WhisperFeatureExtractor.from_pretrained(folder)

    @torch.inference_mode()
    def hear(waveforms: Sequence[np.ndarray]) -> object:
        states = []
        for waveform in waveforms:
            whole = waveform[: len(waveform) // 320 * 320]
            given = extractor(whole, sampling_rate=16_000, return_tensors="pt", padding="do_not_pad")
            x = torch.nn.functional.gelu(encoder.conv1(given["input_features"]))
            x = torch.nn.functional.gelu(encoder.conv2(x)).transpose(1, 2)
            x = x + encoder.embed_positions.weight[: x.shape[1]]
            for layer in encoder.layers:
                states.append(x)
                x = layer(x, None)
            states.append(encoder.layer_norm(x))
        return states

    return hear


def stream_of(model: str, padding: float) -> PretrainedStream:
    """All levels of a model at 12.5 Hz."""
    return PretrainedStream(name="speech", model=located_model(model), padding=padding)


def main() -> None:
    """Measure hearing alone, against the bare encoder, with silence behind, and with reading and the store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="what --front-end takes")
    parser.add_argument("--manifest", type=Path, help="recordings to use; made ones where absent")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        manifest = str((arguments.manifest or make_corpus(Path(folder))).absolute())
        rows = _rows(manifest, arguments.model, arguments.repeats)
    facts = front_end_facts(stream_of(arguments.model, 0.0))
    about = {"model": Path(facts.model).name, "digest": facts.digest, "parameters": facts.parameters}
    write_figures(arguments.json, {**about, "goal": GOAL, "ratio": RATIO, "rows": rows})


def _rows(manifest: str, model: str, repeats: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    whisper = have_source(stream_of(model, 0.0)).family.name == "whisper"
    for kind, padding in (("bare encoder", 0.0), ("hearing", 0.0), ("hearing", 2.0), ("whole call", 0.0)):
        if kind == "bare encoder" and not whisper:
            continue
        wanted = {"manifest": manifest, "model": model, "kind": kind, "padding": padding}
        found = measure("benchmarks.speed.front_ends:make_step", wanted, repeats, 1, warm_up=False)
        speed = found.facts["audio_seconds"] / found.facts["cpu_seconds"]
        rows.append({"name": kind, "padding": padding, "times_real_time": speed, "peak_bytes": found.peak_bytes})
        name = f"{kind}, {padding:g} s of silence behind"
        print(f"{name:42} {speed:7.1f} x real time a core, {found.peak_bytes / 1e6:5.0f} MB", flush=True)
    return rows


if __name__ == "__main__":
    main()
