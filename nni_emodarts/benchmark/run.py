"""All cells of a benchmark, each computed once, and their summary."""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from nni_emodarts.benchmark.cells import Cell
from nni_emodarts.benchmark.checks import (
    refuse_elsewhere,
    refuse_other_cost,
    refuse_other_recordings,
    refuse_other_settings,
    refuse_shared_elsewhere,
    refuse_two_tracks,
    refuse_unfit_methods,
    refuse_without_budget_source,
    refuse_without_other_corpora,
)
from nni_emodarts.benchmark.flops import cell_flops
from nni_emodarts.benchmark.functionals import design_of, prepare_functionals
from nni_emodarts.benchmark.jobs import Means, compute_all, prepared, prepared_elsewhere
from nni_emodarts.benchmark.methods import Method
from nni_emodarts.benchmark.plan import Plan
from nni_emodarts.config import ExperimentConfig, refuse_several_machines
from nni_emodarts.data.ccc_utterances import few_utterances
from nni_emodarts.data.corpus import load_corpus, load_manifest
from nni_emodarts.data.extraction import extract_in_jobs, heard_in_jobs
from nni_emodarts.data.fold_choice import FoldChoice
from nni_emodarts.data.fold_task import fold_tasks
from nni_emodarts.data.front_ends.pinning import pinned
from nni_emodarts.data.other_corpora import Terms
from nni_emodarts.data.protocols import make_folds
from nni_emodarts.data.speaker_overlap import settle_overlap
from nni_emodarts.data.unfit import checked_folds
from nni_emodarts.errors import ConfigError, RunFolderError
from nni_emodarts.launching import LAUNCHED, Launch, Launcher
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.comparisons import compare_with, pick_reference
from nni_emodarts.metrics.notation import count_text
from nni_emodarts.metrics.rated import RatedSummary, summarize_rated
from nni_emodarts.metrics.summaries import BenchmarkSummary, MethodSummary, summarize
from nni_emodarts.runtime.cell_table import CellTable, Contents
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.runtime.writing import write_json_file
from nni_emodarts.training.retrain.elsewhere import Asked

logger = logging.getLogger(__name__)

Tell = Callable[[int, int, FinishedCell], None]
"""Called with the number of a cell that has finished, the number of cells to compute, and the cell's figures."""
Note = Callable[[str], None]
"""Called with what a person should know, and need not do anything about."""


def cell_table(out: Path, name: str) -> CellTable[FinishedCell]:
    """The table of finished cells behind `OUT/NAME.json`: `OUT/cells/NAME.jsonl`."""
    return CellTable.beside(out, name, FinishedCell.from_data)


