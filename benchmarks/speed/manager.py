"""`python -m benchmarks.speed.manager`: memory of NNI's manager and of its tuner by number of trials that have ended.

The trials are made: each starts a Python without packages, reports a figure through NNI's file and ends. Manager and
tuner are those of every experiment of this package, started as `emodarts run` starts them, and asked for all trials
every two seconds as it asks. Memory is RssAnon, which belongs to no file.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks.speed.measuring import write_figures
from nni_emodarts.nni_bridge.experiment import started
from nni_emodarts.nni_bridge.experiment_file import experiment_yaml
from nni_emodarts.nni_bridge.manager import Manager
from nni_emodarts.runtime.memory import anonymous_bytes

TRIALS, AT_ONCE, EVERY = 1_000, 8, 100
_PAUSE = 2.0
_TRIAL = """
import json, os, pathlib
folder = pathlib.Path(os.environ["NNI_SYS_DIR"])
number = json.loads((folder / "parameter.cfg").read_text())["parameter_id"]
metric = {"parameter_id": number, "trial_job_id": os.environ["NNI_TRIAL_JOB_ID"], "type": "FINAL", "sequence": 0}
line = (json.dumps({**metric, "value": "0.5"}) + "\\n").encode()
with (folder / ".nni" / "metrics").open("ab") as file:
    file.write(b"ME%06d%b" % (len(line), line))
"""


def make_experiment(folder: Path, trials: int) -> Path:
    """An experiment of so many made trials."""
    script = folder / "trial.py"
    script.write_text(_TRIAL)
    text = experiment_yaml("made trials", [], range(trials), [1], AT_ONCE)
    data = yaml.safe_load(text) | {"trialCommand": f"{sys.executable} -ISB {script}"}
    file = folder / "experiment.yml"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    return file


def watch(manager: Manager, trials: int) -> Iterator[dict[str, Any]]:
    """Memory each time that a hundred trials more have ended, until all have."""
    node, seen, began = _process_of(manager.port), -1, time.monotonic()
    tuner = _tuner_of(node)
    while seen < trials:
        ended = sum(trial.ended for trial in manager.trials())
        if ended // EVERY > seen // EVERY or ended == trials:
            seen = ended
            yield {
                "trials": ended,
                "manager_bytes": anonymous_bytes(node),
                "tuner_bytes": anonymous_bytes(tuner),
                "seconds": round(time.monotonic() - began, 1),
            }
        time.sleep(_PAUSE)


def _process_of(port: int) -> int:
    """Node.js behind a port, by its command line."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if any(word.endswith("main.js") for word in words) and str(port) in words:
            return int(folder.name)
    raise RuntimeError(f"no manager of NNI runs on port {port}")


def _tuner_of(node: int) -> int:
    """The process of a manager that asks its tuner; trials are its children, too, but have no packages."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    below = {node}
    while more := {child for child, parent in parents.items() if parent in below} - below:
        below |= more
    for process in below - {node}:
        words = Path(f"/proc/{process}/cmdline").read_bytes().decode().split("\0")
        if "--exp_params" in words:
            return process
    raise RuntimeError("the manager has no tuner")


def main() -> None:
    """Run the experiment in a home of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"HOME": folder, "NNI_HOME": f"{folder}/.nni"}
        with started(make_experiment(Path(folder), arguments.trials)) as manager:
            for row in watch(manager, arguments.trials):
                rows.append(row)
                print(
                    f"{row['trials']:5} trials: manager {row['manager_bytes'] / 1e6:6.0f} MB, tuner "
                    f"{row['tuner_bytes'] / 1e6:6.0f} MB, {row['seconds']:6.0f} s",
                    flush=True,
                )
    write_figures(arguments.json, {"at_once": AT_ONCE, "rows": rows})


if __name__ == "__main__":
    main()
