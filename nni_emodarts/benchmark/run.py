"""All cells of a benchmark, each computed once, and their summary."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nni_emodarts.benchmark.cells import Cell, settings_digest
from nni_emodarts.benchmark.flops import cell_flops
from nni_emodarts.benchmark.jobs import compute_all, prepared
from nni_emodarts.benchmark.methods import Method
from nni_emodarts.benchmark.svm import prepare_functionals
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import load_corpus, load_manifest
from nni_emodarts.data.protocols import make_folds
from nni_emodarts.errors import ConfigError, RunFolderError
from nni_emodarts.metrics.comparisons import compare_with, pick_reference
from nni_emodarts.metrics.summaries import read_cell, summarize
from nni_emodarts.models.baselines.svm import SVMS
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.runtime.writing import write_json_file

Tell = Callable[[int, int, dict[str, Any]], None]
"""Told the number of a cell that has finished, the number of cells to compute, and the cell's figures."""


def run_benchmark(
    name: str,
    config: ExperimentConfig,
    methods: Sequence[str],
    out: Path,
    runs: Path,
    *,
    folds: Sequence[int] | None = None,
    seeds: Sequence[int] = (1,),
    workers: int = 1,
    reference: str | None = None,
    tell: Tell = lambda number, count, figures: None,
    progress: Progress = silent,
) -> tuple[dict[str, Any], int]:
    """Compare methods by name on the corpus that a configuration names.

    Args:
        name: name of the comparison.
        config: the whole configuration.
        methods: names of the methods.
        out: folder of the figures.
        runs: folder of the run folders behind them, which lie in `runs/NAME`.
        folds: folds of the configuration's protocol; all of them where absent.
        seeds: seeds of each method and fold.
        workers: as for `benchmark`.
        reference: as for `compare`.
        tell: as for `benchmark`.
        progress: called after each step of a long job.

    Returns:
        The summary, as `compare` gives it, and the number of recordings that were skipped.

    Raises:
        EmodartsError: as for `load_corpus` and `compare`.
    """
    manifest = load_manifest(config.data)
    make_folds(manifest, config.data.protocol, folds)  # faults are reported before anything is computed
    chosen = [Method(method) for method in methods]
    for folder in (out, runs):
        RunFolder.check(folder, resume=True)
    corpus = load_corpus(config, manifest, progress)
    wanted = [fold.index for fold in make_folds(corpus.manifest, corpus.protocol, folds)]
    summary = compare(name, config, chosen, wanted, seeds, out, runs / name, workers, tell, reference, progress)
    return summary, len(corpus.skipped)


