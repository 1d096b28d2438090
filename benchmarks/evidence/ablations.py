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

from benchmarks.evidence.ablation_table import GROUPS, REFERENCE, Variant, variants
from benchmarks.evidence.evidence import (
    CORPORA,
    PLANNED,
    Corpus,
    Job,
    Places,
    compare_cells,
    describe,
    discard_stale,
    finished_cells,
    jobs_of,
    look_up,
    write_json,
    write_record,
)
from benchmarks.evidence.results import add_places, guarded, note_damaged, pick, places_of
from benchmarks.evidence.tables import AblationRow, AblationTable, Missing
from benchmarks.evidence.transfer import TRANSFER, discard_stale_transfer, transfer
from benchmarks.pages.results_document import ABLATIONS, write_document
from nni_emodarts.benchmark import Cell, Method, Plan, benchmark, cell_table
from nni_emodarts.cli.console import show_note
from nni_emodarts.config import ExperimentConfig, lay_over, validate
from nni_emodarts.data.corpus import load_manifest
from nni_emodarts.errors import CellError
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.comparisons import Comparison, compare_with
from nni_emodarts.metrics.summaries import MethodSummary, summarize
from nni_emodarts.runtime.cell_table import CellTable
from nni_emodarts.runtime.environment import threads_each
from nni_emodarts.runtime.processes import start_pool, threads_of_others
from nni_emodarts.runtime.yaml_reading import parse_yaml

FOLDS = (0, 1, 2)
SEEDS = (1,)


@dataclass(frozen=True)
class Ablations:
    """The ablations of a corpus, and what they start from.

    Attributes:
        corpus: the corpus.
        places: where things are.
    """

    corpus: Corpus
    places: Places

    @property
    def shipped(self) -> ExperimentConfig:
        """The configuration that a variant changes."""
        return self.corpus.config(self.places.data)

    @property
    def runs(self) -> Path:
        """Folder of the run folders behind."""
        return self.places.runs / ABLATIONS

    @property
    def main_table(self) -> CellTable[FinishedCell]:
        """The main table's cells."""
        return cell_table(self.places.results, self.corpus.name)

    @cached_property
    def manifest(self) -> str:
        """Digest of the corpus's manifest."""
        return load_manifest(self.shipped).digest

    def reference(self) -> list[Job]:
        """The cells as shipped: those of the main table."""
        return jobs_of(self.shipped, Method("darts"), FOLDS, SEEDS, self.main_table)

    def finished(self, method: Method, folds: Sequence[int], seeds: Sequence[int]) -> list[FinishedCell]:
        """The main table's cells of a method, of those seeds whose folds are all there."""
        return finished_cells(jobs_of(self.shipped, method, folds, seeds, self.main_table), self.manifest)[0]

    def own_cells(self, variant: Variant) -> CellTable[FinishedCell]:
        """A variant's cells, where they are none of the main table."""
        file = cell_table(self.places.results, ABLATIONS).file
        return CellTable(file, FinishedCell.from_data, variant.name)

    def jobs(self, variant: Variant) -> list[Job]:
        """A variant's cells; of one that only retrains those whose architecture was found by the search as shipped."""
        config = lay_over(self.shipped, variant.settings)
        table = self.main_table if variant.in_main_table else self.own_cells(variant)
        if not variant.retrained:
            return jobs_of(config, Method(variant.method), FOLDS, SEEDS, table)
        searched = [each.figures for each in look_up(self.reference(), self.manifest) if each.figures is not None]
        return [
            Job(config, Cell(Method("darts", self._architecture(cell)), cell.fold, cell.seed), table)
            for cell in searched
        ]

    def _architecture(self, cell: FinishedCell) -> str:
        """The file of the architecture that a cell of the main table found."""
        file = self.runs / "architectures" / f"fold_{cell.fold:02d}-seed_{cell.seed}.json"
        write_json(file, cell.architecture or {})
        return str(file)


