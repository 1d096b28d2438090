"""`python -m benchmarks.evidence.ablations`: what each part brings on EMO-DB, three folds and one seed; and transfer.

Only cells that are missing under docs/results/cells are computed. Architectures as shipped and hand-designed networks
are cells of the main table, which are computed where they are missing. A corpus takes part in the transfer as a source
where its search of fold 0 and seed 1 is finished.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from benchmarks.evidence.ablation_table import GROUPS, REFERENCE, Variant, variants
from benchmarks.evidence.evidence import (
    CORPORA,
    PLANNED,
    Corpus,
    Job,
    compare_cells,
    delete,
    describe,
    discard_stale,
    finished_cells,
    jobs_of,
    seeds_there,
    write_json,
)
from benchmarks.evidence.results import add_places, data_folder, guarded, pick
from benchmarks.evidence.transfer import TRANSFER, discard_stale_transfer, transfer
from benchmarks.pages.results_document import ABLATIONS, write_document
from nni_emodarts.benchmark import Cell, Method, benchmark
from nni_emodarts.cli.console import show_note
from nni_emodarts.config import ExperimentConfig, lay_over, validate
from nni_emodarts.data.corpus import load_manifest
from nni_emodarts.errors import CellError
from nni_emodarts.metrics.comparisons import compare_with
from nni_emodarts.metrics.summaries import read_cell, summarize
from nni_emodarts.runtime.environment import threads_each
from nni_emodarts.runtime.processes import start_pool, threads_of_others

FOLDS = (0, 1, 2)
SEEDS = (1,)


@dataclass(frozen=True)
class Ablations:
    """Where the ablations of a corpus lie, and what they start from.

    Attributes:
        corpus: the corpus.
        data: folder of the corpora.
        results: folder of the figures.
        runs: folder of the run folders behind.
    """

    corpus: Corpus
    data: Path
    results: Path
    runs: Path

    @property
    def shipped(self) -> ExperimentConfig:
        """The configuration that a variant changes."""
        return self.corpus.config(self.data)

    @property
    def main_cells(self) -> Path:
        """Folder of the main table's cells."""
        return self.results / "cells" / self.corpus.name

    @cached_property
    def manifest(self) -> str:
        """Digest of the corpus's manifest."""
        return load_manifest(self.shipped.data).digest

    def reference(self) -> list[Job]:
        """The cells as shipped: those of the main table."""
        return jobs_of(self.shipped, Method("darts"), FOLDS, SEEDS, self.main_cells)

    def finished(self, method: Method, folds: Sequence[int], seeds: Sequence[int]) -> list[dict[str, Any]]:
        """The main table's cells of a method, of those seeds whose folds are all there."""
        return finished_cells(jobs_of(self.shipped, method, folds, seeds, self.main_cells), self.manifest)[0]

    def own_cells(self, variant: Variant) -> Path:
        """Folder of a variant's cells, where they are none of the main table."""
        return self.results / "cells" / ABLATIONS / variant.name

    def jobs(self, variant: Variant) -> list[Job]:
        """A variant's cells; of one that only retrains those whose architecture was found by the search as shipped."""
        config = lay_over(self.shipped, variant.settings)
        cells = self.main_cells if variant.in_main_table else self.own_cells(variant)
        if not variant.retrained:
            return jobs_of(config, Method(variant.method), FOLDS, SEEDS, cells)
        carried = [(job.cell, self._architecture(job)) for job in self.reference() if job.read(self.manifest)]
        return [Job(config, Cell(Method("darts", file), cell.fold, cell.seed), cells) for cell, file in carried]

    def _architecture(self, job: Job) -> str:
        """The file of the architecture that a cell of the main table found."""
        file = self.runs / "architectures" / f"fold_{job.cell.fold:02d}-seed_{job.cell.seed}.json"
        write_json(file, read_cell(job.cell.file(job.cells))["architecture"])
        return str(file)


def main(words: Sequence[str] | None = None, corpora: Sequence[Corpus] = CORPORA) -> None:
    """Compute what is missing, then write summaries and document.

    Args:
        words: the command line's words; its own where absent.
        corpora: the corpora that there are; ablations are of the first.
    """
    arguments = _parser().parse_args(words)
    data, results = data_folder(arguments.data), arguments.out / "results"
    groups = pick("groups", arguments.groups, [*GROUPS, TRANSFER])
    place = Ablations(corpora[0], data, results, arguments.runs / ABLATIONS)
    chosen = list(variants(place.shipped, groups))
    if arguments.discard_stale:
        _discard(place, corpora)
    if chosen and not arguments.summarize:
        compute([(job, place.runs / REFERENCE) for job in place.reference()], arguments.workers)
        compute([(job, place.runs / each.name) for each in chosen for job in place.jobs(each)], arguments.workers)
    write_json(results / f"{ABLATIONS}.json", summary(place))
    if TRANSFER in groups:
        transfer(corpora, data, results, arguments.runs, arguments.workers, arguments.summarize)
    write_document(arguments.out)


