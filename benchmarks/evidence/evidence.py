"""What the evidence rests on: corpora, methods and seeds of the main tables; which cells are there; their summary."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.evidence.further_figures import further_figures
from nni_emodarts.benchmark import Cell, Method, settings_digest
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import load_manifest
from nni_emodarts.data.protocols import count_folds
from nni_emodarts.metrics.comparisons import compare_with, pick_reference
from nni_emodarts.metrics.summaries import read_cell, summarize
from nni_emodarts.models.baselines import BASELINES
from nni_emodarts.models.baselines.svm import SVMS
from nni_emodarts.runtime.writing import write_json_file

METHODS = ("egemaps_svm", "compare_svm", *BASELINES, "random_sampling", "random_search", "darts")
"""Methods of the main table, in its order."""
BEST_HAND_DESIGNED = "cnn_lstm"
"""By test UAR on EMO-DB, seed 1, at a dropout of 0.3.

The others are an ablation; the main table shows those that have all folds.
"""
PLANNED = tuple(name for name in METHODS if name not in BASELINES or name == BEST_HAND_DESIGNED)
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
        return range(count_folds(load_manifest(self.config(data).data), self.protocol))


CORPORA = (
    Corpus("emodb4", "emodb4-loso", "EMO-DB, four classes, leave one speaker out", "loso", goal=0.92),
    Corpus("ravdess", "ravdess-6fold", "RAVDESS, eight classes, six speaker folds", "kfold:6", goal=0.70),
)


@dataclass(frozen=True)
class Job:
    """A cell and all that it takes to compute it.

    Attributes:
        config: the whole configuration.
        cell: method, fold and seed.
        cells: folder of the finished cells.
    """

    config: ExperimentConfig
    cell: Cell
    cells: Path

    def read(self, manifest: str) -> dict[str, Any] | None:
        """The finished cell, where there is one of these settings.

        Args:
            manifest: digest of the manifest.
        """
        file = self.cell.file(self.cells)
        if not file.exists():
            return None
        found = read_cell(file)
        return found if found.get("settings") == settings_digest(self.config, self.cell.method, manifest) else None


def seeds_of(method: Method, seeds: Sequence[int]) -> Sequence[int]:
    """Seeds that a method is measured with: an SVM is deterministic, so that the first says all."""
    return seeds[:1] if method.svm else seeds


def jobs_of(
    config: ExperimentConfig, method: Method, folds: Iterable[int], seeds: Iterable[int], cells: Path
) -> list[Job]:
    """A method's cells over folds and seeds."""
    return [Job(config, Cell(method, fold, seed), cells) for seed in seeds for fold in folds]


def seeds_there(cells: Path, method: Method) -> list[int]:
    """Seeds of which the folder holds any cell of a method."""
    files = cells.glob(f"{method.name}-fold_*-seed_*.json")
    return sorted({int(file.stem.rpartition("_")[2]) for file in files})


def finished_cells(jobs: Sequence[Job], manifest: str) -> tuple[list[dict[str, Any]], str]:
    """The cells of those seeds whose folds are all there, and what to say of the others.

    Returns:
        The cells, and why some or all are not among them; empty where all are.
    """
    found = {job.cell: job.read(manifest) for job in jobs}
    seeds = sorted({cell.seed for cell in found})
    whole = [seed for seed in seeds if all(data for cell, data in found.items() if cell.seed == seed)]
    stale = sum(job.cell.file(job.cells).exists() and not found[job.cell] for job in jobs)
    lacking = sum(data is None for data in found.values())
    reason = f"{lacking} of {len(found)} cells not computed yet" if lacking else ""
    if stale:
        reason += f", {stale} of them there with other settings"
    return [data for cell, data in found.items() if cell.seed in whole and data is not None], reason


def discard_stale(jobs: Iterable[Job], manifest: str) -> list[Path]:
    """Delete the cells that were computed with other settings; their files are returned."""
    return delete(job.cell.file(job.cells) for job in jobs if job.read(manifest) is None)


def delete(files: Iterable[Path]) -> list[Path]:
    """Delete those of the files that are there, and return them."""
    gone = [file for file in sorted(files) if file.exists()]
    for file in gone:
        file.unlink()
    return gone


def main_table(corpus: Corpus, data: Path, results: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """Summarise the finished cells of a corpus, and write them as `RESULTS/NAME.json`.

    A method counts with the seeds of which all folds are there; one without any is left out and said to be missing.
    """
    config, folds, cells = corpus.config(data), corpus.folds(data), results / "cells" / corpus.name
    manifest = load_manifest(config.data)
    held: dict[str, list[dict[str, Any]]] = {}
    missing = []
    for method in map(Method, METHODS):
        planned = seeds_of(method, seeds) if method.name in PLANNED else ()
        wanted = sorted({*planned, *seeds_there(cells, method)})
        found, reason = finished_cells(jobs_of(config, method, folds, wanted, cells), manifest.digest)
        if found:
            held[method.name] = found
        if reason and planned:
            missing.append({"method": method.name, "reason": reason})
    summary = {
        "name": corpus.name,
        "title": corpus.title,
        "goal": corpus.goal,
        **describe(config),
        "manifest": {"digest": manifest.digest, "utterances": len(manifest), "classes": list(manifest.classes)},
        "folds": len(folds),
        **main_figures(corpus, held, config),
        "missing": missing,
    }
    write_json(results / f"{corpus.name}.json", summary)
    return summary


def main_figures(
    corpus: Corpus, held: Mapping[str, Sequence[dict[str, Any]]], config: ExperimentConfig
) -> dict[str, Any]:
    """All figures of a main table.

    Args:
        corpus: the corpus.
        held: name -> cells of each method.
        config: its configuration.
    """
    further = further_figures(held, PLANNED, corpus.chosen_by, config.space)
    return {"chosen_by": list(corpus.chosen_by), **compare_cells(held, among=PLANNED), **further}


def describe(config: ExperimentConfig) -> dict[str, Any]:
    """The settings behind some figures, as data."""
    data = config.meaning()
    kept = ("features", "space", "search", "retrain")
    return {
        "preset": config.preset,
        "protocol": config.data.protocol,
        "configuration": {section: data[section] for section in kept},
    }


def compare_cells(
    held: Mapping[str, Sequence[dict[str, Any]]], reference: str | None = None, among: Sequence[str] | None = None
) -> dict[str, Any]:
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
    return {
        "methods": [summarize(name, each) for name, each in held.items()],
        "comparisons": [] if chosen is None else compare_with(chosen, compared, deterministic),
        "cpu_hours": round(sum(cell["cpu_seconds"] for cell in cells) / 3600, 3),
        "environments": environments(cells),
    }


def environments(cells: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The different machines and versions that cells were computed with, and how many on each."""
    counts: dict[str, int] = {}
    for cell in cells:
        kept = {key: value for key, value in cell["environment"].items() if key not in _PASSING}
        text = json.dumps(kept, sort_keys=True)
        counts[text] = counts.get(text, 0) + 1
    return [{**json.loads(text), "cells": count} for text, count in counts.items()]


def write_json(file: Path, data: Mapping[str, Any]) -> None:
    """Write data as a file that is whole or absent."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json_file(file, data)