def run_benchmark(
    name: str,
    config: ExperimentConfig,
    methods: Sequence[str],
    out: Path,
    runs: Path,
    *,
    folds: FoldChoice | None = None,
    seeds: Sequence[int] = (1,),
    workers: int = 1,
    launch: Launch | None = None,
    reference: str | None = None,
    asked: Asked = Asked(),  # noqa: B008 - it does not change
    tell: Tell = lambda number, count, figures: None,
    progress: Progress = silent,
    note: Note = logger.warning,
) -> tuple[BenchmarkSummary, int]:
    """Compare methods by name on the corpus that a configuration names.

    Args:
        name: name of the comparison.
        config: the whole configuration.
        methods: names of the methods.
        out: folder of the figures.
        runs: folder of the run folders behind them, which lie in `runs/NAME`.
        folds: folds of the configuration's protocol; all of them where absent.
        seeds: seeds of each method and fold.
        workers: as for `benchmark`, like `launch`.
        launch: jobs that extract features, too.
        reference: as for `compare`.
        asked: corpora that each network is scored on besides.
        tell: as for `benchmark`.
        progress: called after each step of a long job.
        note: as for `benchmark`.

    Returns:
        The summary, as `compare` gives it, and the number of recordings that were skipped.

    Raises:
        EmodartsError: as for `load_corpus` and `compare`.
    """
    refuse_several_machines(config)
    config = pinned(config)
    manifest = load_manifest(config)
    for each in manifest.notes:
        note(each)
    config = settle_overlap(config, manifest)
    checked = checked_folds(config, manifest, folds)  # faults are reported before anything is computed
    for each in few_utterances(config, manifest, checked):
        note(each)
    chosen = [Method(method) for method in methods]
    for folder in (out, runs):
        RunFolder.check(folder, shared=True)
    refuse_two_tracks(config, chosen)
    refuse_unfit_methods(config, chosen)
    functionals = _feature_sets(chosen)
    extract_in_jobs(config, manifest, launch, progress, note, functionals=functionals)
    corpus = load_corpus(heard_in_jobs(config, launch), manifest, progress)
    wanted = [fold.index for fold in make_folds(corpus.manifest, corpus.protocol, folds)]
    refuse_elsewhere(asked, chosen)
    elsewhere = asked.load(config, Terms.of(corpus.manifest), progress, note, launch)
    refuse_shared_elsewhere(elsewhere, fold_tasks(config, corpus, wanted, [0]), chosen)
    plan = Plan(config, chosen, wanted, list(seeds), asked)
    summary = compare(
        name, plan, out, runs / name,
        workers=workers, launch=launch, tell=tell, reference=reference, progress=progress, note=note,
    )  # fmt: skip
    return summary, len(corpus.skipped)


def compare(
    name: str,
    plan: Plan,
    out: Path,
    runs: Path,
    *,
    workers: int = 1,
    launch: Launch | None = None,
    tell: Tell = lambda number, count, figures: None,
    reference: str | None = None,
    progress: Progress = silent,
    note: Note = logger.warning,
) -> BenchmarkSummary:
    """Run a benchmark and write `OUT/NAME.json`; its cells are lines of `OUT/cells/NAME.jsonl`.

    Args:
        name: of the benchmark.
        plan: what to measure.
        out: folder of the figures.
        runs: as for `benchmark`, like `workers`, `launch`, `tell`, `progress` and `note`.
        workers: cells at once.
        launch: jobs that compute them.
        tell: called as cells finish.
        reference: the method that each other one is compared with: `darts`, or the last, where it is absent.
        progress: called after each step.
        note: called with what is found on the way.

    Raises:
        ConfigError: `reference` is not among the methods, one of them is named twice, or `name` holds a path.
    """
    refuse_several_machines(plan.config)
    names = [method.name for method in plan.methods]
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        raise ConfigError(f"methods name {', '.join(twice)} twice; name each once")
    if Path(name).name != name or name == "..":
        raise ConfigError(f"name {name!r} must be a single word, such as emodb4-loso; name the folder by --out")
    try:
        chosen = pick_reference(names, reference)
    except ValueError as error:
        raise ConfigError(f"reference {error}; name one of them, or add it to the methods") from None
    track = refuse_two_tracks(plan.config, plan.methods)
    refuse_unfit_methods(plan.config, plan.methods)
    table = cell_table(out, name)
    summaries = benchmark(plan, table, runs, workers=workers, launch=launch, tell=tell, progress=progress, note=note)
    cells = _finished(plan, table.read())
    rated = [each for each in summaries if isinstance(each, RatedSummary)]
    more: JsonObject = {"rated": rated} if rated else {}
    summary = BenchmarkSummary(
        name=name,
        preset=plan.config.preset,
        protocol=plan.config.data.protocol_name,
        **track.to_dict(),
        methods=[each for each in summaries if isinstance(each, MethodSummary)],
        **more,
        comparisons=[] if chosen is None else compare_with(chosen, cells),
    )
    write_json_file(out / f"{name}.json", summary.to_data())
    return summary


