"""Cells side by side, in processes of their own."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

from nni_emodarts.benchmark.budget import budget_here
from nni_emodarts.benchmark.cells import Cell, settings_digest, settled
from nni_emodarts.benchmark.computing import compute_cell
from nni_emodarts.benchmark.methods import Method
from nni_emodarts.benchmark.side_by_side import side_by_side
from nni_emodarts.config import ExperimentConfig, validate
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.data.extraction import heard_on
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.other_corpora import LabelChoice, Terms
from nni_emodarts.errors import CellError, DivergenceError, ExperimentError, LaunchError, RunFolderError
from nni_emodarts.launching import Launcher
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.runtime.cell_table import CellTable
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.runtime.writing import look_anew
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
        device: whose features are heard, where that is not the configuration's; it is of a job then, which leaves its
            figures to the command that waits for it.
    """

    config: str
    cell: Cell
    table: CellTable[FinishedCell]
    runs: Path
    asked: Asked = field(default_factory=Asked)
    device: str = ""

    def keep(self, figures: FinishedCell) -> FinishedCell:
        """Put its figures where they go; those that are there now."""
        if not self.device:
            return self.table.append(figures)
        self.table.put(figures)
        return figures


@dataclass(frozen=True)
class Means:
    """What computes cells.

    Attributes:
        workers: cells at once in this process, or in each job.
        progress: called at the steps of a cell where it is computed in this process, one after the other.
        launcher: the jobs that compute them instead.
    """

    workers: int = 1
    progress: Progress = silent
    launcher: Launcher | None = None

    @property
    def device(self) -> str:
        """Whose features are heard; empty where it is the configuration's."""
        return "" if self.launcher is None else self.launcher.launch.device


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
    means: Means = Means(),
    asked: Asked = Asked(),  # noqa: B008 - it does not change
) -> Iterator[Outcome]:
    """Outcomes of the cells that do not fail, in the order in which they finish; those with a budget after its sources.

    A cell that fails by itself keeps none of the others from being computed.

    Args:
        config: the whole configuration.
        missing: the cells.
        table: where their figures go.
        runs: folder of the run folders behind them.
        means: what computes them.
        asked: corpora that they are scored on besides.

    Raises:
        CellError: some failed; raised when all others are finished.
        ConfigError: a process died.
        LaunchError: jobs did not do all of their share.
        RunFolderError: another command has finished one of the cells meanwhile, with other settings.
    """
    failures: list[str] = []
    text = config.to_yaml()
    for with_budget in (False, True):
        batch = [cell for cell in missing if (cell.budget_source is not None) == with_budget]
        there = table.read().cells if with_budget and batch else {}
        ready = [cell for cell in batch if cell.budget_source is None or cell.budget_source.key in there]
        failures += [f"{cell}: the search that sets its budget failed" for cell in batch if cell not in ready]
        jobs = [_Job(text, cell, table, runs, asked, means.device) for cell in ready]
        for outcome in _compute_batch(jobs, means):
            if outcome.failure:
                failures.append(outcome.failure)
            else:
                yield outcome
    if failures:
        listed = "\n".join(f"  {failure}" for failure in failures)
        others = ", the others are finished" if len(failures) < len(missing) else ""
        raise CellError(f"{len(failures)} of {len(missing)} cells failed{others}:\n{listed}")


def _compute_batch(jobs: Sequence[_Job], means: Means) -> Iterator[Outcome]:
    if means.launcher is not None:
        yield from _in_jobs(jobs, means.launcher, means.workers)
        return
    workers = min(means.workers, len(jobs))
    if workers <= 1:
        yield from (_compute_job(job, means.progress) for job in jobs)
        return
    remedy = "finished cells are kept, compute the others with fewer workers"
    yield from side_by_side(_compute_job, jobs, workers, remedy)


def _in_jobs(jobs: Sequence[_Job], launcher: Launcher, workers: int) -> Iterator[Outcome]:
    """Outcomes of cells that jobs compute, as they are seen to be there."""
    if not jobs:
        return
    table, wanted = jobs[0].table, [job.cell.key for job in jobs]
    failures: list[str] = []
    try:
        for seen in launcher.run(partial(_share, workers=workers), jobs):
            failures += seen.failures
            look_anew(table.folder)
            table.take_over()
            there = table.read().cells
            yield from (Outcome(there[key]) for key in wanted if key in there)
            wanted = [key for key in wanted if key not in there]
    except LaunchError as error:
        raise LaunchError("\n".join([str(error), *(f"  {failure}" for failure in failures)])) from None
    yield from (Outcome(failure=failure) for failure in failures)


def _share(jobs: Sequence[_Job], workers: int) -> Iterator[str]:
    """What a job of a launcher does: cells, for each why it failed."""
    yield from (outcome.failure for outcome in _compute_batch(jobs, Means(workers)))


def _compute_job(job: _Job, progress: Progress = silent) -> Outcome:
    """A cell's figures, or none and why it failed; where another command computes it, that one's figures."""
    config, corpus = prepared(job.config, job.device)
    cell, source = job.cell, job.cell.budget_source
    digest = settings_digest(config, cell.method, corpus.manifest.identity)
    elsewhere = prepared_elsewhere(job.config, job.asked, job.device)
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
        kept = job.keep(figures)
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
def prepared(text: str, device: str) -> tuple[ExperimentConfig, Corpus]:
    """The configuration and its corpus, prepared once in each process.

    Args:
        text: the configuration.
        device: whose features are heard; the configuration's where it is empty.
    """
    config = validate(parse_yaml(text))
    return config, load_corpus(heard_on(config, device))


@lru_cache(maxsize=1)
def _prepared_elsewhere(text: str, manifests: tuple[str, ...], choice: str, device: str) -> Elsewhere:
    config, corpus = prepared(text, device)
    read = json.loads(choice)
    scale = None if read["scale"] is None else (read["scale"][0], read["scale"][1])
    asked = Asked(manifests, LabelChoice(read["merge"], read["leave_out"], scale=scale))
    return asked.load(heard_on(config, device), Terms.of(corpus.manifest))


def prepared_elsewhere(text: str, asked: Asked, device: str) -> Elsewhere:
    """The corpora to score on besides, prepared once in each process."""
    if not asked.manifests:
        return Elsewhere()
    own = asked.choice
    choice = {"merge": dict(own.merge), "leave_out": list(own.leave_out), "scale": own.scale}
    return _prepared_elsewhere(text, asked.manifests, json.dumps(choice), device)
