"""Cells side by side, in processes of their own."""

from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from nni_emodarts.benchmark.budget import budget_here
from nni_emodarts.benchmark.cells import Cell, settings_digest, settled
from nni_emodarts.benchmark.computing import compute_cell
from nni_emodarts.benchmark.methods import Method
from nni_emodarts.config import ExperimentConfig, validate
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import CellError, ConfigError, DivergenceError, ExperimentError
from nni_emodarts.metrics.summaries import read_cell
from nni_emodarts.runtime.environment import threads_each
from nni_emodarts.runtime.processes import start_pool, threads_of_others
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.runtime.writing import write_json_file


def compute_all(
    config: ExperimentConfig, missing: Sequence[Cell], cells: Path, runs: Path, workers: int, progress: Progress
) -> Iterator[dict[str, Any]]:
    """Figures of each missing cell, in the order in which they finish; those with a budget after its sources.

    A cell that fails by itself keeps none of the others from being computed.

    Args:
        config: the whole configuration.
        missing: the cells.
        cells: folder of the finished cells.
        runs: folder of the run folders behind them.
        workers: cells at once.
        progress: told of the steps of a cell where it is computed in this process, one after the other.

    Raises:
        CellError: some failed; raised when all others are finished.
        ConfigError: a process died.
    """
    failures: list[str] = []
    for with_budget in (False, True):
        batch = [cell for cell in missing if (cell.budget_source is not None) == with_budget]
        ready = [cell for cell in batch if cell.budget_source is None or cell.budget_source.file(cells).exists()]
        failures += [f"{cell}: the search that sets its budget failed" for cell in batch if cell not in ready]
        for data, failure in _compute_batch(config, ready, cells, runs, workers, progress):
            if failure:
                failures.append(failure)
            else:
                yield data
    if failures:
        told = "\n".join(f"  {failure}" for failure in failures)
        others = ", the others are finished" if len(failures) < len(missing) else ""
        raise CellError(f"{len(failures)} of {len(missing)} cells failed{others}:\n{told}")


def _compute_batch(
    config: ExperimentConfig, missing: Sequence[Cell], cells: Path, runs: Path, workers: int, progress: Progress
) -> Iterator[tuple[dict[str, Any], str]]:
    jobs = [(config.to_yaml(), cell, cell.file(cells), runs) for cell in missing]
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from (_compute_job(*job, progress) for job in jobs)
        return
    try:
        with threads_of_others(threads_each(workers)), start_pool(workers) as pool:
            for done in as_completed([pool.submit(_compute_job, *job) for job in jobs]):
                yield done.result()
    except BrokenProcessPool:
        raise ConfigError(
            f"workers: one of {workers} processes died, most likely for lack of memory; finished cells are kept, "
            f"compute the others with fewer workers"
        ) from None


def _compute_job(
    text: str, cell: Cell, file: Path, runs: Path, progress: Progress = silent
) -> tuple[dict[str, Any], str]:
    """A cell's figures, or none and why it failed."""
    config, corpus = prepared(text)
    digest = settings_digest(config, cell.method, corpus.manifest.digest)

    def run_folder(*more: str) -> RunFolder:
        # What decides a cell's figures has a folder of its own, so that no run goes on with another's.
        name = "-".join([digest, corpus.recordings, *more])
        return RunFolder(runs).child(cell.method.name, name).cell(cell.fold, cell.seed)

    def task(method: Method) -> FoldTask:
        return FoldTask.of(settled(config, method), corpus, cell.fold, cell.seed)

    try:
        source = cell.budget_source
        if source is None:
            data = compute_cell(task(cell.method), cell.method, run_folder(), progress)
        else:
            figures = read_cell(source.file(file.parent))
            # The word "payer" stays in names of folders and in cells, so that those of earlier versions are found.
            budget = budget_here(task(source.method), source.method, figures, run_folder("payer"), progress)
            data = compute_cell(task(cell.method), cell.method, run_folder(f"budget_{budget}"), progress, budget)
            data |= {"budget_cpu_seconds": budget, "payer_cpu_seconds": figures["search_cpu_seconds"]}
    except (DivergenceError, ExperimentError) as error:
        return {}, f"{cell}: {error}"
    write_json_file(file, data)
    return data, ""


@lru_cache(maxsize=1)
def prepared(text: str) -> tuple[ExperimentConfig, Corpus]:
    """The configuration and its corpus, prepared once in each process."""
    config = validate(yaml.safe_load(text))
    return config, load_corpus(config)
