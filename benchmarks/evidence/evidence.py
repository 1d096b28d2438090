"""What the evidence rests on: corpora, methods and seeds of the main tables; which cells are there; their summary."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.evidence.further_figures import further_figures
from benchmarks.evidence.tables import Compared, Described, Environments, MainTable, ManifestFacts, Missing
from nni_emodarts.benchmark import Cell, Method, cell_table, settings_digest
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import load_manifest
from nni_emodarts.data.protocols import count_folds
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.comparisons import compare_with, pick_reference
from nni_emodarts.metrics.record import Record
from nni_emodarts.metrics.summaries import summarize
from nni_emodarts.models.baselines import ON_MAPS
from nni_emodarts.models.baselines.svm import SVMS
from nni_emodarts.runtime.cell_table import CellKey, CellTable
from nni_emodarts.runtime.writing import write_json_file

METHODS = ("egemaps_svm", "compare_svm", *ON_MAPS, "random_sampling", "random_search", "darts")
"""Methods of the main table, in its order."""
BEST_HAND_DESIGNED = "cnn_lstm"
"""By test UAR on EMO-DB, seed 1, at a dropout of 0.3.

The others are an ablation; the main table shows those that have all folds.
"""
PLANNED = tuple(name for name in METHODS if name not in ON_MAPS or name == BEST_HAND_DESIGNED)
"""Methods without which the main table is not complete; they alone are compared, whatever else is there."""
SEEDS = 3
"""Seeds of the main table: 1, 2 and 3."""
_PASSING = ("finished", "platform")  # of an environment, what differs from cell to cell


@dataclass(frozen=True)
class Corpus:
    """A corpus under its protocol: one main table.

    Attributes:
        key: name of its folder, which holds manifest.csv.
        name: of the table and of its files.
        title: of its section in the document.
        protocol: how its speakers are divided.
        goal: pooled UAR that the search is to reach.
        preset: name of the preset.
        settings: laid over the preset, for every method alike.
        chosen_by: seeds whose test figures something was chosen by (*The recipe* of the document).
    """

    key: str
    name: str
    title: str
    protocol: str
    goal: float
    preset: str = "compact"
    settings: tuple[str, ...] = ()
    chosen_by: tuple[int, ...] = (1,)

    def config(self, data: Path, more: Sequence[str] = ()) -> ExperimentConfig:
        """The configuration of every method on it, on the CPU: its seconds are compared.

        Args:
            data: folder that holds the corpus's folder.
            more: further settings.
        """
        where = {
            "data.manifest": str(data / self.key / "manifest.csv"),
            "data.protocol": self.protocol,
            "device": "cpu",
        }
        return load_config(self.preset, settings=[*self.settings, *more], options=where)

    def folds(self, data: Path) -> range:
        """All of its folds."""
        return range(count_folds(load_manifest(self.config(data)), self.protocol))


CORPORA = (
    Corpus("emodb4", "emodb4-loso", "EMO-DB, four classes, leave one speaker out", "loso", goal=0.92),
    Corpus("ravdess", "ravdess-6fold", "RAVDESS, eight classes, six speaker folds", "kfold:6", goal=0.70),
)


@dataclass(frozen=True)
class Places:
    """Where things are.

    Attributes:
        data: folder of the corpora.
        results: folder of the figures.
        runs: folder of the run folders behind.
    """

    data: Path
    results: Path
    runs: Path


@dataclass(frozen=True)
class Job:
    """A cell and all that it takes to compute it.

    Attributes:
        config: the whole configuration.
        cell: method, fold and seed.
        table: the finished cells.
    """

    config: ExperimentConfig
    cell: Cell
    table: CellTable[FinishedCell]


@dataclass(frozen=True)
class Found:
    """What there is of a job.

    Attributes:
        job: the job.
        figures: its cell, where there is one of these settings.
        stale: whether there is one of other settings.
    """

    job: Job
    figures: FinishedCell | None
    stale: bool


def look_up(jobs: Sequence[Job], manifest: str) -> list[Found]:
    """What there is of each job.

    Args:
        jobs: cells.
        manifest: digest of the manifest.
    """
    held = {table: table.read().cells for table in {job.table for job in jobs}}
    found = []
    for job in jobs:
        figures = held[job.table].get(job.cell.key)
        current = figures is not None and figures.settings == settings_digest(job.config, job.cell.method, manifest)
        found.append(Found(job, figures if current else None, figures is not None and not current))
    return found


def seeds_of(method: Method, seeds: Sequence[int]) -> Sequence[int]:
    """Seeds that a method is measured with: an SVM is deterministic, so that the first says all."""
    return seeds[:1] if method.svm else seeds


def jobs_of(
    config: ExperimentConfig,
    method: Method,
    folds: Iterable[int],
    seeds: Iterable[int],
    table: CellTable[FinishedCell],
) -> list[Job]:
    """A method's cells over folds and seeds."""
    return [Job(config, Cell(method, fold, seed), table) for seed in seeds for fold in folds]


def finished_cells(jobs: Sequence[Job], manifest: str) -> tuple[list[FinishedCell], str]:
    """The cells of those seeds whose folds are all there, and what to say of the others.

    Returns:
        The cells, and why some or all are not among them; empty where all are.
    """
    found = look_up(jobs, manifest)
    lacking = [each.job.cell.seed for each in found if each.figures is None]
    stale = sum(each.stale for each in found)
    reason = f"{len(lacking)} of {len(found)} cells not computed yet" if lacking else ""
    if stale:
        reason += f", {stale} of them there with other settings"
    return [each.figures for each in found if each.figures is not None and each.figures.seed not in lacking], reason


