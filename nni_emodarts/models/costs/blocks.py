"""The network of an architecture, block by block: what each leaves and what it costs. Nothing is built."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from nni_emodarts.models.architecture import Architecture, CellKind
from nni_emodarts.models.costs.layout import Layout, lay_out
from nni_emodarts.models.costs.maps import CnnJoin, StemPart
from nni_emodarts.models.costs.part import Part
from nni_emodarts.models.costs.sequences import BridgePart, ClassifierPart, PoolingPart, SeqnnJoin

BlockKind = Literal["stem", "normal", "reduce", "bridge", "seqnn", "pooling", "classifier"]


@dataclass(frozen=True)
class Block:
    """A block of a network.

    Attributes:
        kind: what it is.
        out: shape of what it leaves for one utterance: maps (C, F, T), a sequence (T, D), or a vector (D,).
        parameters: its trainable numbers.
        flops: FLOPs of one pass; `Part` says what counts.
    """

    kind: BlockKind
    out: tuple[int, ...]
    parameters: int
    flops: int


def network_blocks(
    architecture: Architecture,
    frames: int,
    num_classes: int | None = None,
    input_shape: tuple[int, int] | None = None,
) -> list[Block]:
    """The blocks of a network in the order of computation; their costs add up to `architecture_cost`.

    Args:
        architecture: what a search chose.
        frames: length T of the utterance.
        num_classes: number of classes K; the architecture's own where absent.
        input_shape: (C, F) of the maps; the architecture's own where absent.
    """
    space = architecture.space
    layout = lay_out(space, input_shape or architecture.input_shape, num_classes or architecture.num_classes, frames)
    found: list[Block] = []
    waiting: list[Part] = []  # alignments come before the join of their cell
    counts: dict[CellKind, int] = {"normal": 0, "reduce": 0, "seqnn": 0}
    for part in layout.fixed:
        waiting.append(part)
        kind = _kind(part, space.reductions, counts)
        if kind is None:
            continue
        if kind in ("normal", "reduce", "seqnn"):
            waiting += _operations(layout, architecture, kind, counts[kind])  # type: ignore[index, arg-type]
            counts[kind] += 1  # type: ignore[index]
        found.append(Block(kind, _out(part), *_sums(waiting)))
        waiting = []
    return found


def _kind(part: Part, reductions: Iterable[int], counts: dict[CellKind, int]) -> BlockKind | None:
    """The block that a part ends; None where it does not end any."""
    if isinstance(part, CnnJoin):
        return "reduce" if counts["normal"] + counts["reduce"] in reductions else "normal"
    kinds: dict[type[Part], BlockKind] = {
        StemPart: "stem",
        BridgePart: "bridge",
        SeqnnJoin: "seqnn",
        PoolingPart: "pooling",
        ClassifierPart: "classifier",
    }
    return kinds.get(type(part))


def _operations(layout: Layout, architecture: Architecture, kind: CellKind, number: int) -> Iterator[Part]:
    """Operations on the edges of the cell that comes `number`-th of its kind."""
    for label, choice in architecture.choices.items():
        if isinstance(choice, str) and label.startswith(f"{kind}_"):
            yield layout.places[label][number](choice)


def _out(part: Part) -> tuple[int, ...]:
    match part:
        case StemPart():
            return part.channels, part.out.bins, part.out.frames
        case CnnJoin():
            return part.channels * part.nodes, part.out.bins, part.out.frames
        case BridgePart():
            return part.grid.frames, part.width
        case SeqnnJoin():
            return part.frames, part.width
        case PoolingPart():
            return (part.out_width,)
        case ClassifierPart():
            return (part.num_classes,)
    raise TypeError(f"{part} leaves no block's result")  # pragma: no cover - a part that layout does not have


def _sums(parts: list[Part]) -> tuple[int, int]:
    return sum(part.parameters for part in parts), sum(part.flops for part in parts)
