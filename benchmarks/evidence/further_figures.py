"""What a main table says beyond each method's figures: further comparisons, costs by machine, and what was searched."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from benchmarks.evidence.agreement import agreements, choices_of
from benchmarks.evidence.operations import count_operations, expected_shares
from benchmarks.evidence.tables import Further, MachineCost, Operations, SeedBudget
from nni_emodarts.config import SpaceConfig
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.comparisons import FIRST_CHOICE, Comparison, compare_with
from nni_emodarts.models.baselines.svm import SVMS

Held = Mapping[str, Sequence[FinishedCell]]
"""Name -> cells of each method."""


def further_figures(held: Held, planned: Sequence[str], chosen_by: Sequence[int], space: SpaceConfig) -> Further:
    """Figures of a main table's cells beside those of each method.

    Args:
        held: name -> cells of each method.
        planned: the methods that the main comparisons are of.
        chosen_by: seeds whose test figures something was chosen by.
        space: where architectures come from.
    """
    architectures = {name: cells for name, cells in held.items() if cells[0].architecture is not None}
    return Further(
        untouched=_compared({name: _other_seeds(name, held[name], chosen_by) for name in held if name in planned}),
        unplanned=_compared({name: held[name] for name in held if name not in planned or name == FIRST_CHOICE}),
        costs=[cost for name, cells in held.items() for cost in _costs(name, cells)],
        prices=_budgets(held.get("random_search", ())),
        operations=Operations(
            expected=expected_shares(space), found={name: _count(cells) for name, cells in architectures.items()}
        ),
        agreements={name: agreements(cells) for name, cells in architectures.items()},
    )


def _compared(held: Held) -> list[Comparison]:
    """All of the methods that have cells against DARTS; p is adjusted among these alone."""
    there = {name: cells for name, cells in held.items() if cells}
    return compare_with(FIRST_CHOICE, there, [*SVMS]) if FIRST_CHOICE in there else []


def _other_seeds(name: str, cells: Sequence[FinishedCell], chosen_by: Sequence[int]) -> list[FinishedCell]:
    """Cells of other seeds; of an SVM, which has none to choose by, all."""
    return [cell for cell in cells if name in SVMS or cell.seed not in chosen_by]


def _costs(name: str, cells: Sequence[FinishedCell]) -> list[MachineCost]:
    """Mean CPU seconds of a cell on each kind of machine: those of one are not those of another."""
    by_machine: dict[str, list[FinishedCell]] = {}
    for cell in cells:
        by_machine.setdefault(_machine(cell.environment), []).append(cell)
    return [
        MachineCost(
            method=name,
            machine=machine,
            cells=len(some),
            search_cpu_seconds=round(mean(cell.search_cpu_seconds for cell in some), 1),
            cpu_seconds=round(mean(cell.cpu_seconds for cell in some), 1),
        )
        for machine, some in sorted(by_machine.items())
    ]


def _machine(environment: Mapping[str, Any]) -> str:
    """What CPU seconds depend on."""
    device = environment.get("accelerator") or environment["device"]
    return f"{environment['processor']}" + ("" if device == "cpu" else f" with {device}")


def _budgets(cells: Sequence[FinishedCell]) -> list[SeedBudget]:
    """What random search spent, what it might, and what DARTS' searches had cost where they ran: by seed, all folds."""
    return [
        SeedBudget(
            seed=seed,
            search_cpu_seconds=round(sum(cell.search_cpu_seconds for cell in cells if cell.seed == seed), 1),
            budget_cpu_seconds=round(sum(cell.budget_cpu_seconds or 0.0 for cell in cells if cell.seed == seed), 1),
            payer_cpu_seconds=round(sum(cell.payer_cpu_seconds or 0.0 for cell in cells if cell.seed == seed), 1),
        )
        for seed in sorted({cell.seed for cell in cells})
    ]


def _count(cells: Sequence[FinishedCell]) -> dict[str, int]:
    return count_operations(choices_of(cell) for cell in cells)
