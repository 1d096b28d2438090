"""The files of docs/results, typed: what the evidence is summed up to, and the pages are made of."""

from typing import Any

from nni_emodarts.metrics.comparisons import Comparison
from nni_emodarts.metrics.record import Record
from nni_emodarts.metrics.summaries import MethodSummary

Settings = dict[str, dict[str, Any]]
"""Section of the configuration -> its settings."""
Environments = list[dict[str, Any]]
"""Machines and versions that cells were computed with, and how many on each."""


class Missing(Record):
    """A method that is not computed yet, or not wholly, and why."""

    method: str
    reason: str


class Described(Record):
    """The settings behind some figures."""

    preset: str
    protocol: str
    configuration: Settings


class ManifestFacts(Record):
    """A corpus's manifest: its digest, its number of utterances and its classes."""

    digest: str
    utterances: int
    classes: list[str]


class Compared(Record):
    """Methods side by side.

    Attributes:
        methods: a summary of each.
        comparisons: those that are compared, each against the reference.
        cpu_hours: of all cells.
        environments: machines and versions that the cells were computed with, and how many on each.
    """

    methods: list[MethodSummary]
    comparisons: list[Comparison]
    cpu_hours: float
    environments: Environments


class MachineCost(Record):
    """Mean CPU seconds of a method's cells on one kind of machine."""

    method: str
    machine: str
    cells: int
    search_cpu_seconds: float
    cpu_seconds: float


class SeedBudget(Record):
    """Of one seed, all folds: what random search spent and might spend, and what DARTS' searches had cost."""

    seed: int
    search_cpu_seconds: float
    budget_cpu_seconds: float
    payer_cpu_seconds: float


class Operations(Record):
    """Kinds of operations: their shares under uniform draws, and how many a method's architectures hold."""

    expected: dict[str, float]
    found: dict[str, dict[str, int]]


class Further(Record):
    """Figures of a main table beside those of each method.

    Attributes:
        untouched: the planned comparisons without the seeds by whose test figures something was chosen.
        unplanned: comparisons of the other methods.
        costs: by method and machine.
        prices: the budgets of random search by seed.
        operations: of architectures.
        agreements: method -> how far architectures of other seeds or folds agree; None where there are no such.
    """

    untouched: list[Comparison]
    unplanned: list[Comparison]
    costs: list[MachineCost]
    prices: list[SeedBudget]
    operations: Operations
    agreements: dict[str, dict[str, float | None]]


class MainTable(Record):
    """A main table: all methods on one corpus.

    Attributes:
        name: of the table and of its files.
        title: of its section in the document.
        goal: pooled UAR that the search is to reach.
        folds: how many there are.
        chosen_by: seeds by whose test figures something was chosen.
        missing: what is planned and not computed yet.

    The others are those of `Described`, `Compared` and `Further`.
    """

    name: str
    title: str
    goal: float
    preset: str
    protocol: str
    configuration: Settings
    manifest: ManifestFacts
    folds: int
    chosen_by: list[int]
    methods: list[MethodSummary]
    comparisons: list[Comparison]
    cpu_hours: float
    environments: Environments
    untouched: list[Comparison]
    unplanned: list[Comparison]
    costs: list[MachineCost]
    prices: list[SeedBudget]
    operations: Operations
    agreements: dict[str, dict[str, float | None]]
    missing: list[Missing]


class AblationRow(MethodSummary):
    """A variant's figures, its group of the table, and what it changes."""

    group: str
    settings: list[str]


class AblationTable(Record):
    """The ablations.

    Attributes:
        name: of the table.
        corpus: name of the main table whose corpus they are of.
        folds: that were computed.
        seeds: likewise.
        groups: key -> title.
        by_seed: method of the main table -> seed -> UAR on these folds.
        methods: the configuration as shipped, and the variants.
        comparisons: of each variant with the configuration as shipped.
        whole: group -> comparisons on all folds, of the variants that the main table has.
        missing: variants that are not computed yet.

    The others are those of `Described` and `Compared`.
    """

    name: str
    corpus: str
    preset: str
    protocol: str
    configuration: Settings
    folds: list[int]
    seeds: list[int]
    groups: dict[str, str]
    by_seed: dict[str, dict[str, float]]
    methods: list[AblationRow]
    comparisons: list[Comparison]
    cpu_hours: float
    environments: Environments
    whole: dict[str, list[Comparison]]
    missing: list[Missing]


class TransferRow(MethodSummary):
    """Figures of a carried architecture.

    Attributes:
        scored_on: name of the table whose corpus it was carried to.
        architecture: its id.
        file: its file beside the table.
        against_nested: compared with the searches on that corpus itself.
        against_random: compared with random draws there.
    """

    scored_on: str
    architecture: str
    file: str
    against_nested: Comparison | None = None
    against_random: Comparison | None = None


class TransferTable(Record):
    """Architectures that were carried to another corpus; `configurations` are those of each corpus."""

    name: str
    seeds: list[int]
    configurations: dict[str, Described]
    methods: list[TransferRow]
    missing: list[Missing]
    cpu_hours: float
    environments: Environments
