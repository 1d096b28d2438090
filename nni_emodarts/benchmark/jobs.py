"""Cells side by side, in processes of their own."""

from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from nni_emodarts.benchmark.cells import Cell, settings_digest, settled
from nni_emodarts.benchmark.computing import compute_cell
from nni_emodarts.benchmark.methods import Method
from nni_emodarts.benchmark.price import price_here
from nni_emodarts.config import ExperimentConfig, validate
from nni_emodarts.data.corpus import Corpus, prepare
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
    """Figures of each missing cell, in the order in which they finish; those that spend after those that pay.

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
    for bought in (False, True):
        batch = [cell for cell in missing if cell.method.bought == bought]
        payable = [cell for cell in batch if not bought or cell.payer.file(cells).exists()]
        failures += [f"{cell}: the search that pays for it failed" for cell in batch if cell not in payable]
        for data, failure in _compute_batch(config, payable, cells, runs, workers, progress):
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
        if cell.method.bought:
            paid, payer = read_cell(cell.payer.file(file.parent)), cell.payer.method
            budget = price_here(task(payer), payer, paid, run_folder("payer"), progress)
            data = compute_cell(task(cell.method), cell.method, run_folder(f"budget_{budget}"), progress, budget)
            data |= {"budget_cpu_seconds": budget, "payer_cpu_seconds": paid["search_cpu_seconds"]}
        else:
            data = compute_cell(task(cell.method), cell.method, run_folder(), progress)
    except (DivergenceError, ExperimentError) as error:
        return {}, f"{cell}: {error}"
    write_json_file(file, data)
    return data, ""


@lru_cache(maxsize=1)
def prepared(text: str) -> tuple[ExperimentConfig, Corpus]:
    """The configuration and its corpus, prepared once in each process."""
    config = validate(yaml.safe_load(text))
    return config, prepare(config.data, config.features)
