"""`python -m benchmarks.speed.search_options`: what a smaller supernet costs in accuracy.

Preset compact on EMO-DB under $EMODARTS_DATA, the first folds of leave one speaker out, a search nested in each: with
the whole supernet, with the options that the preset ships, and with those of preset paper. Finished cells are kept.
"""

import argparse
import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.evidence.evidence import describe
from benchmarks.speed.measuring import machine
from nni_emodarts.benchmark import Method, Plan, cell_table, compare
from nni_emodarts.cli.console import Cells, progress_bars, show_note
from nni_emodarts.config import load_config
from nni_emodarts.runtime.cell_table import CellKey
from nni_emodarts.runtime.writing import write_atomically

WHOLE = "exact"
VARIANTS = {
    WHOLE: [
        "search.options.partial_channels=1",
        "search.options.shared_depth=false",
        "search.coarseness=1",
    ],
    "compact": [],
    "paper": [
        "search.options.partial_channels=4",
        "search.options.shared_depth=true",
        "search.coarseness=3",
    ],
}
"""Name -> settings over preset compact: the whole supernet, and the smaller ones that presets of those names ship."""


def preset_settings() -> dict[str, Any]:
    """What preset compact says now: figures that were computed when it said something else are kept apart by it."""
    return describe(load_config("compact")).configuration


def main() -> None:
    """Compute the cells that are missing, then their paired differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("docs/performance"), help="folder of the figures and cells")
    parser.add_argument("--runs", type=Path, default=Path("runs/search_options"), help="folder of the run folders")
    parser.add_argument("--workers", type=int, default=1, help="cells at once")
    parser.add_argument("--corpora", default=os.environ.get("EMODARTS_DATA"), help="folder of emodb4")
    arguments = parser.parse_args()
    if arguments.corpora is None:
        sys.exit("set EMODARTS_DATA to the folder that holds emodb4/manifest.csv")
    data = {"data.manifest": str(Path(arguments.corpora) / "emodb4" / "manifest.csv"), "data.protocol": "loso"}
    folds, seeds = range(arguments.folds), range(1, arguments.seeds + 1)
    for fold in folds:  # fold by fold, so that what is there early can be compared
        for name, settings in VARIANTS.items():
            config = load_config("compact", settings=settings, options=data)
            _compute(f"search-{name}", Plan(config, [Method("darts")], [fold], list(seeds)), arguments)
    pairs = [_pair(arguments.out, fold, seed) for fold in folds for seed in seeds]
    figures = {
        "preset": preset_settings(),
        "variants": VARIANTS,
        "pairs": pairs,
        "differences": _differences(pairs),
        "machine": machine(),
    }
    write_atomically(arguments.out / "search_options.json", json.dumps(figures, indent=1).encode() + b"\n")
    print(json.dumps(figures, indent=1))


def _compute(name: str, plan: Plan, arguments: argparse.Namespace) -> None:
    arguments.out.mkdir(parents=True, exist_ok=True)
    with progress_bars() as bars:
        compare(
            name, plan, arguments.out, arguments.runs / name, workers=arguments.workers, tell=Cells(bars),
            note=show_note,
        )  # fmt: skip


def _pair(out: Path, fold: int, seed: int) -> dict[str, Any]:
    found: dict[str, Any] = {"fold": fold, "seed": seed}
    for name in VARIANTS:
        cell = cell_table(out, f"search-{name}").read().cells[CellKey("darts", fold, seed)]
        keys = ("test_uar", "val_uar", "search_cpu_seconds", "cpu_seconds")
        found[name] = {key: getattr(cell, key) for key in keys}
    return found


def _differences(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """Of each smaller supernet less the whole one, pair by pair."""
    return {name: _difference(pairs, name) for name in VARIANTS if name != WHOLE}


def _difference(pairs: list[dict[str, Any]], name: str) -> dict[str, Any]:
    differences = [pair[name]["test_uar"] - pair[WHOLE]["test_uar"] for pair in pairs]
    spread = statistics.stdev(differences) if len(differences) > 1 else 0.0
    return {"each": differences, "mean": statistics.mean(differences), "standard_deviation": spread}


if __name__ == "__main__":
    main()
