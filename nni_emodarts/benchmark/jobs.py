"""Cells side by side, in processes of their own."""

from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from nni_emodarts.benchmark.cells import Cell, settings_digest
from nni_emodarts.benchmark.computing import compute_cell
from nni_emodarts.config import ExperimentConfig, validate
from nni_emodarts.environment import threads_each
from nni_emodarts.preparation import Corpus, prepare
from nni_emodarts.processes import start_pool, threads_of_others
from nni_emodarts.progress import Progress, silent
from nni_emodarts.run_folder import RunFolder, write_json_file
from nni_emodarts.summaries import read_cell


def compute_all(
    config: ExperimentConfig, missing: Sequence[Cell], cells: Path, runs: Path, workers: int, progress: Progress
) -> Iterator[dict[str, Any]]:
    """Figures of each missing cell, in the order in which they finish; those that spend after those that pay.

    Args:
        config: the whole configuration.
        missing: the cells.
        cells: folder of the finished cells.
        runs: folder of the run folders behind them.
        workers: cells at once.
        progress: told of the steps of a cell where it is computed in this process, one after the other.
    """
    for bought in (False, True):
        batch = [cell for cell in missing if cell.method.bought == bought]
        yield from _compute_batch(config, batch, cells, runs, workers, progress)


def _compute_batch(
    config: ExperimentConfig, missing: Sequence[Cell], cells: Path, runs: Path, workers: int, progress: Progress
) -> Iterator[dict[str, Any]]:
    jobs = [(config.to_yaml(), cell, cell.file(cells), runs) for cell in missing]
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from (_compute_job(*job, progress) for job in jobs)
        return
    with threads_of_others(threads_each(workers)), start_pool(workers) as pool:
        for done in as_completed([pool.submit(_compute_job, *job) for job in jobs]):
            yield done.result()


def _compute_job(text: str, cell: Cell, file: Path, runs: Path, progress: Progress = silent) -> dict[str, Any]:
    config, corpus = prepared(text)
    # Each setting has a folder of its own, so that no run goes on with another's.
    names = cell.method.name, settings_digest(config, cell.method, corpus.manifest.digest)
    folder = RunFolder(runs).child(*names).cell(cell.fold, cell.seed)
    budget = read_cell(cell.payer.file(file.parent))["search_cpu_seconds"] if cell.method.bought else 0.0
    data = compute_cell(config, corpus, cell, folder, progress, budget)
    write_json_file(file, data)
    return data


@lru_cache(maxsize=1)
def prepared(text: str) -> tuple[ExperimentConfig, Corpus]:
    """The configuration and its corpus, prepared once in each process."""
    config = validate(yaml.safe_load(text))
    return config, prepare(config.data, config.features)