def main(words: Sequence[str] | None = None, corpora: Sequence[Corpus] = CORPORA) -> None:
    """Compute what is missing, then write summaries and document.

    Args:
        words: the command line's words; its own where absent.
        corpora: the corpora that there are; ablations are of the first.
    """
    arguments = _parser().parse_args(words)
    places = places_of(arguments)
    groups = pick("groups", arguments.groups, [*GROUPS, TRANSFER])
    place = Ablations(corpora[0], places)
    chosen = list(variants(place.shipped, groups))
    if arguments.discard_stale:
        _discard(place, corpora)
    if arguments.summarize:
        note_damaged(cell_table(places.results, ABLATIONS))
    elif chosen:
        compute([(job, place.runs / REFERENCE) for job in place.reference()], arguments.workers)
        compute([(job, place.runs / each.name) for each in chosen for job in place.jobs(each)], arguments.workers)
    write_record(places.results / f"{ABLATIONS}.json", summary(place))
    if TRANSFER in groups:
        transfer(corpora, places, arguments.workers, arguments.summarize)
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
    digest = load_manifest(jobs[0][0].config).digest
    found = look_up([job for job, _ in jobs], digest)
    work = [
        (job.config.to_yaml(), job.cell, job.table, runs)
        for (job, runs), each in zip(jobs, found, strict=True)
        if each.figures is None
    ]
    if workers == 1 or len(work) < 2:
        failures = [_compute(*each) for each in work]
    else:
        with threads_of_others(threads_each(workers)), start_pool(workers) as pool:
            failures = [done.result() for done in as_completed([pool.submit(_compute, *each) for each in work])]
    if any(failures):
        raise CellError("\n".join(failure for failure in failures if failure))


def _compute(text: str, cell: Cell, table: CellTable[FinishedCell], runs: Path) -> str:
    """Compute a cell; why that failed, where it did."""
    name = table.variant or table.file.stem

    def tell(number: int, count: int, figures: FinishedCell) -> None:
        where = f"{name}: {figures.method} fold {figures.fold} seed {figures.seed}"
        show_note(f"{where}: {figures.cpu_seconds:.0f} CPU seconds")

    plan = Plan(validate(parse_yaml(text)), [cell.method], [cell.fold], [cell.seed])
    try:
        benchmark(plan, table, runs, tell=tell, note=show_note)
    except CellError as error:
        return f"{name}: {error}"
    return ""


def summary(place: Ablations) -> AblationTable:
    """The finished variants of all groups beside the configuration as shipped; the others are said to be missing."""
    every = [Variant(REFERENCE, "reference"), *variants(place.shipped, list(GROUPS))]
    held, missing = {}, []
    for variant in every:
        jobs = place.reference() if variant.name == REFERENCE else place.jobs(variant)
        found, reason = finished_cells(jobs, place.manifest)
        if len(found) == len(FOLDS) * len(SEEDS):
            held[variant.name] = found
        else:
            missing.append(Missing(method=variant.name, reason=reason or f"{REFERENCE} not computed yet"))
    compared = compare_cells(held, REFERENCE if REFERENCE in held else None)
    by_name = {variant.name: variant for variant in every}
    return AblationTable(
        name=ABLATIONS,
        corpus=place.corpus.name,
        **dict(describe(place.shipped)),
        folds=list(FOLDS),
        seeds=list(SEEDS),
        groups=GROUPS,
        by_seed=_by_seed(place),
        methods=[_row(row, by_name[row.name]) for row in compared.methods],
        comparisons=compared.comparisons if REFERENCE in held else [],
        cpu_hours=compared.cpu_hours,
        environments=compared.environments,
        whole=_whole(place, every[1:]),
        missing=missing,
    )


def _row(row: MethodSummary, variant: Variant) -> AblationRow:
    return AblationRow.from_data({**row.to_data(), "group": variant.group, "settings": _settings(variant)})


def _by_seed(place: Ablations) -> dict[str, dict[str, float]]:
    """UAR on these folds of the planned networks of the main table, by seed: what another seed alone changes."""
    found, there = {}, place.main_table.read()
    for method in (each for each in map(Method, PLANNED) if not each.svm):
        cells = place.finished(method, FOLDS, there.seeds(method.name))
        if cells:
            found[method.name] = summarize(method.name, cells).uar_by_seed
    return found


def _whole(place: Ablations, chosen: Sequence[Variant]) -> dict[str, list[Comparison]]:
    """By group: the variants that the main table has with all folds, compared there with the same seed."""
    folds = place.corpus.folds(place.places.data)
    shipped = place.finished(Method("darts"), folds, SEEDS)
    found: dict[str, list[Comparison]] = {}
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
        jobs, own = place.jobs(variant), place.own_cells(variant)
        gone += discard_stale(jobs, place.manifest)
        gone += own.drop(own.read().cells.keys() - {job.cell.key for job in jobs})
    gone += discard_stale_transfer(corpora, place.places)
    for text in gone:
        show_note(f"deleted {text}, which was computed with other settings")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    keys = ",".join([*GROUPS, TRANSFER])
    parser.add_argument("--groups", default=keys, help=f"some of {keys}")
    parser.add_argument("--summarize", action="store_true", help="compute nothing, sum up what is there")
    add_places(parser, "runs/results")
    return parser


if __name__ == "__main__":
    guarded(main)