def compare(
    name: str,
    config: ExperimentConfig,
    methods: Sequence[Method],
    folds: Sequence[int],
    seeds: Sequence[int],
    out: Path,
    runs: Path,
    workers: int = 1,
    tell: Tell = lambda number, count, figures: None,
    reference: str | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Run a benchmark and write `OUT/NAME.json`; its cells lie in `OUT/cells/NAME`. Arguments as for `benchmark`.

    `comparisons` holds each method against the method `reference`: `darts`, or the last, where it is absent.

    Raises:
        ConfigError: `reference` is not among the methods, one of them is named twice, or `name` holds a path.
    """
    names = [method.name for method in methods]
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        raise ConfigError(f"methods name {', '.join(twice)} twice; name each once")
    if Path(name).name != name or name == "..":
        raise ConfigError(f"name {name!r} must be a single word, such as emodb4-loso; name the folder by --out")
    try:
        chosen = pick_reference(names, reference)
    except ValueError as error:
        raise ConfigError(f"reference {error}; name one of them, or add it to the methods") from None
    folder = out / "cells" / name
    summaries = benchmark(config, methods, folds, seeds, folder, runs, workers, tell, progress)
    cells = {method.name: _read_all(config, method, folds, seeds, folder) for method in methods}
    summary = {
        "name": name,
        "preset": config.preset,
        "protocol": config.data.protocol,
        "methods": summaries,
        "comparisons": [] if chosen is None else compare_with(chosen, cells),
    }
    write_json_file(out / f"{name}.json", summary)
    return summary


def benchmark(
    config: ExperimentConfig,
    methods: Sequence[Method],
    folds: Sequence[int],
    seeds: Sequence[int],
    cells: Path,
    runs: Path,
    workers: int = 1,
    tell: Tell = lambda number, count, figures: None,
    progress: Progress = silent,
) -> list[dict[str, Any]]:
    """Compute the cells that are missing, and summarise each method.

    Search, retraining and scoring of a cell see one fold; a search never sees its test speakers.

    Args:
        config: the whole configuration; `search.strategy` gives way to each method's own.
        methods: what to measure.
        folds: folds of the configuration's protocol.
        seeds: seeds of each method and fold.
        cells: folder of the finished cells.
        runs: folder of the run folders behind them, where an interrupted cell goes on.
        workers: cells at once; the processor's threads are divided among them.
        tell: told of each cell as it finishes.
        progress: told of the number of cells, of the features that SVMs need, and, with one worker, of each step.

    Returns:
        A summary of each method, as `summarize` gives it.

    Raises:
        RunFolderError: a finished cell was computed with other settings, from other recordings, or at the cost of
            another search; or a folder cannot be made.
        CellError: cells failed; the others are finished.
    """
    for folder in (cells, runs):
        RunFolder.claim(folder, resume=True)
    wanted = [Cell(method, fold, seed) for method in methods for seed in seeds for fold in folds]
    manifest = load_manifest(config.data).digest
    _refuse_without_budget_source(wanted, cells)
    for cell in (*wanted, *_budget_sources(wanted)):
        _refuse_other_settings(cell.file(cells), settings_digest(config, cell.method, manifest))
    missing = [cell for cell in wanted if not cell.file(cells).exists()]
    _refuse_other_cost(wanted, cells)
    _refuse_other_recordings(wanted, cells, prepared(config.to_yaml())[1].recordings if missing else None)
    _prepare_functionals(config, missing, progress)
    if missing:
        progress("cells", 0, len(missing))
    computed = compute_all(config, missing, cells, runs, workers, progress)
    for number, figures in enumerate(computed, 1):
        tell(number, len(missing), figures)
    return [summarize(method.name, _read_all(config, method, folds, seeds, cells)) for method in methods]


def _read_all(
    config: ExperimentConfig, method: Method, folds: Sequence[int], seeds: Sequence[int], cells: Path
) -> list[dict[str, Any]]:
    """All finished cells of a method."""
    found = [read_cell(Cell(method, fold, seed).file(cells)) for seed in seeds for fold in folds]
    return [cell if "flops" in cell else {**cell, "flops": cell_flops(config, cell)} for cell in found]


def _prepare_functionals(config: ExperimentConfig, missing: Sequence[Cell], progress: Progress) -> None:
    """Extract once, over all cores, what cells side by side would each begin to extract."""
    for name in sorted({cell.method.name for cell in missing if cell.method.svm}):
        settled, corpus = prepared(config.to_yaml())
        prepare_functionals(settled, corpus, SVMS[name], progress)


def _refuse_other_settings(file: Path, digest: str) -> None:
    if file.exists() and read_cell(file).get("settings") != digest:
        raise RunFolderError(
            f"cell {file} was computed with other settings or of another manifest; name another folder, or delete "
            f"it to compute it again"
        )


def _refuse_other_cost(wanted: Sequence[Cell], cells: Path) -> None:
    """Random search that is finished was given the cost of the search whose cell is there."""
    for cell in wanted:
        file = cell.file(cells)
        if cell.budget_source is None or not file.exists():
            continue
        source = cell.budget_source.file(cells)
        given = read_cell(file)["payer_cpu_seconds"]
        cost = read_cell(source)["search_cpu_seconds"] if source.exists() else "unknown"
        if given != cost:
            raise RunFolderError(
                f"cell {file} was given the cost of a search of {given} CPU seconds, but that of {source.name} took "
                f"{cost}; delete it to compute it again"
            )


def _refuse_other_recordings(wanted: Sequence[Cell], cells: Path, found: str | None) -> None:
    """All finished cells are of the same recordings: of those that are `found`, where any are to join them.

    Cells that say nothing of their recordings are taken for what they are called.
    """
    held = {file: read_cell(file).get("recordings") for cell in wanted if (file := cell.file(cells)).exists()}
    known = {file: recordings for file, recordings in held.items() if recordings is not None}
    expected = found or next(iter(known.values()), None)
    odd = [file for file, recordings in known.items() if recordings != expected]
    if odd:
        raise RunFolderError(
            f"cell {odd[0]} was computed from other recordings ({len(odd)} in all): files were replaced, mended or "
            f"skipped since; name another folder, or delete it to compute it again"
        )


def _budget_sources(wanted: Sequence[Cell]) -> list[Cell]:
    """The cells whose cost others may spend."""
    return [cell.budget_source for cell in wanted if cell.budget_source is not None]


def _refuse_without_budget_source(wanted: Sequence[Cell], cells: Path) -> None:
    """Random search spends what another search did: that one is computed in the same run, or is finished already."""
    sources = _budget_sources(wanted)
    lacking = [source for source in sources if source not in wanted and not source.file(cells).exists()]
    if lacking:
        source = lacking[0].method.name
        spending = next(cell.method.name for cell in wanted if cell.budget_source == lacking[0])
        raise ConfigError(
            f"method {spending} spends what the search of {source} cost on the same fold and seed, but "
            f"{lacking[0].file(cells)} is missing ({len(lacking)} in all); add {source} to the methods"
        )
