"""The part of a main table's section that says what architectures were found."""

from collections.abc import Mapping, Sequence

from benchmarks.evidence.operations import KINDS, shares
from benchmarks.evidence.tables import MainTable, Operations
from benchmarks.pages.markdown import markdown_table
from nni_emodarts.metrics.notation import share_text

_HEADS = ("skip connections", "pooling", "5 x 5 kernels", "LSTMs", "attention", "four layers")
_RELATIONS = {"other_seed": "another seed", "other_fold": "another fold", "both_other": "another fold and seed"}


def searched_paragraphs(table: MainTable) -> list[str]:
    """Which operations were chosen, and how far architectures agree.

    Args:
        table: the main table.
    """
    return [_operations(table.operations), _agreements(table.agreements)]


def _operations(operations: Operations) -> str:
    """What searches went for, beside uniform draws."""
    if not operations.found:
        return ""
    rows = [
        [f"`{name}`", f"{counts['cnn'] + counts['sequential']}", *_shares(shares(counts))]
        for name, counts in operations.found.items()
    ]
    rows.append(["expected of uniform draws", "", *_shares(operations.expected)])
    intro = (
        "Operations that were chosen. A collapsing search prefers those without parameters, which are skip connections "
        "(those of stride 2 are convolutions and do not count) and pooling, as shares of all operations. 5 x 5 kernels "
        "are shares of the operations of the CNN part; LSTMs with attention or without, all with attention, and stacks "
        "of four layers are shares of the sequential ones:"
    )
    return f"{intro}\n\n" + markdown_table(["", "operations", *_HEADS], rows)


def _shares(found: Mapping[str, float]) -> Sequence[str]:
    return [share_text(found[kind]) for kind in KINDS]


def _agreements(agreements: Mapping[str, Mapping[str, float | None]]) -> str:
    """Whether it is the data or the seed that decides."""
    rows = [
        [f"`{name}`", *(share_text(found[key], 1, missing="") for key in _RELATIONS)]
        for name, found in agreements.items()
    ]
    if not any(share is not None for found in agreements.values() for share in found.values()):
        return ""
    intro = (
        "How often two architectures hold the same operation on an edge that both have; those of `random_sampling` "
        "agree by chance:"
    )
    return f"{intro}\n\n" + markdown_table(["", *_RELATIONS.values()], rows)
