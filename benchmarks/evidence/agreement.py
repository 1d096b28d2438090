"""How far architectures agree that were found with another seed, or on another fold: what a search decides by."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import mean
from typing import Any

from nni_emodarts.metrics.cells import FinishedCell


def agreements(cells: Sequence[FinishedCell]) -> dict[str, float | None]:
    """Of the edges that two architectures have in common, the share on which they hold the same operation.

    Args:
        cells: of one method, each with its `architecture`.

    Returns:
        The mean over all pairs of cells of another seed and the same fold, of another fold and the same seed, and of
        both others; None where there is no such pair.
    """
    found: dict[str, list[float]] = {"other_seed": [], "other_fold": [], "both_other": []}
    for one, two in combinations(cells, 2):
        share = _same(_operations(one), _operations(two))
        if share is not None:
            found[_relation(one, two)].append(share)
    return {relation: mean(values) if values else None for relation, values in found.items()}


def _relation(one: FinishedCell, two: FinishedCell) -> str:
    if one.fold == two.fold:
        return "other_seed"
    return "other_fold" if one.seed == two.seed else "both_other"


def choices_of(cell: FinishedCell) -> Mapping[str, Any]:
    """Choices of a cell's architecture; none where it has no architecture."""
    return dict(cell.architecture["choices"]) if cell.architecture is not None else {}


def _operations(cell: FinishedCell) -> dict[str, str]:
    return {label: chosen for label, chosen in choices_of(cell).items() if isinstance(chosen, str)}


def _same(one: Mapping[str, str], two: Mapping[str, str]) -> float | None:
    """Share of the common edges with equal operations; None where no edge is common."""
    common = one.keys() & two.keys()
    return sum(one[label] == two[label] for label in common) / len(common) if common else None
