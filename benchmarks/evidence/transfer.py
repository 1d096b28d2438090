"""An architecture that was searched on one corpus, scored on another: its folds, trained from scratch."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.evidence.evidence import (
    Corpus,
    delete,
    describe,
    environments,
    finished_cells,
    jobs_of,
    write_json,
)
from nni_emodarts.benchmark import Method, benchmark
from nni_emodarts.cli.console import Cells, progress_bars, show_note
from nni_emodarts.data.corpus import load_manifest
from nni_emodarts.metrics.comparisons import compare_with
from nni_emodarts.metrics.summaries import summarize
from nni_emodarts.models.architecture import Architecture

TRANSFER = "transfer"
SEEDS = (1,)
CARRIED_FOLDS = (0,)
_NESTED = Method("darts")
_RANDOM = Method("random_sampling")


def transfer(
    corpora: Sequence[Corpus], data: Path, results: Path, runs: Path, workers: int, summarize_only: bool = False
) -> dict[str, Any]:
    """Carry an architecture of each corpus to each other one, and write `RESULTS/transfer.json`.

    Args:
        corpora: the corpora.
        data: folder of the corpora.
        results: folder of the figures.
        runs: folder of the run folders behind.
        workers: cells at once.
        summarize_only: compute nothing.
    """
    rows, missing, cells = [], [], []
    for source, target, name in _carried(corpora):
        file = carried_architecture(source, data, results)
        if file is None:
            reason = f"the search on {source.name}, fold 0 and seed 1, is not finished yet"
            missing.append({"method": name, "reason": reason})
            show_note(f"{name} is skipped: {reason}")
            continue
        method = Method(name, str(file))
        if not summarize_only:
            _compute(target, method, data, results, runs, workers)
        found, reason = _finished(target, method, data, results)
        cells += found
        if reason:
            missing.append({"method": name, "reason": reason})
        if found:
            rows.append(_row(target, method, found, data, results))
    summary = {
        "name": TRANSFER,
        "seeds": list(SEEDS),
        "configurations": {corpus.name: describe(corpus.config(data)) for corpus in corpora},
        "methods": rows,
        "missing": missing,
        "cpu_hours": round(sum(cell["cpu_seconds"] for cell in cells) / 3600, 3),
        "environments": environments(cells),
    }
    write_json(results / f"{TRANSFER}.json", summary)
    return summary


def discard_stale_transfer(corpora: Sequence[Corpus], data: Path, results: Path) -> list[Path]:
    """Delete the cells of other settings, or of another architecture than would be carried; return their files."""
    gone = []
    for source, target, name in _carried(corpora):
        cells = results / "cells" / target.name
        held = set(cells.glob(f"{name}-*.json"))
        file = carried_architecture(source, data, results) if held else None
        if file is not None:
            config = target.config(data)
            jobs = jobs_of(config, Method(name, str(file)), target.folds(data), SEEDS, cells)
            digest = load_manifest(config.data).digest
            held -= {job.cell.file(cells) for job in jobs if job.read(digest)}
        gone += delete(held)
    return gone


def _carried(corpora: Sequence[Corpus]) -> Iterator[tuple[Corpus, Corpus, str]]:
    """Where each architecture comes from, where it goes, and the name of its row."""
    return ((a, b, f"darts_from_{a.key}") for a in corpora for b in corpora if a is not b)


def carried_architecture(source: Corpus, data: Path, results: Path) -> Path | None:
    """Write the architecture that is carried: that of fold 0 and seed 1, fixed beforehand.

    Validation figures cannot choose between folds, whose speakers are easy or hard; test figures must not.

    Returns:
        Its file; None where that search is not finished.
    """
    config = source.config(data)
    (job,) = jobs_of(config, _NESTED, CARRIED_FOLDS, SEEDS, results / "cells" / source.name)
    cell = job.read(load_manifest(config.data).digest)
    if cell is None:
        return None
    file = results / f"{source.key}-darts.json"
    write_json(file, cell["architecture"])
    return file


def _finished(corpus: Corpus, method: Method, data: Path, results: Path) -> tuple[list[dict[str, Any]], str]:
    config = corpus.config(data)
    jobs = jobs_of(config, method, corpus.folds(data), SEEDS, results / "cells" / corpus.name)
    return finished_cells(jobs, load_manifest(config.data).digest)


def _compute(target: Corpus, method: Method, data: Path, results: Path, runs: Path, workers: int) -> None:
    config, cells = target.config(data), results / "cells" / target.name
    with progress_bars() as bars:
        benchmark(config, [method], target.folds(data), SEEDS, cells, runs / target.name, workers, Cells(bars), bars)


def _row(target: Corpus, method: Method, found: Sequence[dict[str, Any]], data: Path, results: Path) -> dict[str, Any]:
    """Figures of a carried architecture, and how it stands beside the search on the target itself and random draws."""
    file = Path(str(method.architecture))
    made = Architecture.from_dict(json.loads(file.read_text(encoding="utf-8")))
    row = {**summarize(method.name, found), "scored_on": target.name, "architecture": made.id, "file": file.name}
    for key, other in (("against_nested", _NESTED), ("against_random", _RANDOM)):
        cells, _ = _finished(target, other, data, results)
        if cells:
            (row[key],) = compare_with(other.name, {other.name: cells, method.name: found})
    return row
