"""The NAS checklist (Lindauer & Hutter 2020, JMLR 21), answered by what is computed, never ahead of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.evidence.tables import AblationTable, MainTable, TransferTable
from benchmarks.pages.wording import find_method, numbers_text, seeds_text
from nni_emodarts.metrics.summaries import MethodSummary

_ENOUGH_CANDIDATES = 10  # the best of fewer is nearly an average network


@dataclass(frozen=True)
class Evidence:
    """All that is computed.

    Attributes:
        tables: the main tables.
        ablations: None where not computed.
        transfer: likewise.
        notes: what no computation knows.
    """

    tables: list[MainTable] = field(default_factory=list)
    ablations: AblationTable | None = None
    transfer: TransferTable | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    def having(self, *methods: str) -> list[str]:
        """The main tables that hold all of these methods, and the seeds that they have in common."""
        found = []
        for table in self.tables:
            seeds = {method.name: set(method.seeds) for method in table.methods}
            shared = set.intersection(*(seeds.get(name, set()) for name in methods))
            if shared:
                found.append(f"{table.name} ({seeds_text(sorted(shared))})")
        return found

    def rows(self, name: str) -> list[tuple[str, MethodSummary]]:
        """A method's row in each main table that holds it, beside the table's name."""
        found = [(table.name, find_method(table.methods, name)) for table in self.tables]
        return [(table, row) for table, row in found if row is not None]


@dataclass(frozen=True)
class Item:
    """A question of the list, and how to answer it."""

    question: str
    answer: Callable[[Evidence], str]


def _always(text: str) -> Callable[[Evidence], str]:
    return lambda evidence: text


def _where(methods: tuple[str, ...], text: str) -> Callable[[Evidence], str]:
    """An answer that holds on those corpora where all of these methods are computed."""

    def answer(evidence: Evidence) -> str:
        names = evidence.having(*methods)
        return f"{text} Computed on: {', '.join(names)}." if names else f"Not yet: {', '.join(methods)} to be computed."

    return answer


def _ablations(evidence: Evidence) -> str:
    table = evidence.ablations
    if table is None or len(table.methods) < 2:
        return "Not yet: `python -m benchmarks.evidence.ablations`."
    groups = [title for key, title in table.groups.items() if any(row.group == key for row in table.methods)]
    missing = len(table.missing)
    more = f" ({missing} more are not computed yet)" if missing else ""
    folds = len(table.folds)
    return (
        f"In part{more}: {len(table.methods) - 1} variants, on {folds} folds and one seed alone: {'; '.join(groups)}."
    )


def _runs(evidence: Evidence) -> str:
    if not evidence.having("darts"):
        return "Not yet: `darts` to be computed."
    found = [f"{name}: {numbers_text(row.seeds)}" for name, row in evidence.rows("darts")]
    return f"Seeds of search and retraining: {'; '.join(found)}. Each seed covers all folds."


def _same_machine(evidence: Evidence) -> str:
    kinds = {
        json.dumps({key: value for key, value in each.items() if key != "cells"}, sort_keys=True)
        for table in evidence.tables
        for each in table.environments
    }
    text = "Cost is counted in CPU seconds of processes with a fixed number of threads; versions are in the cells."
    if len(kinds) > 1:
        return f"In part: cells were computed in {len(kinds)} environments, listed below by table. {text}"
    return f"Yes, one kind of processor and one set of versions. {text}"


def _tuning(evidence: Evidence) -> str:
    tried = evidence.notes.get("recipe_variants") or {}
    known = {name: count for name, count in tried.items() if count is not None}
    if not known:
        return "Not yet: the number of variants of the recipe that were tried is to be stated."
    counts = ", ".join(f"{count} on {name}" for name, count in known.items())
    text = f"In part: by hand, {counts}, one recipe for both; how, and what it saw, stands under *The recipe*."
    return f"{text} What they cost was not recorded."


def _random_search(evidence: Evidence) -> str:
    names = evidence.having("darts", "random_search")
    if not names:
        return "Not yet: darts, random_search to be computed."
    candidates = [row.candidates or 0.0 for _, row in evidence.rows("random_search")]
    answer = "Yes" if min(candidates) >= _ENOUGH_CANDIDATES else "In part"
    means = ", ".join(f"{mean:.1f}" for mean in candidates)
    text = f"{means} candidates a search, trained shortly, the last of them beyond the CPU seconds of DARTS on its fold"
    return f"{answer}: {text}; uniform draws besides. Computed on: {', '.join(names)}."


def _cost(evidence: Evidence) -> str:
    names = evidence.having("darts")
    apart = "stands under *Cost*" if evidence.notes.get("extraction") else "is not counted"
    return (
        "In part: CPU seconds of search and retraining together stand beside those of the search "
        f"({', '.join(names)}). The extraction of features {apart}; what the search for the recipe cost is not known."
        if names
        else "Not yet: `darts` to be computed. The tables count search and retraining together."
    )


CHECKLIST = (
    Item(
        "Code of the training pipeline that evaluates the final architectures?",
        _always("Yes, `nni_emodarts/training/retrain/`, one for every network."),
    ),
    Item("Code of the search space?", _always("Yes, `nni_emodarts/models/space/`; sizes in [space.md](space.md).")),
    Item(
        "Hyperparameters and seeds of the final evaluation?",
        _always("Yes, the settings above; each cell under `results/cells` holds seed and digest of its settings."),
    ),
    Item(
        "Code of the NAS method?",
        _always("Yes, `nni_emodarts/search/one_shot/` and `nni_emodarts/benchmark/random_search.py`."),
    ),
    Item("Hyperparameters and seeds of the NAS method?", _always("Yes, likewise (section `search`).")),
    Item(
        "All NAS methods on the same data, split, space and training code?",
        _where(("darts", "random_search", "random_sampling"), "Yes, the same folds, space, features and recipe."),
    ),
    Item("Confounding factors controlled (hardware, versions, runtimes)?", _same_machine),
    Item("Ablation studies?", _ablations),
    Item(
        "The same evaluation protocol for all methods?",
        _always(
            "Yes: one recipe, which says what epoch is scored; a cell reads its test part once, but test folds were "
            "read under earlier recipes, too (*The recipe*). No hyperparameter of the SVMs is selected."
        ),
    ),
    Item(
        "Performance over time compared?",
        _always("No: random search is given one budget, the cost of the DARTS search; nothing is compared on the way."),
    ),
    Item("Compared with random search?", _random_search),
    Item("Several runs, seeds reported?", _runs),
    Item(
        "Tabular or surrogate benchmarks for in-depth evaluation?",
        _always("No: there is none for spaces that join convolutions and recurrences on speech."),
    ),
    Item("How hyperparameters were tuned, and at what cost?", _tuning),
    Item("Time of the entire end-to-end method?", _cost),
    Item(
        "All details of the experimental setup?",
        _always(
            "Yes: settings, protocols, seeds, hardware, versions on this page; test speakers of each fold in the "
            "cells, the others follow from the protocol."
        ),
    ),
)
"""Questions in the order of the paper's three parts: releasing code, comparing methods, reporting details."""
