"""Several commands on one benchmark at a time: each cell is computed once, whatever ends one of them."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from finished_cells import table_at
from made_up_cells import make_up_cell, noted_budget

from nni_emodarts.benchmark import Method, Plan, compare, jobs
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.runtime.cell_table import CellKey
from nni_emodarts.runtime.run_folder import RunFolder

METHODS = ("darts", "random_search", "cnn", "rnn")
COMMAND = """
import sys, time
from pathlib import Path

import yaml
from made_up_cells import make_up_cell, noted_budget

from nni_emodarts.benchmark import Method, Plan, compare, jobs
from nni_emodarts.config import validate


def compute(task, method, folder, *more, **keywords):
    with (Path(folder.path) / "computed.txt").open("a") as noted:
        noted.write(f"{task.fold.index} {task.seed}\\n")
    time.sleep(0.05)
    return make_up_cell(task, method, folder, *more, **keywords)


jobs.compute_cell, jobs.budget_here = compute, noted_budget
text, out, runs, *methods = sys.argv[1:]
plan = Plan(validate(yaml.safe_load(Path(text).read_text())), [Method(name) for name in methods], [0, 1, 2], [1, 2])
print("ready", flush=True)
sys.stdin.readline()
tell = lambda number, count, figures: print(figures.method, figures.fold, figures.seed, flush=True)
print(compare("small", plan, Path(out), Path(runs), tell=tell, note=print).model_dump_json(), flush=True)
"""


@contextmanager
def command(folder: Path, *methods: str) -> Iterator[Any]:
    """A benchmark in a process of its own, about to begin."""
    words = [sys.executable, "-c", COMMAND, folder / "config.yml", folder / "out", folder / "runs", *methods]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def begin(processes: list[Any]) -> None:
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()


def test_several_commands_share_a_table_and_one_that_is_killed_takes_nothing_with_it(
    config: ExperimentConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yml").write_text(config.to_yaml())
    with ExitStack() as stack:
        one, other, killed = (
            stack.enter_context(command(tmp_path, *names)) for names in (METHODS, METHODS, reversed(METHODS))
        )
        begin([one, other, killed])
        finished = [killed.stdout.readline() for _ in range(3)]
        killed.kill()
        printed = [process.communicate(timeout=300)[0].splitlines() for process in (one, other)]
        assert [process.returncode for process in (one, other)] == [0, 0]
    table = table_at(tmp_path / "out")
    contents = table.read()
    every = {CellKey(name, fold, seed) for name in METHODS for fold in range(3) for seed in (1, 2)}
    assert set(contents.cells) == every
    assert contents.damaged == []
    assert len(table.file.read_bytes().splitlines()) == len(every)
    assert all(line.split()[0].rstrip(",") in METHODS for line in finished)
    summaries = [json.loads(lines[-1]) for lines in printed]
    assert summaries[0] == summaries[1], "they sum up the same lines"
    begun = Counter(
        (file.parent, line)
        for file in (tmp_path / "runs").rglob("computed.txt")
        for line in file.read_text().splitlines()
    )
    assert len(begun) == len(every)
    assert sum(begun.values()) <= len(every) + 1, "only what was cut off is computed again"
    monkeypatch.setattr(jobs, "compute_cell", None)  # nothing is left to compute
    plan = Plan(config, [Method(name) for name in METHODS], [0, 1, 2], [1, 2])
    again = compare("small", plan, tmp_path / "out", tmp_path / "runs")
    assert json.loads(again.model_dump_json()) == summaries[0]


def test_a_command_waits_for_another_that_computes_the_same_cell(
    config: ExperimentConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cell is there once the wait is over, so that it is not computed a second time."""
    table, notes = table_at(tmp_path), []
    held = RunFolder.held

    @contextmanager
    def waited(folder: RunFolder, wait: bool = False) -> Iterator[None]:
        with held(folder, wait):
            table.append(theirs)
            yield

    monkeypatch.setattr(jobs, "compute_cell", make_up_cell)
    monkeypatch.setattr(jobs, "budget_here", noted_budget)
    plan = Plan(config, [Method("cnn")], [0], [1])
    compare("other", plan, tmp_path, tmp_path / "runs")
    theirs = table_at(tmp_path, "other").read().cells[CellKey("cnn", 0, 1)]
    monkeypatch.setattr(jobs, "compute_cell", None)
    monkeypatch.setattr(RunFolder, "held", waited)
    compare("small", plan, tmp_path, tmp_path / "runs", note=notes.append)
    assert notes == ["cnn, fold 0, seed 1 was finished by another command meanwhile, whose figures stay"]
    assert table.read().cells == {CellKey("cnn", 0, 1): theirs}
