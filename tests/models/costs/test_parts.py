"""What is counted in the modules of parts, against formulas."""

import dataclasses
import itertools
from collections.abc import Iterator

import formulas
import pytest
import torch
from drawn_networks import some_architecture
from torch import Tensor, nn

from nni_emodarts.config import CNN_PRIMITIVES, SEQNN_PRIMITIVES
from nni_emodarts.models.costs import architecture_cost, network_blocks
from nni_emodarts.models.costs.layout import lay_out
from nni_emodarts.models.costs.part import Part
from nni_emodarts.models.costs.parts import (
    AlignmentPart,
    BridgePart,
    ClassifierPart,
    CnnJoin,
    MapOperation,
    Maps,
    PoolingPart,
    ProjectionPart,
    SeqnnJoin,
    SequenceOperation,
    StemPart,
)
from nni_emodarts.models.nn.temporal_pooling import POOLINGS

SIZES = (Maps(1, 1, 1), Maps(3, 7, 5), Maps(4, 8, 6), Maps(5, 2, 31))


def map_parts(maps: Maps) -> Iterator[Part]:
    for channels in (1, 2, 7):
        yield from (StemPart(maps, channels, stride) for stride in (1, 2))
        yield from (AlignmentPart(maps, channels, halves) for halves in (False, True))
        yield BridgePart(maps, channels)
        yield CnnJoin(maps, channels)
    for name, stride in itertools.product(CNN_PRIMITIVES, (1, 2)):
        if name != "none":
            yield MapOperation(maps, stride, False, name)


def parts_over_time(maps: Maps) -> Iterator[Part]:
    for channels in (1, 2, 7):
        yield ProjectionPart(maps, channels)
        yield from (AlignmentPart(maps, channels, halves, True) for halves in (False, True))
    for name, stride in itertools.product(CNN_PRIMITIVES, (1, 2)):
        if name != "none":
            yield MapOperation(maps, stride, True, name)


def sequence_parts(frames: int, width: int) -> Iterator[Part]:
    for name, normalized in itertools.product((*SEQNN_PRIMITIVES, "lstm_att_3", "rnn_7"), (False, True)):
        if name != "none":
            yield SequenceOperation(frames, width, normalized, name)
    yield from (PoolingPart(frames, width, kind) for kind in POOLINGS)
    yield from (SeqnnJoin(frames, width, nodes) for nodes in (1, 3))
    yield from (ClassifierPart(width, classes) for classes in (2, 7))


PARTS = [
    *(part for maps in (Maps(3, 1, 1), Maps(4, 1, 7)) for part in parts_over_time(maps)),
    *(part for maps in SIZES for part in map_parts(maps)),
    *(part for frames, width in ((1, 1), (5, 6), (31, 3)) for part in sequence_parts(frames, width)),
]


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_a_part_costs_what_its_formula_says(part: Part) -> None:
    assert part.parameters == formulas.parameters(part)
    assert part.flops == formulas.flops(part)
    assert part.out == formulas.out(part)


@pytest.mark.parametrize("part", [PARTS[number] for number in range(0, len(PARTS), 7)], ids=str)
def test_a_part_leaves_the_shape_that_was_counted(part: Part) -> None:
    assert part.build().eval()(*part.inputs()).shape == (1, *part.out)


@pytest.mark.parametrize("seed", range(12))
def test_a_network_costs_what_the_formulas_of_its_parts_say(seed: int) -> None:
    drawn = some_architecture(seed)
    blocks = lay_out(drawn.space, drawn.input_shape, drawn.num_classes, 1 + seed)
    parts = [block.chosen(drawn.choices) for block in blocks]
    assert architecture_cost(drawn, "parameters", 1 + seed) == sum(
        formulas.parameters(part) for part in itertools.chain(*parts)
    )
    assert architecture_cost(drawn, "flops", 1 + seed) == sum(formulas.flops(part) for part in itertools.chain(*parts))
    for block, found in zip(network_blocks(drawn, 1 + seed), parts, strict=True):
        assert block.parameters == sum(map(formulas.parameters, found))
        assert block.flops == sum(map(formulas.flops, found))


def test_joins_do_what_cells_do() -> None:
    maps = torch.randn(2, 1, 5, 3, 4)
    joined = CnnJoin(Maps(5, 3, 4), 2).build()(*maps)
    torch.testing.assert_close(joined, torch.cat([2 * maps[0], 2 * maps[1]], 1))
    sequences = torch.randn(3, 1, 4, 5)
    joined = SeqnnJoin(4, 5, 3).build()(*sequences)
    torch.testing.assert_close(joined, nn.functional.layer_norm(2 * sequences.mean(0), (5,)))


def test_a_days_frames_are_counted_at_once() -> None:
    """Nothing is computed, and no step of a recurrence is run by itself."""
    part = SequenceOperation(8_640_000, 96, False, "lstm_att_2")
    assert part.flops == formulas.flops(part)


class Tracked(Part):
    """A linear map that notes each time that it is built."""

    def __init__(self) -> None:
        self.built = 0

    def build(self) -> nn.Module:
        self.built += 1
        return nn.Sequential(nn.Linear(4, 3), nn.Dropout())

    def inputs(self) -> tuple[Tensor, ...]:
        return (torch.randn(1, 4),)


def test_a_part_is_built_once() -> None:
    part = Tracked()
    for _ in range(2):
        assert (part.parameters, part.flops, part.out) == (15, 24, (3,))
    assert part.built == 1


def test_equal_parts_are_counted_once_and_others_by_themselves() -> None:
    """Parts are the keys of what has been counted and measured."""
    for part in PARTS:
        assert dataclasses.replace(part) == part  # type: ignore[type-var]
        assert hash(dataclasses.replace(part)) == hash(part)  # type: ignore[type-var]
    assert len(set(PARTS)) == len(PARTS)


def test_counting_leaves_the_random_state_and_torchs_modes() -> None:
    state = torch.get_rng_state()
    assert Tracked().flops == 24
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()
    assert torch.zeros(1).device.type == "cpu"


def test_counts_in_inference_mode_are_the_same() -> None:
    part = SequenceOperation(11, 13, False, "lstm_att_2")
    with torch.inference_mode():
        assert part.flops == formulas.flops(part)
        assert part.parameters == formulas.parameters(part)