def discard_stale(jobs: Sequence[Job], manifest: str) -> list[str]:
    """Delete the cells that were computed with other settings; where they stood is returned."""
    stale: dict[CellTable[FinishedCell], list[CellKey]] = {}
    for each in look_up(jobs, manifest):
        if each.stale:
            stale.setdefault(each.job.table, []).append(each.job.cell.key)
    return [place for table, keys in stale.items() for place in table.drop(keys)]


@dataclass(frozen=True)
class Conditions:
    """What a main table is measured under.

    Attributes:
        corpus: the corpus.
        config: its configuration.
        manifest: of its manifest.
        folds: how many there are.
    """

    corpus: Corpus
    config: ExperimentConfig
    manifest: ManifestFacts
    folds: int

    @classmethod
    def of(cls, corpus: Corpus, data: Path) -> "Conditions":
        """Those of a corpus under a folder."""
        config = corpus.config(data)
        manifest = load_manifest(config)
        facts = ManifestFacts(digest=manifest.digest, utterances=len(manifest), classes=list(manifest.classes))
        return cls(corpus, config, facts, len(corpus.folds(data)))


def main_table(corpus: Corpus, data: Path, results: Path, seeds: Sequence[int]) -> MainTable:
    """Summarise the finished cells of a corpus, and write them as `RESULTS/NAME.json`.

    A method counts with the seeds of which all folds are there; one without any is left out and said to be missing.
    """
    conditions, table = Conditions.of(corpus, data), cell_table(results, corpus.name)
    there = table.read()
    held: dict[str, list[FinishedCell]] = {}
    missing = []
    for method in map(Method, METHODS):
        planned = seeds_of(method, seeds) if method.name in PLANNED else ()
        wanted = sorted({*planned, *there.seeds(method.name)})
        jobs = jobs_of(conditions.config, method, range(conditions.folds), wanted, table)
        found, reason = finished_cells(jobs, conditions.manifest.digest)
        if found:
            held[method.name] = found
        if reason and planned:
            missing.append(Missing(method=method.name, reason=reason))
    summary = sum_up(conditions, held, missing)
    write_record(results / f"{corpus.name}.json", summary)
    return summary


def sum_up(conditions: Conditions, held: Mapping[str, Sequence[FinishedCell]], missing: Sequence[Missing]) -> MainTable:
    """All figures of a main table.

    Args:
        conditions: what it is measured under.
        held: name -> cells of each method.
        missing: what is not computed yet.
    """
    corpus, config = conditions.corpus, conditions.config
    return MainTable(
        name=corpus.name,
        title=corpus.title,
        goal=corpus.goal,
        manifest=conditions.manifest,
        folds=conditions.folds,
        chosen_by=list(corpus.chosen_by),
        missing=list(missing),
        **dict(describe(config)),
        **dict(compare_cells(held, among=PLANNED)),
        **dict(further_figures(held, PLANNED, corpus.chosen_by, config.space)),
    )


def describe(config: ExperimentConfig) -> Described:
    """The settings behind some figures, as data."""
    data = config.meaning()
    kept = ("features", "space", "search", "retrain")
    return Described(
        preset=str(config.preset),
        protocol=config.data.protocol_name,
        configuration={section: data[section] for section in kept},
    )


def compare_cells(
    held: Mapping[str, Sequence[FinishedCell]], reference: str | None = None, among: Sequence[str] | None = None
) -> Compared:
    """Summaries of methods, each against the reference (`darts`, or the last), and what all of it ran on.

    Args:
        held: name -> cells of each method.
        reference: the method that the others are compared with.
        among: the methods that are compared, so that p is adjusted for those that were planned; all where absent.
    """
    compared = {name: found for name, found in held.items() if among is None or name in among}
    deterministic = [name for name in compared if name in SVMS]
    chosen = pick_reference(list(compared), reference)
    cells = [cell for each in held.values() for cell in each]
    return Compared(
        methods=[summarize(name, each) for name, each in held.items()],
        comparisons=[] if chosen is None else compare_with(chosen, compared, deterministic),
        cpu_hours=cpu_hours(cells),
        environments=environments(cells),
    )


def cpu_hours(cells: Iterable[FinishedCell]) -> float:
    """Of all cells."""
    return round(sum(cell.cpu_seconds for cell in cells) / 3600, 3)


def environments(cells: Iterable[FinishedCell]) -> Environments:
    """The different machines and versions that cells were computed with, and how many on each."""
    counts: dict[str, int] = {}
    for cell in cells:
        kept = {key: value for key, value in cell.environment.items() if key not in _PASSING}
        text = json.dumps(kept, sort_keys=True)
        counts[text] = counts.get(text, 0) + 1
    return [{**json.loads(text), "cells": count} for text, count in counts.items()]


def write_record(file: Path, record: Record) -> None:
    """Write figures as a file that is whole or absent."""
    write_json(file, record.to_data())


def write_json(file: Path, data: Mapping[str, Any]) -> None:
    """Write data as a file that is whole or absent."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json_file(file, data)
