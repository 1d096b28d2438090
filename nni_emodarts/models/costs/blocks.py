"""The network of an architecture, block by block: what each leaves and what it costs."""

from dataclasses import dataclass

from nni_emodarts.config import Frames, InputShape
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.costs.layout import BlockKind, lay_out


@dataclass(frozen=True)
class Block:
    """A block of a network.

    Attributes:
        kind: what it is.
        out: shape of what it leaves for one utterance: maps (C, F, T), a sequence (T, D), or a vector (D,).
        parameters: its trainable numbers.
        flops: FLOPs of one pass; `Part` says what counts.
        stream: the stream on whose path it stands, where the network hears several.
    """

    kind: BlockKind
    out: tuple[int, ...]
    parameters: int
    flops: int
    stream: str | None = None


def network_blocks(
    architecture: Architecture,
    frames: Frames,
    num_classes: int | None = None,
    input_shape: InputShape | None = None,
) -> list[Block]:
    """The blocks of a network in the order of computation; their costs add up to `architecture_cost`.

    Args:
        architecture: what a search chose.
        frames: length T of the utterance; of several streams, in each.
        num_classes: number of classes K; the architecture's own where absent.
        input_shape: of the maps; the architecture's own where absent.
    """
    shape, classes = input_shape or architecture.input_shape, num_classes or architecture.num_classes
    found: list[Block] = []
    for block in lay_out(architecture.space, shape, classes, frames, architecture.heard):
        parts = block.chosen(architecture.choices)
        parameters, flops = sum(part.parameters for part in parts), sum(part.flops for part in parts)
        found.append(Block(block.kind, block.last(architecture.choices).out, parameters, flops, block.stream))
    return found
