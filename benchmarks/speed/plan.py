"""`python -m benchmarks.speed.plan`: what `emodarts plan` says against what the run takes.

Features, search and training of some folds, by `emodarts benchmark` from nothing with a cache of its own, as
`emodarts plan` was told. Memory is RssAnon, which belongs to no file, of the process that computes; disk is of all
features.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.speed.measuring import corpus_name, write_figures
from nni_emodarts.benchmark.forecast.pilot import disk_usage
from nni_emodarts.config import SYNTHETIC
from nni_emodarts.runtime.memory import anonymous_bytes

_PAUSE = 0.1


def main() -> None:
    """Plan, run, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", default=SYNTHETIC)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--front-end", help="hear with a pretrained encoder")
    parser.add_argument("--protocol", default="loso")
    parser.add_argument("--folds", default="0,1")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    common = ["--manifest", arguments.manifest, "--preset", arguments.preset, "--protocol", arguments.protocol]
    common += ["--folds", arguments.folds]
    common += [] if arguments.front_end is None else ["--front-end", arguments.front_end]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        planned = _planned(common, folder)
        found = _run(common, folder)
    rows = {what: {"planned": planned[what], "found": found[what]} for what in found}
    for what, row in rows.items():
        ratio = row["planned"] / row["found"]
        print(f"{what}: planned {row['planned']:,.0f}, found {row['found']:,.0f}, ratio {ratio:.2f}")
    facts = {"corpus": corpus_name(arguments.manifest), "preset": arguments.preset, "folds": arguments.folds}
    write_figures(arguments.json, {**facts, "rows": rows})


def _planned(common: list[str], folder: Path) -> dict[str, float]:
    out = folder / "plan.json"
    _emodarts(["plan", *common, "--out", str(out)], folder)
    forecast = json.loads(out.read_text())["forecasts"][0]
    return {
        "extraction_seconds": forecast["extraction"],
        "cell_seconds": forecast["cells"],
        "memory_bytes": forecast["memory"],
        "feature_bytes": forecast["feature_bytes"],
        "run_bytes": forecast["run_bytes"],
    }


def _run(common: list[str], folder: Path) -> dict[str, float]:
    without_folds = common[: common.index("--folds")] + common[common.index("--folds") + 2 :]
    first, again = (_emodarts(["features", *without_folds], folder)[0] for _ in range(2))
    runs = folder / "runs"
    words = ["--methods", "darts", "--name", "plan", "--out", str(folder / "out"), "--runs", str(runs)]
    cells, memory = _emodarts(["benchmark", *words, *common], folder)
    return {
        "extraction_seconds": first - again,
        "cell_seconds": cells,
        "memory_bytes": memory,
        "feature_bytes": sum(512 * file.stat().st_blocks for file in (folder / "cache").rglob("*.npy")),
        "run_bytes": disk_usage([runs])[0],
    }


def _emodarts(words: list[str], folder: Path) -> tuple[float, int]:
    """Seconds that a command takes, and the most memory of its own that its process has."""
    environment = {**os.environ, "EMODARTS_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    start, most = time.perf_counter(), 0
    command = [sys.executable, "-m", "nni_emodarts", *words]
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=said, stderr=said)  # noqa: S603
        while process.poll() is None:
            most = max(most, anonymous_bytes(process.pid))
            time.sleep(_PAUSE)
        if process.wait():
            raise RuntimeError(f"emodarts {' '.join(words)} failed: {(folder / 'said.txt').read_text()[-2000:]}")
    return time.perf_counter() - start, most


if __name__ == "__main__":
    main()
