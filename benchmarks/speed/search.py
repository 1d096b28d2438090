"""`python -m benchmarks.speed.search`: a whole search, plain and accelerated, from the manifest to the architecture."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.speed.measuring import Step, corpus_name, measure, write_figures
from nni_emodarts.config import SYNTHETIC, load_config
from nni_emodarts.data.corpus import load_corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.runtime.run_folder import METRICS, RunFolder
from nni_emodarts.search.run import search

_WHOLE = ["search.options.partial_channels=1", "search.options.shared_depth=false", "search.coarseness=1"]
VARIANTS = {
    "plain": [*_WHOLE, "search.options.accelerated=false"],
    "accelerated": _WHOLE,
    "smaller supernet": [
        "search.options.partial_channels=4",
        "search.options.shared_depth=true",
        "search.coarseness=2",
    ],
}


def make_step(manifest: str, protocol: str, preset: str, epochs: int | None, settings: list[str]) -> Step:
    """A search in fold 0; features are in the store from the first call on."""
    options = {"data.manifest": manifest, "data.protocol": protocol, "search.epochs": epochs, "device": "cpu"}
    config = load_config(preset, settings=settings, options=options)
    load_corpus(config)

    def step() -> dict[str, Any]:
        corpus = load_corpus(config)
        with tempfile.TemporaryDirectory() as folder:
            run = RunFolder.claim(Path(folder) / "run")
            search(FoldTask.of(config, corpus, 0, 1), run)
            metrics = run.read_json(METRICS)
        return {"epochs": config.search.epochs, "val_uar": metrics["val_uar"], "utterances": len(corpus.manifest)}

    return step


def main() -> None:
    """Measure each variant in a process of its own, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", default=SYNTHETIC, help="recordings to use; the embedded corpus where absent")
    parser.add_argument("--protocol", default="kfold:3")
    parser.add_argument("--preset", default="compact")
    parser.add_argument("--epochs", type=int, help="epochs; the preset's where absent")
    parser.add_argument("--variants", default=",".join(VARIANTS), help="of " + ", ".join(VARIANTS))
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    settings = {key: getattr(arguments, key) for key in ("protocol", "preset", "epochs")}
    rows: list[dict[str, Any]] = []
    for name in arguments.variants.split(","):
        wanted = {"manifest": arguments.manifest, **settings, "settings": VARIANTS[name]}
        found = measure(
            "benchmarks.speed.search:make_step", wanted, arguments.repeats, arguments.threads, warm_up=False
        )
        rows.append({"name": name, "seconds": found.seconds, "peak_bytes": found.peak_bytes, **found.facts})
        print(
            f"{name:26} {found.seconds:7.1f} s ({rows[0]['seconds'] / found.seconds:5.2f} x {rows[0]['name']}), "
            f"{found.peak_bytes / 1e6:6.0f} MB, validation UAR {found.facts['val_uar']:.3f}",
            flush=True,
        )
    corpus = corpus_name(arguments.manifest)
    write_figures(arguments.json, {"corpus": corpus, **settings, "rows": rows})


if __name__ == "__main__":
    main()
