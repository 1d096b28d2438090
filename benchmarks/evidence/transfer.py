"""An architecture that was searched on one corpus, scored on another: its folds, trained from scratch."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.evidence.evidence import (
    Corpus,
    Places,
    cpu_hours,
    describe,
    environments,
    finished_cells,
    jobs_of,
    look_up,
    write_json,
    write_record,
)
from benchmarks.evidence.tables import Missing, TransferRow, TransferTable
from nni_emodarts.benchmark import Method, Plan, benchmark, cell_table
from nni_emodarts.cli.console import Cells, progress_bars, show_note
from nni_emodarts.data.corpus import load_manifest
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.comparisons import compare_with
from nni_emodarts.metrics.summaries import summarize
from nni_emodarts.models.architecture import Architecture

TRANSFER = "transfer"
SEEDS = (1,)
CARRIED_FOLDS = (0,)
_NESTED = Method("darts")
_RANDOM = Method("random_sampling")


def transfer(
    corpora: Sequence[Corpus], places: Places, workers: int = 1, summarize_only: bool = False
) -> TransferTable:
    """Carry an architecture of each corpus to each other one, and write `RESULTS/transfer.json`.

    Args:
        corpora: the corpora.
        places: where things are.
        workers: cells at once.
        summarize_only: compute nothing.
    """
    rows, missing, cells = [], [], []
    for source, target, name in _carried(corpora):
        file = carried_architecture(source, places)
        if file is None:
            reason = f"the search on {source.name}, fold 0 and seed 1, is not finished yet"
            missing.append(Missing(method=name, reason=reason))
            show_note(f"{name} is skipped: {reason}")
            continue
        method = Method(name, str(file))
        if not summarize_only:
            _compute(target, method, places, workers)
        found, reason = _finished(target, method, places)
        cells += found
        if reason:
            missing.append(Missing(method=name, reason=reason))
        if found:
            rows.append(_row(target, method, found, places))
    summary = TransferTable(
        name=TRANSFER,
        seeds=list(SEEDS),
        configurations={corpus.name: describe(corpus.config(places.data)) for corpus in corpora},
        methods=rows,
        missing=missing,
        cpu_hours=cpu_hours(cells),
        environments=environments(cells),
    )
    write_record(places.results / f"{TRANSFER}.json", summary)
    return summary


def discard_stale_transfer(corpora: Sequence[Corpus], places: Places) -> list[str]:
    """Delete the cells of other settings, or of another architecture than would be carried; say where they stood."""
    gone = []
    for source, target, name in _carried(corpora):
        table = cell_table(places.results, target.name)
        held = {key for key in table.read().cells if key.method == name}
        file = carried_architecture(source, places) if held else None
        if file is not None:
            config = target.config(places.data)
            jobs = jobs_of(config, Method(name, str(file)), target.folds(places.data), SEEDS, table)
            found = look_up(jobs, load_manifest(config).digest)
            held -= {each.job.cell.key for each in found if each.figures is not None}
        gone += table.drop(held)
    return gone


def _carried(corpora: Sequence[Corpus]) -> Iterator[tuple[Corpus, Corpus, str]]:
    """Where each architecture comes from, where it goes, and the name of its row."""
    return ((a, b, f"darts_from_{a.key}") for a in corpora for b in corpora if a is not b)


def carried_architecture(source: Corpus, places: Places) -> Path | None:
    """Write the architecture that is carried: that of fold 0 and seed 1, fixed beforehand.

    Validation figures cannot choose between folds, whose speakers are easy or hard; test figures must not.

    Returns:
        Its file; None where that search is not finished.
    """
    config = source.config(places.data)
    jobs = jobs_of(config, _NESTED, CARRIED_FOLDS, SEEDS, cell_table(places.results, source.name))
    (found,) = look_up(jobs, load_manifest(config).digest)
    if found.figures is None:
        return None
    file = places.results / f"{source.key}-darts.json"
    write_json(file, found.figures.architecture or {})
    return file


def _finished(corpus: Corpus, method: Method, places: Places) -> tuple[list[FinishedCell], str]:
    config = corpus.config(places.data)
    jobs = jobs_of(config, method, corpus.folds(places.data), SEEDS, cell_table(places.results, corpus.name))
    return finished_cells(jobs, load_manifest(config).digest)


def _compute(target: Corpus, method: Method, places: Places, workers: int) -> None:
    plan = Plan(target.config(places.data), [method], target.folds(places.data), SEEDS)
    table, runs = cell_table(places.results, target.name), places.runs / target.name
    with progress_bars() as bars:
        benchmark(plan, table, runs, workers=workers, tell=Cells(bars), progress=bars, note=show_note)


def _row(target: Corpus, method: Method, found: Sequence[FinishedCell], places: Places) -> TransferRow:
    """Figures of a carried architecture, and how it stands beside the search on the target itself and random draws."""
    file = Path(str(method.architecture))
    made = Architecture.from_dict(json.loads(file.read_text(encoding="utf-8")))
    row = {
        **summarize(method.name, found).to_data(),
        "scored_on": target.name,
        "architecture": made.id,
        "file": file.name,
    }
    for key, other in (("against_nested", _NESTED), ("against_random", _RANDOM)):
        cells, _ = _finished(target, other, places)
        if cells:
            (row[key],) = compare_with(other.name, {other.name: cells, method.name: found})
    return TransferRow.from_data(row)
