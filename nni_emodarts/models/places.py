"""Where CNN cells stand in a network, and how wide they are there."""

from collections.abc import Iterator
from dataclasses import dataclass

from nni_emodarts.config import SpaceConfig


@dataclass(frozen=True)
class CnnPlace:
    """Where a CNN cell stands in a network.

    Attributes:
        before: channels of the output of the cell before the last.
        last: channels of the output of the last cell.
        channels: channels of each node.
        reduction: whether edges from the cell's inputs have stride 2.
        after_reduction: whether the last cell was a reduction, so that the first input is twice as large.
    """

    before: int
    last: int
    channels: int
    reduction: bool
    after_reduction: bool


def cnn_places(space: SpaceConfig) -> Iterator[CnnPlace]:
    """The places of a space's CNN cells, one after the other."""
    before = last = space.cnn_channels * space.stem_multiplier
    channels, after_reduction = space.cnn_channels, False
    for position in range(space.cnn_cells):
        reduction = position in space.reductions
        channels *= 2 if reduction else 1
        yield CnnPlace(before, last, channels, reduction, after_reduction)
        before, last, after_reduction = last, channels * space.cnn_nodes, reduction
