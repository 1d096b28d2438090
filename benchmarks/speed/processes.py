"""`python -m benchmarks.speed.processes`: how much sooner two processes are done than one.

The commands that people type, on the embedded corpus with preset `tiny` and few epochs: cells of `emodarts benchmark
--workers`, trials of `emodarts experiment --concurrency` and `emodarts run`; and features of `emodarts features` with
`data.workers`, of made FLAC recordings of 3 s. Every command starts from nothing, and its start is in its seconds.
Efficiency is the seconds of one process over twice those of two.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.speed.features import make_corpus
from benchmarks.speed.measuring import write_figures

PROCESSES = (1, 2)
FOLDS, UTTERANCES = 4, 240
_EPOCHS = ("--set", "search.epochs=2", "--set", "retrain.epochs=8")
_FAST = ("--manifest", "synthetic", "--preset", "tiny", "--protocol", f"kfold:{FOLDS}", *_EPOCHS)


def commands(folder: Path, processes: int, front_end: str | None) -> Iterator[tuple[str, int, list[list[str]]]]:
    """What is measured, of how many pieces, by which commands; the last of them is timed."""
    runs, out, file = folder / "runs", folder / "out", folder / "experiment.yml"
    cells = ["--methods", "darts", "--name", "cells", "--out", str(out), "--runs", str(runs)]
    yield "cells", FOLDS, [["benchmark", *cells, "--workers", str(processes), *_FAST]]
    write = ["experiment", "--out", str(file), "--concurrency", str(processes), *_FAST]
    yield "trials", FOLDS, [write, ["run", str(file)]]
    made = folder / "made"
    made.mkdir()
    heard = [] if front_end is None else ["--front-end", front_end]
    manifest = str(make_corpus(made, UTTERANCES))
    yield "features", UTTERANCES, [["features", "--manifest", manifest, "--set", f"data.workers={processes}", *heard]]


def seconds_of(steps: list[list[str]], folder: Path) -> float:
    """Seconds of the last of some commands, each with a home and a cache that hold no run."""
    environment = {**os.environ, "HOME": str(folder), "NNI_HOME": str(folder / ".nni"), "OMP_NUM_THREADS": "1"}
    taken = 0.0
    for words in steps:
        start = time.perf_counter()
        done = subprocess.run(  # noqa: S603 - of commands
            [sys.executable, "-m", "nni_emodarts", *words], env=environment, cwd=folder, capture_output=True, text=True
        )
        taken = time.perf_counter() - start
        if done.returncode:
            raise RuntimeError(f"emodarts {' '.join(words)} failed: {(done.stdout + done.stderr).strip()[-2000:]}")
    return taken


def main() -> None:
    """Measure each of them with one process and with two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--front-end", help="hear with a pretrained encoder instead of log-mel bands")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    rows: dict[str, dict[str, Any]] = {}
    for processes in PROCESSES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            os.environ["EMODARTS_CACHE"] = str(folder / "cache")
            for kind, pieces, steps in commands(folder, processes, arguments.front_end):
                if kind != "features":
                    seconds_of([["features", *_FAST]], folder)  # which are not what is measured
                row = rows.setdefault(kind, {"pieces": pieces, "seconds": []})
                row["seconds"].append(round(seconds_of(steps, folder), 1))
                print(f"{kind}: {processes} at once, {row['seconds'][-1]:.1f} s", flush=True)
    for kind, row in rows.items():
        one, two = row["seconds"]
        row["efficiency"] = round(one / (2 * two), 3)
        print(f"{kind}: efficiency {row['efficiency']:.2f}")
    write_figures(arguments.json, {"processes": list(PROCESSES), "kinds": rows})


if __name__ == "__main__":
    main()
