"""`python -m benchmarks.speed.start_up`: how long commands take to answer, beside what they must import."""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.speed.measuring import write_figures

_PYTHON = [sys.executable, "-c"]
_EMODARTS = [sys.executable, "-m", "nni_emodarts"]
COMMANDS: dict[str, list[str]] = {
    "python, nothing imported": [*_PYTHON, "pass"],
    "import nni_emodarts": [*_PYTHON, "import nni_emodarts"],
    "import torch": [*_PYTHON, "import torch"],
    "import nni, Lightning and torch": [*_PYTHON, "import torch, pytorch_lightning, nni.nas.strategy"],
    "emodarts --help": [*_EMODARTS, "--help"],
    "emodarts strategies": [*_EMODARTS, "strategies"],
    "emodarts search, refused for a wrong option": [*_EMODARTS, "search", "--preset", "none"],
    "emodarts search, tiny, one step": [
        *_EMODARTS,
        *("search", "--preset", "tiny", "--manifest", "synthetic", "--protocol", "kfold:3", "--overwrite"),
        *("--set", "search.epochs=1", "--set", "search.epoch_steps=1"),
    ],
}


def main() -> None:
    """Time each command as a person would: from its start to its end, in a new process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name, command in COMMANDS.items():
        with tempfile.TemporaryDirectory() as folder:
            out = ["--out", str(Path(folder) / "run")] if "synthetic" in command else []
            taken = [_seconds([*command, *out]) for _ in range(arguments.repeats + 1)][1:]  # the first fills caches
        rows.append({"name": name, "seconds": statistics.median(taken), "all_seconds": taken})
        print(f"{name:45} {rows[-1]['seconds']:6.2f} s", flush=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"largest resident memory of any: {peak / 1024:.0f} MB")
    write_figures(arguments.json, {"rows": rows, "largest_resident_bytes": 1024 * peak})


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    subprocess.run(command, env=environment, capture_output=True, check=False)  # noqa: S603 - of COMMANDS
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
