"""Which parts the networks of a space consist of, block by block."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from nni_emodarts.config import SpaceConfig
from nni_emodarts.models.architecture import CellKind, Choice, cell_nodes, edge_label
from nni_emodarts.models.costs.part import Part
from nni_emodarts.models.costs.parts import (
    AlignmentPart,
    BridgePart,
    ClassifierPart,
    CnnJoin,
    MapOperation,
    Maps,
    PoolingPart,
    SeqnnJoin,
    SequenceOperation,
    StemPart,
)

BlockKind = Literal["stem", "bridge", "pooling", "classifier"] | CellKind


@dataclass(frozen=True)
class BlockParts:
    """The parts of a block.

    Attributes:
        kind: what the block is.
        fixed: parts that every network of the space has there; the last one leaves the block's result.
        edges: of a cell, edge label -> (operation other than `none`) -> its part.
    """

    kind: BlockKind
    fixed: tuple[Part, ...]
    edges: Mapping[str, Callable[[str], Part]] = field(default_factory=dict)

    def chosen(self, choices: Mapping[str, Choice]) -> list[Part]:
        """The parts that a network of these choices has; edges that no node takes are left out."""
        operations = (part(name) for label, part in self.edges.items() if isinstance(name := choices.get(label), str))
        return [*self.fixed, *operations]


def lay_out(space: SpaceConfig, input_shape: tuple[int, int], num_classes: int, frames: int) -> list[BlockParts]:
    """The blocks of a space's networks in the order of computation.

    Args:
        space: the joint space.
        input_shape: (C, F), channels and frequency bins of the maps.
        num_classes: number of classes K.
        frames: length T of the maps.
    """
    stem = StemPart(Maps(*input_shape, frames), space.cnn_channels * space.stem_multiplier, space.stem_stride)
    cnn_cells = list(_cnn_cells(space, Maps(*stem.out)))
    bridge = BridgePart(Maps(*cnn_cells[-1].fixed[-1].out), space.seqnn_width)
    frames, width = bridge.out
    pooling = PoolingPart(frames, width, space.pooling)
    return [
        BlockParts("stem", (stem,)),
        *cnn_cells,
        BlockParts("bridge", (bridge,)),
        *[_seqnn_cell(space, frames)] * space.seqnn_cells,
        BlockParts("pooling", (pooling,)),
        BlockParts("classifier", (ClassifierPart(pooling.out[0], num_classes),)),
    ]


def _cnn_cells(space: SpaceConfig, maps: Maps) -> Iterator[BlockParts]:
    """The CNN cells behind a stem that leaves such maps."""
    before = last = maps
    channels, halves = space.cnn_channels, False
    for position in range(space.cnn_cells):
        kind: CellKind = "reduce" if position in space.reductions else "normal"
        stride = 2 if kind == "reduce" else 1
        channels *= stride
        inputs = last._replace(channels=channels)
        nodes = inputs.strided(stride)
        join = CnnJoin(nodes, space.cnn_nodes)
        yield BlockParts(
            kind,
            (AlignmentPart(before, channels, halves), AlignmentPart(last, channels, halves=False), join),
            {
                label: partial(MapOperation, inputs, stride) if state < 2 else partial(MapOperation, nodes, 1)
                for label, state in _edges(space, kind)
            },
        )
        before, last, halves = last, Maps(*join.out), kind == "reduce"


def _seqnn_cell(space: SpaceConfig, frames: int) -> BlockParts:
    operation = partial(SequenceOperation, frames, space.seqnn_width, space.seqnn_normalization)
    join = SeqnnJoin(frames, space.seqnn_width, space.seqnn_nodes)
    return BlockParts("seqnn", (join,), {label: operation for label, _ in _edges(space, "seqnn")})


def _edges(space: SpaceConfig, kind: CellKind) -> Iterator[tuple[str, int]]:
    """Label and predecessor of every edge of a cell."""
    for node in cell_nodes(space, kind):
        for state in range(node):
            yield edge_label(kind, node, state), state
