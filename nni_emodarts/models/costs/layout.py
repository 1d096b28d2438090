"""Which parts the networks of a space consist of, at which sizes. Nothing is built."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from nni_emodarts.config import NONE, SpaceConfig
from nni_emodarts.models.architecture import CellKind, cell_nodes, edge_label
from nni_emodarts.models.costs.maps import AlignmentPart, CnnJoin, Grid, MapOperation, StemPart
from nni_emodarts.models.costs.part import Part
from nni_emodarts.models.costs.sequences import BridgePart, ClassifierPart, PoolingPart, SeqnnJoin, SequenceOperation


@dataclass
class Layout:
    """The parts of a space's networks.

    Attributes:
        fixed: parts that every network of the space has.
        places: edge label -> the places where cells of its kind hold its operation, each (operation) -> part.
    """

    fixed: list[Part] = field(default_factory=list)
    places: dict[str, list[Callable[[str], Part]]] = field(default_factory=dict)

    def parts(self, edge: str, operation: str) -> list[Part]:
        """The parts that an operation on an edge stands for; `none` for nothing at all."""
        return [] if operation == NONE else [place(operation) for place in self.places[edge]]

    def add(self, edge: str, place: Callable[[str], Part]) -> None:
        """Note a place of an edge."""
        self.places.setdefault(edge, []).append(place)


@dataclass(frozen=True)
class _State:
    """Maps between cells."""

    channels: int
    grid: Grid


def lay_out(space: SpaceConfig, input_shape: tuple[int, int], num_classes: int, frames: int) -> Layout:
    """The parts of a space's networks.

    Args:
        space: the joint space.
        input_shape: (C, F), channels and frequency bins of the maps.
        num_classes: number of classes K.
        frames: length T of the maps.
    """
    layout = Layout()
    maps = _lay_maps(layout, space, input_shape[0], Grid(input_shape[1], frames))
    layout.fixed.append(BridgePart(maps.channels, maps.grid, space.seqnn_width))
    _lay_sequences(layout, space, maps.grid.frames)
    pooling = PoolingPart(space.pooling, space.seqnn_width, maps.grid.frames)
    layout.fixed += [pooling, ClassifierPart(pooling.out_width, num_classes)]
    return layout


def _lay_maps(layout: Layout, space: SpaceConfig, channels: int, grid: Grid) -> _State:
    """Stem and CNN cells; returns the maps that the last cell leaves."""
    stem = StemPart(grid, channels, space.cnn_channels * space.stem_multiplier, space.stem_stride)
    layout.fixed.append(stem)
    before = last = _State(stem.channels, stem.out)
    width, after_reduction = space.cnn_channels, False
    for position in range(space.cnn_cells):
        reduction = position in space.reductions
        width *= 2 if reduction else 1
        out = last.grid.strided(2 if reduction else 1)
        layout.fixed += [
            AlignmentPart(before.grid, before.channels, width, halves=after_reduction),
            AlignmentPart(last.grid, last.channels, width, halves=False),
            CnnJoin(out, width, space.cnn_nodes),
        ]
        _lay_cnn_edges(layout, space, width, last.grid, out, "reduce" if reduction else "normal")
        before, last, after_reduction = last, _State(width * space.cnn_nodes, out), reduction
    return last


def _lay_cnn_edges(layout: Layout, space: SpaceConfig, width: int, into: Grid, out: Grid, kind: CellKind) -> None:
    """Edges of one CNN cell; in a reduction those from its two inputs have stride 2."""
    for edge, state in _edges(space, kind):
        from_input = state < 2
        stride = 2 if kind == "reduce" and from_input else 1
        layout.add(edge, partial(MapOperation, into if from_input else out, channels=width, stride=stride))


def _lay_sequences(layout: Layout, space: SpaceConfig, frames: int) -> None:
    """The SeqNN cells."""
    for _ in range(space.seqnn_cells):
        layout.fixed.append(SeqnnJoin(space.seqnn_width, space.seqnn_nodes, frames))
        operation = partial(
            SequenceOperation, width=space.seqnn_width, frames=frames, normalized=space.seqnn_normalization
        )
        for edge, _state in _edges(space, "seqnn"):
            layout.add(edge, operation)


def _edges(space: SpaceConfig, kind: CellKind) -> Iterator[tuple[str, int]]:
    """Label and predecessor of every edge of a cell."""
    for node in cell_nodes(space, kind):
        for state in range(node):
            yield edge_label(kind, node, state), state
