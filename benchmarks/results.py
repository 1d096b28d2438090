"""`python -m benchmarks.results`: the figures of docs/RESULTS.md, on the corpora under $EMODARTS_DATA.

Finished cells under docs/results are kept: a run that was cut off goes on, and a finished one only writes the document.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from benchmarks.results_document import write_document
from nni_emodarts.benchmark import Method, compare
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.console import Cells, progress_bars
from nni_emodarts.preparation import load_manifest
from nni_emodarts.protocols import count_folds
from nni_emodarts.run_folder import write_atomically
from nni_emodarts.summaries import read_cell

SEEDS = [1]
TRANSFER = "darts_from_emodb4"


def main() -> None:
    """Compute what is missing, then write the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder of RESULTS.md and results/")
    parser.add_argument("--runs", type=Path, default=Path("runs/results"), help="folder of the run folders behind")
    parser.add_argument("--workers", type=int, default=2, help="cells at once")
    parser.add_argument("--corpora", default=os.environ.get("EMODARTS_DATA"), help="folder of emodb4 and ravdess")
    arguments = parser.parse_args()
    if arguments.corpora is None:
        sys.exit("set EMODARTS_DATA to the folder that holds emodb4/manifest.csv and ravdess/manifest.csv")
    corpora, results = Path(arguments.corpora), arguments.out / "results"
    emodb4 = load_config("compact", options=_data(corpora / "emodb4", "loso"))
    # RAVDESS is three times as large: epochs are bounded, for every method alike.
    ravdess = load_config("compact", settings=["retrain.epoch_steps=16"], options=_data(corpora / "ravdess", "kfold:6"))
    _compare("emodb4-loso", emodb4, [Method("darts"), Method("cnn_lstm")], arguments, results)
    carried = best_architecture(results / "cells" / "emodb4-loso", results / "emodb4-darts.json")
    methods = [Method(TRANSFER, str(carried)), Method("cnn_lstm")]
    _compare("ravdess-6fold", ravdess, methods, arguments, results)
    write_document(arguments.out)


def best_architecture(cells: Path, out: Path) -> Path:
    """Write the architecture of the search whose network did best on validation speakers; test figures have no say."""
    best = max((read_cell(file) for file in sorted(cells.glob("darts-*.json"))), key=lambda cell: cell["val_uar"])
    write_atomically(out, (json.dumps(best["architecture"], indent=2, ensure_ascii=False) + "\n").encode())
    return out


def _data(corpus: Path, protocol: str) -> dict[str, str]:
    return {"data.manifest": str(corpus / "manifest.csv"), "data.protocol": protocol}


def _compare(
    name: str, config: ExperimentConfig, methods: list[Method], arguments: argparse.Namespace, results: Path
) -> None:
    folds = range(count_folds(load_manifest(config.data), config.data.protocol))
    with progress_bars() as bars:
        compare(name, config, methods, folds, SEEDS, results, arguments.runs / name, arguments.workers, Cells(bars))


if __name__ == "__main__":
    main()