def benchmark(
    plan: Plan,
    table: CellTable[FinishedCell],
    runs: Path,
    *,
    workers: int = 1,
    launch: Launch | None = None,
    tell: Tell = lambda number, count, figures: None,
    progress: Progress = silent,
    note: Note = logger.warning,
) -> list[MethodSummary | RatedSummary]:
    """Compute the cells that are missing, and summarise each method.

    Search, retraining and scoring of a cell see one fold; a search never sees its test speakers.

    Args:
        plan: what to measure.
        table: the finished cells; others may append to it meanwhile.
        runs: folder of the run folders behind the cells, where an interrupted cell goes on.
        workers: cells at once, of each job where there are jobs; the processor's threads are divided among them.
        launch: jobs that compute the cells; this process and its workers where absent.
        tell: called as cells finish.
        progress: called with the number of cells, after each step of the functionals that methods need, and, with one
            worker, after each step.
        note: called with lines that hold no cell, and with cells that another command has finished meanwhile.

    Raises:
        RunFolderError: a finished cell was computed with other settings, from other recordings, or at the cost of
            another search; or a folder cannot be made.
        CellError: cells failed; the others are finished.
        LaunchError: jobs did not do all of their share; what is finished stays.
    """
    for folder in (table.file.parent, runs):
        RunFolder.claim(folder, shared=True)
    launcher = None if launch is None else Launcher(launch, runs / LAUNCHED, note)
    if launcher is not None:
        launcher.settle()
    means = Means(workers, progress, launcher)
    held = _take_stock(table, note)
    wanted = plan.cells
    refuse_without_budget_source(wanted, held)
    refuse_without_other_corpora(prepared_elsewhere(plan.config.to_yaml(), plan.asked, means.device), wanted, held)
    refuse_other_settings(plan.config, wanted, held, load_manifest(plan.config).identity)
    missing = [cell for cell in wanted if cell.key not in held.cells]
    refuse_other_cost(wanted, held)
    recordings = prepared(plan.config.to_yaml(), means.device)[1].recordings if missing else None
    refuse_other_recordings(wanted, held, recordings)
    _prepare_functionals(plan.config, missing, means)
    if missing:
        progress("cells", 0, len(missing))
    for number, outcome in enumerate(compute_all(plan.config, missing, table, runs, means, plan.asked), 1):
        if outcome.note:
            note(outcome.note)
        if outcome.figures is not None:
            tell(number, len(missing), outcome.figures)
    sum_up = summarize_rated if plan.config.data.learns_dimensions else summarize
    return [sum_up(name, cells) for name, cells in _finished(plan, table.read()).items()]


def _take_stock(table: CellTable[FinishedCell], note: Note) -> Contents[FinishedCell]:
    """What is there, all of it in the table."""
    taken = table.take_over()
    if taken:
        note(f"{count_text(taken, 'cell')} that were files of their own are lines of {table.file} now")
    held = table.read()
    for text in held.damaged:
        note(f"{text}; the cell counts as missing")
    return held


def _finished(plan: Plan, held: Contents[FinishedCell]) -> dict[str, list[FinishedCell]]:
    """Name -> all cells of each method; FLOPs are counted for those that say nothing of them."""
    gone = [cell for cell in plan.cells if cell.key not in held.cells]
    if gone:
        raise RunFolderError(f"the cell of {gone[0]} was deleted meanwhile ({len(gone)} in all); run the command again")
    return {
        method.name: [_with_flops(plan.config, held.cells[cell.key]) for cell in plan.cells_of(method)]
        for method in plan.methods
    }


def _with_flops(config: ExperimentConfig, cell: FinishedCell) -> FinishedCell:
    return cell if cell.flops is not None else cell.model_copy(update={"flops": cell_flops(config, cell)})


def _prepare_functionals(config: ExperimentConfig, missing: Sequence[Cell], means: Means) -> None:
    """Extract once, over all cores, what cells side by side would each begin to extract."""
    for feature_set in _feature_sets([cell.method for cell in missing]):
        settled, corpus = prepared(config.to_yaml(), means.device)
        prepare_functionals(settled, corpus, feature_set, means.progress)


def _feature_sets(methods: Iterable[Method]) -> list[str]:
    return sorted({design_of(method.name).feature_set for method in methods if method.on_functionals})
