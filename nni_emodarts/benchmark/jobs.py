"""Cells side by side, in processes of their own."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from nni_emodarts.benchmark.budget import budget_here
from nni_emodarts.benchmark.cells import Cell, settings_digest, settled
from nni_emodarts.benchmark.computing import compute_cell
from nni_emodarts.benchmark.methods import Method
from nni_emodarts.benchmark.side_by_side import side_by_side
from nni_emodarts.config import ExperimentConfig, validate
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.other_corpora import LabelChoice, Terms
from nni_emodarts.errors import CellError, DivergenceError, ExperimentError, RunFolderError
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.runtime.cell_table import CellTable
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.runtime.yaml_reading import parse_yaml
from nni_emodarts.training.retrain.elsewhere import Asked, Elsewhere


@dataclass(frozen=True)
class _Job:
    """A cell, and what a process needs to compute it.

    Attributes:
        config: the whole configuration, as text.
        cell: the cell.
        table: where its figures go.
        runs: folder of the run folders behind them.
        asked: corpora that it is scored on besides.
    """

    config: str
    cell: Cell
    table: CellTable[FinishedCell]
    runs: Path
    asked: Asked = field(default_factory=Asked)


@dataclass(frozen=True)
class Outcome:
    """What became of a cell.

    Attributes:
        figures: its figures; None where it failed.
        failure: why it failed.
        note: what else there is to say.
    """

    figures: FinishedCell | None = None
    failure: str = ""
    note: str = ""


def compute_all(
    config: ExperimentConfig,
    missing: Sequence[Cell],
    table: CellTable[FinishedCell],
    runs: Path,
    workers: int = 1,
    progress: Progress = silent,
    asked: Asked = Asked(),  # noqa: B008 - it does not change
) -> Iterator[Outcome]:
    """Outcomes of the cells that do not fail, in the order in which they finish; those with a budget after its sources.

    A cell that fails by itself keeps none of the others from being computed.

    Args:
        config: the whole configuration.
        missing: the cells.
        table: where their figures go.
        runs: folder of the run folders behind them.
        workers: cells at once.
        progress: called at the steps of a cell where it is computed in this process, one after the other.
        asked: corpora that they are scored on besides.

    Raises:
        CellError: some failed; raised when all others are finished.
        ConfigError: a process died.
        RunFolderError: another command has finished one of the cells meanwhile, with other settings.
    """
    failures: list[str] = []
    text = config.to_yaml()
    for with_budget in (False, True):
        batch = [cell for cell in missing if (cell.budget_source is not None) == with_budget]
        there = table.read().cells if with_budget and batch else {}
        ready = [cell for cell in batch if cell.budget_source is None or cell.budget_source.key in there]
        failures += [f"{cell}: the search that sets its budget failed" for cell in batch if cell not in ready]
        for outcome in _compute_batch([_Job(text, cell, table, runs, asked) for cell in ready], workers, progress):
            if outcome.failure:
                failures.append(outcome.failure)
            else:
                yield outcome
    if failures:
        listed = "\n".join(f"  {failure}" for failure in failures)
        others = ", the others are finished" if len(failures) < len(missing) else ""
        raise CellError(f"{len(failures)} of {len(missing)} cells failed{others}:\n{listed}")


def _compute_batch(jobs: Sequence[_Job], workers: int, progress: Progress) -> Iterator[Outcome]:
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from (_compute_job(job, progress) for job in jobs)
        return
    remedy = "finished cells are kept, compute the others with fewer workers"
    yield from side_by_side(_compute_job, jobs, workers, remedy)


def _compute_job(job: _Job, progress: Progress = silent) -> Outcome:
    """A cell's figures, or none and why it failed; where another command computes it, that one's figures."""
    config, corpus = prepared(job.config)
    cell, source = job.cell, job.cell.budget_source
    digest = settings_digest(config, cell.method, corpus.manifest.identity)
    elsewhere = prepared_elsewhere(job.config, job.asked)
    beside = [f"on_{elsewhere.digest}"] if elsewhere.corpora else []

    def run_folder(*more: str, of: Cell = cell, digest: str = digest) -> RunFolder:
        # What decides a cell's figures has a folder of its own, so that no run goes on with another's.
        name = "-".join([digest, corpus.recordings, *more])
        return RunFolder(job.runs).child(of.method.name, name).cell(of.fold, of.seed)

    def compute() -> FinishedCell:
        own = task(cell.method)
        if not cell.method.ensemble:
            return compute_cell(own, cell.method, first, progress, elsewhere=elsewhere)
        # the configured search lies where the method that is called so has it
        search = settings_digest(config, cell.search.method, corpus.manifest.identity)
        shared = run_folder(of=cell.search, digest=search)
        return compute_cell(own, cell.method, first, progress, search_in=shared)

    def task(method: Method) -> FoldTask:
        return FoldTask.of(settled(config, method), corpus, cell.fold, cell.seed)

    # The word "payer" stays in names of folders and in cells, so that those of earlier versions are found.
    first = run_folder(*beside) if source is None else run_folder("payer", *beside)
    with first.held(wait=True):
        held = job.table.read().cells
        if cell.key in held:
            return _of_another(held[cell.key], job, digest, corpus.recordings)
        try:
            if source is None:
                figures = compute()
            else:
                searched = held[source.key]
                budget = budget_here(task(source.method), source.method, searched, first, progress)
                folder = run_folder(f"budget_{budget}", *beside)
                figures = compute_cell(task(cell.method), cell.method, folder, progress, budget, elsewhere=elsewhere)
                costs = {"budget_cpu_seconds": budget, "payer_cpu_seconds": searched.search_cpu_seconds}
                figures = figures.model_copy(update=costs)
        except (DivergenceError, ExperimentError) as error:
            return Outcome(failure=f"{cell}: {error}")
        kept = job.table.append(figures)
    return Outcome(figures) if kept is figures else _of_another(kept, job, digest, corpus.recordings)


def _of_another(figures: FinishedCell, job: _Job, settings: str, recordings: str) -> Outcome:
    """Figures of a cell that another command has finished since this one began."""
    if (figures.settings, figures.recordings) != (settings, recordings):
        raise RunFolderError(
            f"{job.table.file} holds {job.cell} by now, of another command with other settings or recordings; name "
            f"another folder for one of them"
        )
    return Outcome(figures, note=f"{job.cell} was finished by another command meanwhile, whose figures stay")


@lru_cache(maxsize=1)
def prepared(text: str) -> tuple[ExperimentConfig, Corpus]:
    """The configuration and its corpus, prepared once in each process."""
    config = validate(parse_yaml(text))
    return config, load_corpus(config)


@lru_cache(maxsize=1)
def _prepared_elsewhere(text: str, manifests: tuple[str, ...], choice: str) -> Elsewhere:
    config, corpus = prepared(text)
    read = json.loads(choice)
    scale = None if read["scale"] is None else (read["scale"][0], read["scale"][1])
    asked = Asked(manifests, LabelChoice(read["merge"], read["leave_out"], scale=scale))
    return asked.load(config, Terms.of(corpus.manifest))


def prepared_elsewhere(text: str, asked: Asked) -> Elsewhere:
    """The corpora to score on besides, prepared once in each process."""
    if not asked.manifests:
        return Elsewhere()
    own = asked.choice
    choice = {"merge": dict(own.merge), "leave_out": list(own.leave_out), "scale": own.scale}
    return _prepared_elsewhere(text, asked.manifests, json.dumps(choice))
