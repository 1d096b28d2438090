"""Which parts the networks of a space consist of, block by block."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from nni_emodarts.config import Frames, HeardStream, InputShape, SpaceConfig, of_stream
from nni_emodarts.models.architecture import POOLING, CellKind, Choice, cell_nodes, edge_label
from nni_emodarts.models.costs.part import Part
from nni_emodarts.models.costs.parts import (
    AlignmentPart,
    BridgePart,
    ClassifierPart,
    CnnJoin,
    FunctionalsPart,
    MapOperation,
    Maps,
    PoolingPart,
    ProjectionPart,
    SeqnnJoin,
    SequenceOperation,
    ShortcutPart,
    StemPart,
    StreamsPart,
)
from nni_emodarts.models.levels import level_label, levels_of
from nni_emodarts.models.places import cnn_places
from nni_emodarts.models.shapes import functionals_joined, heard_shape

BlockKind = Literal["stem", "bridge", "streams", "pooling", "classifier", "shortcut", "functionals"] | CellKind


@dataclass(frozen=True)
class BlockParts:
    """The parts of a block.

    Attributes:
        kind: what the block is.
        fixed: parts that every network of the space has there; the last one leaves the block's result.
        choices: label -> (candidate other than `none`) -> its part. Of a block without fixed parts the one that is
            chosen leaves the result.
        stream: the stream on whose path it stands, where there are several paths.
    """

    kind: BlockKind
    fixed: tuple[Part, ...]
    choices: Mapping[str, Callable[[str], Part]] = field(default_factory=dict)
    stream: str | None = None

    def chosen(self, choices: Mapping[str, Choice]) -> list[Part]:
        """The parts that a network of these choices has; edges that no node takes are left out."""
        candidates = (part(name) for label, part in self.choices.items() if isinstance(name := choices.get(label), str))
        return [*self.fixed, *candidates]

    def last(self, choices: Mapping[str, Choice]) -> Part:
        """The part that leaves the block's result."""
        return self.fixed[-1] if self.fixed else self.chosen(choices)[-1]


def lay_out(
    space: SpaceConfig, input_shape: InputShape, num_classes: int, frames: Frames, heard: Sequence[str] = ()
) -> list[BlockParts]:
    """The blocks of a space's networks in the order of computation.

    Args:
        space: the joint space.
        input_shape: (C, F), channels and frequency bins of the maps; (L, D) of a pretrained stream; of several streams,
            of each that is heard.
        num_classes: number of classes K.
        frames: length T of the maps; likewise.
        heard: names of the streams that the networks hear; none of a space of one spectral stream.
    """
    joined, input_shape = functionals_joined(space, input_shape), heard_shape(space, input_shape)
    heard_ones = [stream for stream in space.hears if stream.name in heard]
    streams: list[HeardStream | None] = [*heard_ones] or [None]
    paths = [_path(space, stream, input_shape, frames) for stream in streams]
    blocks = paths[0]
    left = [path[-1].fixed[-1].out[0] for path in paths]
    if len(paths) > 1:
        named = zip(heard_ones, paths, strict=True)
        blocks = [replace(block, stream=stream.name) for stream, path in named for block in path]
        blocks.append(BlockParts("streams", (StreamsPart(tuple(left), space.seqnn_width),)))
    return [
        *blocks,
        *[_seqnn_cell(space, min(left))] * space.seqnn_cells,
        *_head(space, min(left), num_classes),
        *[_shortcut(stream, input_shape, frames, num_classes) for stream in streams if space.shortcut],
        *([BlockParts("functionals", (FunctionalsPart(joined, num_classes),))] if joined else []),
    ]


def _path(space: SpaceConfig, stream: HeardStream | None, input_shape: InputShape, frames: Frames) -> list[BlockParts]:
    """The blocks from a stream's maps to its sequence."""
    name, time_only = ("", False) if stream is None else (stream.name, stream.is_pretrained)
    shape, length = of_stream(input_shape, name), of_stream(frames, name)
    channels = space.cnn_channels * space.stem_multiplier
    if time_only:
        project = partial(_projection, Maps(shape[1], 1, length), channels)
        stem, left = BlockParts("stem", (), {level_label(name): project}), project().out
    else:
        first = StemPart(Maps(*shape, length), channels, space.stem_stride)
        stem, left = BlockParts("stem", (first,)), first.out
    cnn_cells = list(_cnn_cells(space, Maps(*left), time_only))
    bridge = BridgePart(Maps(*cnn_cells[-1].fixed[-1].out), space.seqnn_width)
    return [stem, *cnn_cells, BlockParts("bridge", (bridge,))]


def _shortcut(stream: HeardStream | None, input_shape: InputShape, frames: Frames, num_classes: int) -> BlockParts:
    """What stands beside the cells of a stream."""
    name, pretrained = ("", False) if stream is None else (stream.name, stream.is_pretrained)
    shape, length = of_stream(input_shape, name), of_stream(frames, name)
    if not pretrained:
        return BlockParts("shortcut", (ShortcutPart(Maps(*shape, length), num_classes),))

    def classify(option: str) -> Part:
        return ShortcutPart(Maps(len(levels_of(option)) * shape[1], 1, length), num_classes)

    return BlockParts("shortcut", (), {level_label(name): classify})


def _projection(level: Maps, channels: int, option: str = "0") -> Part:
    """What maps a choice of levels, each of which has such maps, to channels."""
    return ProjectionPart(Maps(len(levels_of(option)) * level.channels, level.bins, level.frames), channels)


def _head(space: SpaceConfig, frames: int, num_classes: int) -> list[BlockParts]:
    """Pooling and classifier."""

    def pool(name: str) -> Part:
        return PoolingPart(frames, space.seqnn_width, name)

    def classify(name: str) -> Part:
        return ClassifierPart(pool(name).out[0], num_classes)

    if space.poolings:
        return [BlockParts("pooling", (), {POOLING: pool}), BlockParts("classifier", (), {POOLING: classify})]
    fixed = space.pooling
    return [BlockParts("pooling", (pool(fixed),)), BlockParts("classifier", (classify(fixed),))]


def _cnn_cells(space: SpaceConfig, maps: Maps, time_only: bool) -> Iterator[BlockParts]:
    """The CNN cells behind a stem that leaves such maps."""
    before = last = maps
    for place in cnn_places(space):
        kind: CellKind = "reduce" if place.reduction else "normal"
        stride = 2 if place.reduction else 1
        inputs = last._replace(channels=place.channels)
        nodes = inputs.strided(stride)
        join = CnnJoin(nodes, space.cnn_nodes)
        first = AlignmentPart(before, place.channels, place.after_reduction, time_only)
        yield BlockParts(
            kind,
            (first, AlignmentPart(last, place.channels, False, time_only), join),
            {
                label: partial(MapOperation, *((inputs, stride) if state < 2 else (nodes, 1)), time_only)
                for label, state in _edges(space, kind)
            },
        )
        before, last = last, Maps(*join.out)


def _seqnn_cell(space: SpaceConfig, frames: int) -> BlockParts:
    operation = partial(SequenceOperation, frames, space.seqnn_width, space.seqnn_normalization)
    join = SeqnnJoin(frames, space.seqnn_width, space.seqnn_nodes)
    return BlockParts("seqnn", (join,), {label: operation for label, _ in _edges(space, "seqnn")})


def _edges(space: SpaceConfig, kind: CellKind) -> Iterator[tuple[str, int]]:
    """Label and predecessor of every edge of a cell."""
    for node in cell_nodes(space, kind):
        for state in range(node):
            yield edge_label(kind, node, state), state
