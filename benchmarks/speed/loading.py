"""`python -m benchmarks.speed.loading`: batches of like length against batches in random order.

The time of a pass over a training loader, augmentation included, and how much of what it hands out is padding.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from benchmarks.speed.measuring import Step, corpus_name, measure, write_figures
from nni_emodarts.config import SYNTHETIC, load_config
from nni_emodarts.data.batches import Collate, SpecAugment, Utterances, training_loader
from nni_emodarts.data.corpus import load_corpus
from nni_emodarts.data.features import Normalizer

VARIANTS = ("random order", "by length")


def make_step(manifest: str, preset: str, batch_size: int, variant: str) -> Step:
    """A pass over all utterances of a corpus whose features are in the store."""
    config = load_config(preset, options={"data.manifest": manifest})
    corpus = load_corpus(config)
    rows = np.arange(len(corpus.manifest))
    utterances = corpus.utterances(rows, Normalizer.fit(corpus.store, rows), SpecAugment(corpus.frequency_bins))
    loader = _loader(utterances, corpus.own_collate, batch_size, variant)

    def step() -> dict[str, Any]:
        frames, places = 0, 0
        for batch in loader:
            frames += int(batch.lengths.sum())
            places += batch.maps.shape[0] * batch.maps.shape[-1]
        return {"utterances": len(rows), "padding": 1 - frames / places}

    return step


def _loader(utterances: Utterances, collate: Collate, batch_size: int, variant: str) -> DataLoader[Any]:
    if variant == "by length":
        return training_loader(utterances, collate, batch_size, seed=1)
    return DataLoader(utterances, batch_size, shuffle=True, collate_fn=collate)


def main() -> None:
    """Measure both orders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", default=SYNTHETIC, help="recordings to use; the embedded corpus where absent")
    parser.add_argument("--preset", default="compact")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for variant in VARIANTS:
        wanted = {key: getattr(arguments, key) for key in ("manifest", "preset", "batch_size")} | {"variant": variant}
        found = measure("benchmarks.speed.loading:make_step", wanted, arguments.repeats, arguments.threads)
        rate = found.facts["utterances"] / found.seconds
        rows.append({"name": variant, "seconds": found.seconds, "utterances_per_second": rate, **found.facts})
        rows[-1]["peak_bytes"] = found.peak_bytes
        print(
            f"{variant:13} {rate:7.0f} utterances a second ({rows[0]['seconds'] / found.seconds:.2f} x the first), "
            f"{found.facts['padding']:5.1%} padding, {found.peak_bytes / 1e6:.0f} MB",
            flush=True,
        )
    corpus = corpus_name(arguments.manifest)
    settings = {"corpus": corpus, "preset": arguments.preset, "batch_size": arguments.batch_size}
    write_figures(arguments.json, {**settings, "rows": rows})


if __name__ == "__main__":
    main()