def compute(jobs: Sequence[tuple[Job, Path]], workers: int) -> None:
    """Compute the cells that are missing, several at once.

    Args:
        jobs: cells, each with the folder of the run folders behind it.
        workers: processes at once.

    Raises:
        RunFolderError: a finished cell was computed with other settings.
        CellError: some cells failed; the others are finished.
    """
    digest = load_manifest(jobs[0][0].config.data).digest
    work = [(job.config.to_yaml(), job.cell, job.cells, runs) for job, runs in jobs if job.read(digest) is None]
    if workers == 1 or len(work) < 2:
        failures = [_compute(*each) for each in work]
    else:
        with threads_of_others(threads_each(workers)), start_pool(workers) as pool:
            failures = [done.result() for done in as_completed([pool.submit(_compute, *each) for each in work])]
    if any(failures):
        raise CellError("\n".join(failure for failure in failures if failure))


def _compute(text: str, cell: Cell, cells: Path, runs: Path) -> str:
    """Compute a cell; why that failed, where it did."""
    config = validate(yaml.safe_load(text))

    def tell(number: int, count: int, figures: dict[str, Any]) -> None:
        where = f"{cells.name}: {figures['method']} fold {figures['fold']} seed {figures['seed']}"
        show_note(f"{where}: {figures['cpu_seconds']:.0f} CPU seconds")

    try:
        benchmark(config, [cell.method], [cell.fold], [cell.seed], cells, runs, tell=tell)
    except CellError as error:
        return f"{cells.name}: {error}"
    return ""


def summary(place: Ablations) -> dict[str, Any]:
    """The finished variants of all groups beside the configuration as shipped; the others are said to be missing."""
    every = [Variant(REFERENCE, "reference"), *variants(place.shipped, list(GROUPS))]
    held, missing = {}, []
    for variant in every:
        jobs = place.reference() if variant.name == REFERENCE else place.jobs(variant)
        found, reason = finished_cells(jobs, place.manifest)
        if len(found) == len(FOLDS) * len(SEEDS):
            held[variant.name] = found
        else:
            missing.append({"method": variant.name, "reason": reason or f"{REFERENCE} not computed yet"})
    compared = compare_cells(held, REFERENCE if REFERENCE in held else None)
    by_name = {variant.name: variant for variant in every}
    rows = [
        {**row, "group": by_name[row["name"]].group, "settings": _settings(by_name[row["name"]])}
        for row in compared["methods"]
    ]
    return {
        "name": ABLATIONS,
        "corpus": place.corpus.name,
        **describe(place.shipped),
        "folds": list(FOLDS),
        "seeds": list(SEEDS),
        "groups": GROUPS,
        "by_seed": _by_seed(place),
        **compared,
        "methods": rows,
        "whole": _whole(place, every[1:]),
        "comparisons": compared["comparisons"] if REFERENCE in held else [],
        "missing": missing,
    }


def _by_seed(place: Ablations) -> dict[str, dict[str, float]]:
    """UAR on these folds of the planned networks of the main table, by seed: what another seed alone changes."""
    found = {}
    for method in (each for each in map(Method, PLANNED) if not each.svm):
        cells = place.finished(method, FOLDS, seeds_there(place.main_cells, method))
        if cells:
            found[method.name] = dict(summarize(method.name, cells)["uar_by_seed"])
    return found


def _whole(place: Ablations, chosen: Sequence[Variant]) -> dict[str, list[dict[str, Any]]]:
    """By group: the variants that the main table has with all folds, compared there with the same seed."""
    folds = place.corpus.folds(place.data)
    shipped = place.finished(Method("darts"), folds, SEEDS)
    found: dict[str, list[dict[str, Any]]] = {}
    for variant in (each for each in chosen if each.in_main_table and shipped):
        method = Method(variant.method)
        cells = place.finished(method, folds, SEEDS)
        if cells:
            rows = compare_with("darts", {"darts": shipped, method.name: cells})
            found.setdefault(variant.group, []).extend(rows)
    return found


def _settings(variant: Variant) -> list[str]:
    return list(variant.settings) or ([f"method {variant.method}"] if variant.name != REFERENCE else [])


def _discard(place: Ablations, corpora: Sequence[Corpus]) -> None:
    """Delete what other settings gave: with a search as shipped also what retrained its architecture."""
    gone = discard_stale(place.reference(), place.manifest)
    for variant in variants(place.shipped, list(GROUPS)):
        jobs = place.jobs(variant)
        gone += discard_stale(jobs, place.manifest)
        current = {job.cell.file(job.cells) for job in jobs}
        gone += delete(set(place.own_cells(variant).glob("*.json")) - current)
    gone += discard_stale_transfer(corpora, place.data, place.results)
    for file in gone:
        show_note(f"deleted {file}, which was computed with other settings")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    keys = ",".join([*GROUPS, TRANSFER])
    parser.add_argument("--groups", default=keys, help=f"some of {keys}")
    parser.add_argument("--summarize", action="store_true", help="compute nothing, sum up what is there")
    add_places(parser, "runs/results")
    return parser


if __name__ == "__main__":
    guarded(main)
