"""Latencies: how they are measured, and of what."""

from types import SimpleNamespace

import pytest
import torch
from drawn_networks import FRAMES, SHAPE, SMALL, some_architecture
from torch import Tensor, nn

from nni_emodarts.models.costs import architecture_cost, operation_costs
from nni_emodarts.models.costs import latency as latency_room
from nni_emodarts.models.costs.latency import REPEATS, WARM_UP, latency
from nni_emodarts.models.costs.layout import lay_out
from nni_emodarts.models.costs.part import Part
from nni_emodarts.models.costs.parts import CnnJoin, SeqnnJoin, SequenceOperation
from nni_emodarts.models.space import build_model, random_architecture


class Sleeper(Part):
    """A part that counts how often it is built and run."""

    def __init__(self) -> None:
        self.built = 0
        self.runs = 0

    def build(self) -> nn.Module:
        self.built += 1
        return Run(self)

    def inputs(self) -> tuple[Tensor, ...]:
        return (torch.rand(3),)


class Run(nn.Module):
    def __init__(self, part: Sleeper) -> None:
        super().__init__()
        self.part = part

    def forward(self, given: Tensor) -> Tensor:
        assert torch.is_inference_mode_enabled()
        assert not self.training
        self.part.runs += 1
        return given


def test_latency_is_the_median_of_repeats_after_a_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    part = Sleeper()
    # Passes last 0, 1, 4, 9 ... seconds on this clock, so that their mean is not their median.
    times = [0.0]
    for number in range(REPEATS):
        times += [times[-1] + number**2, times[-1] + number**2]
    clock = iter(times)
    monkeypatch.setattr(latency_room, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    assert latency(part) == 1000 * (REPEATS // 2) ** 2
    assert (part.built, part.runs) == (1, WARM_UP + REPEATS)
    assert latency(part) == 1000 * (REPEATS // 2) ** 2
    assert part.runs == WARM_UP + REPEATS


def test_measuring_leaves_the_random_state() -> None:
    state = torch.get_rng_state()
    latency(Sleeper())
    assert torch.equal(torch.get_rng_state(), state)


def test_latency_is_positive_and_additive() -> None:
    space = SMALL.model_copy(update={"pooling": "statistics"})
    costs = operation_costs(space, SHAPE, 3, "latency", FRAMES)
    assert costs.fixed > 0
    for table in costs.edges.values():
        assert all((cost == 0) == (name == "none") for name, cost in table.items())
    drawn = random_architecture(space, 3, SHAPE, 0)
    chosen = [costs.edges[label][name] for label, name in drawn.choices.items() if isinstance(name, str)]
    assert architecture_cost(drawn, "latency", FRAMES) == pytest.approx(costs.fixed + sum(chosen))
    assert costs.cheapest < 1.001 * architecture_cost(drawn, "latency", FRAMES)


def test_four_layers_of_an_lstm_take_longer_than_one() -> None:
    # About four times as long; a third of that leaves room for a busy machine.
    assert latency(SequenceOperation(200, 128, False, "lstm_4")) > 1.3 * latency(
        SequenceOperation(200, 128, False, "lstm_1")
    )


@pytest.mark.parametrize("seed", range(6))
def test_parts_run_at_the_sizes_that_the_network_has(seed: int) -> None:
    """What a latency is measured of: module for module, the shapes in and out of the built network."""
    drawn = some_architecture(seed)
    frames = 3 + seed
    blocks = lay_out(drawn.space, drawn.input_shape, drawn.num_classes, frames)
    parts = [part for block in blocks for part in block.chosen(drawn.choices)]
    described = sorted(describe_part(part) for part in parts if not isinstance(part, CnnJoin | SeqnnJoin))
    model = build_model(drawn).eval()
    pieces = [model.stem, model.bridge, model.pooling, model.classifier]
    for cell in model.cnn_cells:
        pieces += [cell.align_before, cell.align_last]
    for cell in [*model.cnn_cells, *model.seqnn_cells]:
        pieces += [edge for node in cell.nodes for edge in node.edges.values()]
    seen: list[tuple[str, ...]] = []
    for piece in pieces:
        piece.register_forward_hook(lambda module, given, out: seen.append(describe(module, given, out)))
    model(torch.randn(1, *drawn.input_shape, frames), torch.tensor([frames]))
    assert sorted(seen) == described


def describe_part(part: Part) -> tuple[str, ...]:
    module, inputs = part.build().eval(), part.inputs()
    return describe(module, inputs, module(*inputs))


def describe(module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> tuple[str, ...]:
    shapes = sorted((name, tuple(value.shape)) for name, value in module.state_dict().items())
    return type(module).__name__, str(shapes), str(tuple(given[0].shape)), str(tuple(out.shape))
