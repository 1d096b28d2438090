"""Costs against networks that are built, torch's own counter of FLOPs, and every network of a small space."""

import copy
import itertools
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from nni_emodarts.architecture import Architecture, candidates, edge_label, node_label, nodes
from nni_emodarts.baselines import CnnLstm
from nni_emodarts.config import (
    CNN_PRIMITIVES,
    PRESETS,
    SCOPES,
    SEQNN_PRIMITIVES,
    FeatureConfig,
    SpaceConfig,
    load_config,
)
from nni_emodarts.costs import (
    Costs,
    ExpectedCost,
    architecture_cost,
    check_limit,
    count_flops,
    frames_per_second,
    operation_costs,
    taken_probabilities,
    within,
)
from nni_emodarts.costs import latency as latency_room
from nni_emodarts.costs.latency import REPEATS, WARM_UP, latency
from nni_emodarts.costs.layout import lay_out
from nni_emodarts.costs.maps import AlignmentPart, CnnJoin, Grid, MapOperation, StemPart
from nni_emodarts.costs.part import Part
from nni_emodarts.costs.sequences import BridgePart, ClassifierPart, PoolingPart, SeqnnJoin, SequenceOperation
from nni_emodarts.errors import ConfigError
from nni_emodarts.features import FeatureExtractor
from nni_emodarts.nn.primitives import cnn_operation, sequence_operation
from nni_emodarts.nn.recurrence import RecurrentAttention
from nni_emodarts.nn.temporal_pooling import AttentionPooling, MeanPooling, StatisticsPooling
from nni_emodarts.space import build_model, random_architecture
from nni_emodarts.strategy_options import CostLimit

CNN_OPERATIONS = [name for name in CNN_PRIMITIVES if name != "none"]
SEQNN_OPERATIONS = [name for name in SEQNN_PRIMITIVES if name != "none"]

SMALL = SpaceConfig(
    cnn_cells=2, cnn_nodes=1, cnn_channels=3, reduction_cells=(1,),
    cnn_primitives=("skip_connect", "sep_conv_3x3", "none"),
    seqnn_cells=2, seqnn_nodes=2, seqnn_width=5, seqnn_primitives=("lstm_1", "skip_connect", "none"),
)  # fmt: skip
"""4 normal cells, 4 reduction cells, 4 * 3 * 4 SeqNN cells: 768 networks."""
SHAPE = (2, 7)
FRAMES = 9


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def torch_flops(module: Callable[..., Any], *inputs: Any) -> int:
    """What torch counts. In float64 recurrences run as the linear maps that it knows."""
    with FlopCounterMode(display=False) as counter:
        module(*inputs)
    return int(counter.get_total_flops())


def some_space(seed: int) -> SpaceConfig:
    """Sizes and reductions of all sorts, odd ones and consecutive reductions among them."""
    draw = np.random.RandomState(seed)
    cells = int(draw.randint(1, 6))
    return SpaceConfig(
        cnn_cells=cells,
        cnn_nodes=int(draw.randint(1, 4)),
        cnn_channels=int(draw.choice([1, 2, 3, 5])),
        reduction_cells=tuple(np.flatnonzero(draw.rand(cells) < 0.6).tolist()),
        stem_multiplier=int(draw.randint(1, 4)),
        stem_stride=int(draw.randint(1, 3)),
        seqnn_cells=int(draw.randint(1, 4)),
        seqnn_nodes=int(draw.randint(1, 4)),
        seqnn_width=int(draw.choice([1, 4, 7])),
        pooling=str(draw.choice(["mean", "attention", "statistics"])),
    )


def some_architecture(seed: int) -> Architecture:
    draw = np.random.RandomState(100 + seed)
    shape = (int(draw.randint(1, 4)), int(draw.randint(1, 24)))
    return random_architecture(some_space(seed), int(draw.randint(2, 9)), shape, seed)


def every_network(space: SpaceConfig) -> Iterator[Architecture]:
    options: dict[str, list[Any]] = {}
    for kind, node in nodes(space):
        options[node_label(kind, node)] = list(itertools.combinations(range(node), 2))
        for state in range(node):
            names = [name for name in candidates(space, kind) if name != "none"]
            options[edge_label(kind, node, state)] = names
    seen = set()
    for chosen in itertools.product(*options.values()):
        made = Architecture.from_choices(space, dict(zip(options, chosen, strict=True)), 3, SHAPE)
        if made.id not in seen:
            seen.add(made.id)
            yield made


def attention_flops(model: nn.Module, *inputs: Tensor) -> int:
    """2 for each value that a learnt weighted mean over time adds up; torch does not count these products."""
    seen: list[int] = []

    def note(module: nn.Module, given: tuple[Tensor, ...], _: Tensor) -> None:
        factor = 2 if isinstance(module, RecurrentAttention | StatisticsPooling) else 1
        seen.append(2 * factor * given[0].numel())

    hooks = [
        part.register_forward_hook(note)
        for part in model.modules()
        if isinstance(part, RecurrentAttention | AttentionPooling)
    ]
    model(*inputs)
    for hook in hooks:
        hook.remove()
    return sum(seen)


# Parameters


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("preset", PRESETS)
def test_parameters_are_those_of_the_built_network(preset: str, scope: str) -> None:
    config = load_config(preset, settings=[f"space.seqnn_scope={scope}"])
    for seed in range(3):
        drawn = random_architecture(config.space, 4, config.features.input_shape, seed)
        assert architecture_cost(drawn, "parameters", 50) == count(build_model(drawn))


@pytest.mark.parametrize("seed", range(24))
def test_parameters_hold_for_spaces_of_all_sorts(seed: int) -> None:
    drawn = some_architecture(seed)
    assert architecture_cost(drawn, "parameters", 1) == count(build_model(drawn))
    other = {"num_classes": 11, "input_shape": (4, 13)}
    assert architecture_cost(drawn, "parameters", 1, **other) == count(build_model(drawn, **other))


# FLOPs


@pytest.mark.parametrize("seed", range(16))
def test_flops_are_those_that_torch_counts_in_the_built_network(seed: int) -> None:
    drawn = some_architecture(seed)
    frames = 1 + seed
    model = build_model(drawn).double().eval()
    inputs = (torch.randn(1, *drawn.input_shape, frames, dtype=torch.float64), torch.tensor([frames]))
    counted = torch_flops(model, *inputs) + attention_flops(model, *inputs)
    assert architecture_cost(drawn, "flops", frames) == counted


@pytest.mark.parametrize("preset", PRESETS)
def test_flops_of_presets_are_those_that_torch_counts(preset: str) -> None:
    config = load_config(preset)
    drawn = random_architecture(config.space, 4, config.features.input_shape, 0)
    frames = frames_per_second(config.features)
    model = build_model(drawn).double().eval()
    inputs = (torch.randn(1, *drawn.input_shape, frames, dtype=torch.float64), torch.tensor([frames]))
    with torch.no_grad():
        counted = torch_flops(model, *inputs) + attention_flops(model, *inputs)
    assert architecture_cost(drawn, "flops", frames) == counted


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", CNN_OPERATIONS)
def test_cnn_operations_cost_what_their_modules_do(name: str, stride: int) -> None:
    for channels, bins, frames in ((1, 1, 1), (3, 7, 5), (4, 8, 6)):
        part = MapOperation(Grid(bins, frames), name, channels, stride)
        module = cnn_operation(name, channels, stride, affine=True)
        maps = torch.randn(1, channels, bins, frames)
        assert part.parameters == count(module)
        assert part.flops == torch_flops(module, maps, torch.tensor([frames]))
        assert module(maps, torch.tensor([frames])).shape[2:] == (part.out.bins, part.out.frames)


def run_by_steps(recurrence: nn.LSTM | nn.RNN, sequence: Tensor) -> Tensor:
    """(T, D) -> (T, H), one matrix product at a time, written from the definition of the cells."""
    into, onto = recurrence.weight_ih_l0, recurrence.weight_hh_l0
    state = memory = torch.zeros(1, recurrence.hidden_size)
    outputs = []
    for frame in sequence:
        gates = frame[None] @ into.T + state @ onto.T + recurrence.bias_ih_l0 + recurrence.bias_hh_l0
        if isinstance(recurrence, nn.LSTM):
            take, forget, value, give = gates.chunk(4, 1)
            memory = forget.sigmoid() * memory + take.sigmoid() * value.tanh()
            state = give.sigmoid() * memory.tanh()
        else:
            state = gates.tanh()
        outputs.append(state)
    return torch.cat(outputs)


def operate_by_steps(module: Any, sequence: Tensor) -> Tensor:
    """`RecurrentAttention` or `StackedRecurrence` of one utterance (T, D), in matrix products only."""
    if not isinstance(module, RecurrentAttention):
        for layer in module.layers:
            sequence = run_by_steps(layer, sequence)
        return sequence
    for layer in module.layers:
        back = run_by_steps(layer.backwards, sequence.flip(0)).flip(0)
        sequence = torch.cat([run_by_steps(layer.forwards, sequence), back], 1)
    weights = torch.softmax(sequence @ module.score.weight.T, 0)
    context = weights.T @ sequence
    of_states, of_context = module.output.weight.chunk(2, 1)
    return sequence @ of_states.T + context @ of_context.T + module.output.bias


@pytest.mark.parametrize("name", [name for name in SEQNN_OPERATIONS if name != "skip_connect"])
def test_recurrences_cost_what_their_steps_do(name: str) -> None:
    width, frames = 6, 5
    part = SequenceOperation(name, width, frames)
    module = sequence_operation(name, width).eval()
    sequence = torch.randn(frames, width)
    assert part.parameters == count(module)
    assert part.flops == torch_flops(operate_by_steps, module, sequence)
    expected = module(sequence[None], torch.tensor([frames]))[0]
    torch.testing.assert_close(operate_by_steps(module, sequence), expected)


def test_a_sequences_skip_connection_is_free() -> None:
    part = SequenceOperation("skip_connect", 6, 5)
    assert (part.parameters, part.flops) == (0, 0)


def pool_by_products(module: Any, sequence: Tensor) -> Tensor:
    """A pooling of one utterance (T, D) with its weighted means as matrix products."""
    if isinstance(module, MeanPooling):
        return sequence.mean(0)
    hidden = torch.tanh(F.linear(sequence, module.hidden.weight, module.hidden.bias))
    weights = torch.softmax(hidden @ module.score.weight.T, 0).T
    mean = weights @ sequence
    if not isinstance(module, StatisticsPooling):
        return mean[0]
    return torch.cat([mean, (weights @ (sequence - mean).square() + 1e-6).sqrt()], 1)[0]


@pytest.mark.parametrize(
    ("kind", "layer"), [("mean", MeanPooling), ("attention", AttentionPooling), ("statistics", StatisticsPooling)]
)
def test_poolings_cost_what_their_products_do(kind: str, layer: Any) -> None:
    part = PoolingPart(kind, 6, 5)
    module = layer(6)
    sequence = torch.randn(5, 6)
    assert part.parameters == count(module)
    assert part.out_width == module.out_width
    assert part.flops == torch_flops(pool_by_products, module, sequence)
    torch.testing.assert_close(pool_by_products(module, sequence), module(sequence[None], torch.tensor([5]))[0])


@pytest.mark.parametrize("seed", range(12))
def test_flops_that_are_counted_in_a_built_network_are_those_of_its_parts(seed: int) -> None:
    drawn = some_architecture(seed)
    model = build_model(drawn)
    weights = copy.deepcopy(model.state_dict())
    assert count_flops(model, drawn.input_shape, 1 + seed) == architecture_cost(drawn, "flops", 1 + seed)
    assert model.training
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())


def test_flops_of_a_hand_designed_network_are_those_of_its_layers() -> None:
    """By hand: blocks of 3 x 3 convolutions on halving maps, a linear map of each frame, 4 gates in each direction."""
    frames, bins, flops, channels = 50, 20, 0, 1
    for out in (4, 6):
        flops += 2 * 9 * channels * out * bins * frames
        frames, bins = -(-frames // 2), -(-bins // 2)
        flops += 2 * 9 * out * out * bins * frames
        channels = out
    width = 10
    flops += 2 * frames * channels * bins * width
    flops += 2 * frames * 2 * 4 * (width // 2) * (width + width // 2)
    flops += 2 * frames * (width * width + width + width)  # pooling: hidden, score, weighted mean
    flops += 2 * width * 3
    assert count_flops(CnnLstm(3, (1, 20), channels=(4, 6), width=5), (1, 20), 50) == flops


def test_flops_of_a_sequence_grow_with_its_length() -> None:
    drawn = random_architecture(SMALL, 3, SHAPE, 0)
    short, long = (architecture_cost(drawn, "flops", frames) for frames in (16, 32))
    assert long - 2 * short == pytest.approx(-2 * SMALL.seqnn_width * 3)  # all but the classifier is a sum over frames


# The table


@pytest.mark.parametrize("metric", ["parameters", "flops"])
@pytest.mark.parametrize("seed", range(10))
def test_a_network_costs_the_fixed_part_and_its_chosen_edges(seed: int, metric: Any) -> None:
    drawn = some_architecture(seed)
    costs = operation_costs(drawn.space, drawn.input_shape, drawn.num_classes, metric, FRAMES)
    chosen = [costs.edges[label][name] for label, name in drawn.choices.items() if isinstance(name, str)]
    assert costs.fixed + sum(chosen) == architecture_cost(drawn, metric, FRAMES)


def test_the_table_has_the_labels_and_operations_of_the_space() -> None:
    space = SpaceConfig(cnn_cells=2, cnn_nodes=2, reduction_cells=(), seqnn_primitives=("rnn_1", "none"))
    costs = operation_costs(space, SHAPE, 3, "parameters", FRAMES)
    assert list(costs.nodes) == ["normal_2", "normal_3", *(f"seqnn_{node}" for node in range(2, 6))]
    assert costs.nodes["normal_3"] == ("normal_3_0", "normal_3_1", "normal_3_2")
    assert list(costs.edges["normal_2_0"]) == list(CNN_PRIMITIVES)
    assert list(costs.edges["seqnn_2_1"]) == ["rnn_1", "none"]
    assert all(table["none"] == 0 for table in costs.edges.values())
    assert set(costs.edges) == {edge for edges in costs.nodes.values() for edge in edges}


@pytest.mark.parametrize("metric", ["parameters", "flops"])
def test_mean_and_cheapest_are_those_of_all_networks(metric: Any) -> None:
    networks = list(every_network(SMALL))
    assert len(networks) == 768
    every = [architecture_cost(network, metric, FRAMES) for network in networks]
    costs = operation_costs(SMALL, SHAPE, 3, metric, FRAMES)
    assert costs.cheapest == min(every)
    assert costs.mean == pytest.approx(np.mean(every), rel=1e-12)


def test_the_cheapest_network_of_a_preset_is_below_all_that_are_drawn() -> None:
    config = load_config("compact")
    costs = operation_costs(config.space, config.features.input_shape, 4, "parameters", 50)
    drawn = [random_architecture(config.space, 4, config.features.input_shape, seed) for seed in range(200)]
    every = [architecture_cost(one, "parameters", 50) for one in drawn]
    assert costs.cheapest < min(every)
    assert costs.mean == pytest.approx(np.mean(every), rel=0.1)


# Latency


class Sleeper(Part):
    """A part that counts how often it is built and run."""

    parameters = 0
    flops = 0

    def __init__(self) -> None:
        self.built = 0
        self.runs = 0

    def prepare(self) -> Callable[[], object]:
        self.built += 1
        torch.rand(3)
        return self.run

    def run(self) -> None:
        assert torch.is_inference_mode_enabled()
        self.runs += 1


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
    assert latency(SequenceOperation("lstm_4", 128, 200)) > 1.3 * latency(SequenceOperation("lstm_1", 128, 200))


@pytest.mark.parametrize("seed", range(6))
def test_parts_run_at_the_sizes_that_the_network_has(seed: int) -> None:
    """What a latency is measured of: module for module, the shapes in and out of the built network."""
    drawn = some_architecture(seed)
    frames = 3 + seed
    layout = lay_out(drawn.space, drawn.input_shape, drawn.num_classes, frames)
    chosen = [
        part for label, name in drawn.choices.items() if isinstance(name, str) for part in layout.parts(label, name)
    ]
    prepared = sorted(trace(part) for part in [*layout.fixed, *chosen] if not isinstance(part, CnnJoin | SeqnnJoin))
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
    assert sorted(seen) == prepared


def trace(part: Part) -> tuple[str, ...]:
    run: Any = part.prepare()
    assert not run.func.training
    return describe(run.func, run.args, run())


def describe(module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> tuple[str, ...]:
    shapes = sorted((name, tuple(value.shape)) for name, value in module.state_dict().items())
    return type(module).__name__, str(shapes), str(tuple(given[0].shape)), str(tuple(out.shape))


def test_joins_do_what_cells_do() -> None:
    assert CnnJoin(Grid(3, 4), 5, 2).prepare()().shape == (1, 10, 3, 4)
    assert SeqnnJoin(5, 3, 4).prepare()().shape == (1, 4, 5)


def test_equal_parts_are_equal() -> None:
    """They are the keys of what has been measured."""
    assert StemPart(Grid(4, 5), 1, 2, 1) == StemPart(Grid(4, 5), 1, 2, 1)
    assert len({AlignmentPart(Grid(4, 5), 1, 2, halves) for halves in (True, False)}) == 2
    assert hash(BridgePart(2, Grid(3, 4), 5)) == hash(BridgePart(2, Grid(3, 4), 5))
    assert ClassifierPart(4, 3) != ClassifierPart(3, 4)


# The expectation


def certain(architecture: Architecture, costs: Costs, none: float = 0.0) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Probabilities of an architecture: one-hot, but for what `none` is given; edges left out hold anything."""
    operations = {}
    for edge, table in costs.edges.items():
        name = architecture.choices.get(edge, next(iter(table)))
        one = torch.tensor([float(other == name) for other in table], dtype=torch.float64) * (1 - none)
        if none:
            one[list(table).index("none")] = none
        operations[edge] = one
    inputs = {}
    for node, edges in costs.nodes.items():
        inputs[node] = torch.tensor([float(edge in architecture.choices) for edge in edges], dtype=torch.float64)
    return operations, inputs


def even(costs: Costs, dtype: torch.dtype = torch.float64) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    operations = {edge: torch.full((len(table),), 1 / len(table), dtype=dtype) for edge, table in costs.edges.items()}
    inputs = {node: torch.full((len(edges),), 2 / len(edges), dtype=dtype) for node, edges in costs.nodes.items()}
    return operations, inputs


@pytest.mark.parametrize("metric", ["parameters", "flops"])
@pytest.mark.parametrize("preset", PRESETS)
def test_a_certain_expectation_is_the_networks_cost(preset: str, metric: Any) -> None:
    config = load_config(preset)
    costs = operation_costs(config.space, config.features.input_shape, 4, metric, 50)
    expected = ExpectedCost(costs)
    for seed in range(3):
        drawn = random_architecture(config.space, 4, config.features.input_shape, seed)
        assert expected(*certain(drawn, costs)).item() == architecture_cost(drawn, metric, 50)
        # The derived network does not hold `none`, however likely it is.
        assert expected(*certain(drawn, costs, none=0.75)).item() == architecture_cost(drawn, metric, 50)


def test_the_even_expectation_is_the_mean() -> None:
    costs = operation_costs(SMALL, SHAPE, 3, "flops", FRAMES)
    assert ExpectedCost(costs)(*even(costs)).item() == pytest.approx(costs.mean, rel=1e-12)
    assert ExpectedCost(costs)(*even(costs, torch.float32)).item() == pytest.approx(costs.mean, rel=1e-5)


def test_the_expectation_is_the_mean_of_drawn_networks() -> None:
    """Over all networks of a small space, each with its chance."""
    costs = operation_costs(SMALL, SHAPE, 3, "parameters", FRAMES)
    operations, weights = softmaxes(costs)
    inputs = {node: taken_probabilities(weight) for node, weight in weights.items()}
    kept = {edge: chances[:-1] / chances[:-1].sum() for edge, chances in operations.items()}
    total = chance_of_all = 0.0
    for network in every_network(SMALL):
        chance = 1.0
        for label, choice in network.choices.items():
            if isinstance(choice, str):
                chance *= kept[label][list(costs.edges[label]).index(choice)].item()
            else:
                chance *= chance_of_pair(weights[label].tolist(), *choice)
        chance_of_all += chance
        total += chance * architecture_cost(network, "parameters", FRAMES)
    assert chance_of_all == pytest.approx(1.0, abs=1e-12)
    assert ExpectedCost(costs)(operations, inputs).item() == pytest.approx(total, rel=1e-12)


def softmaxes(costs: Costs) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    operations = {edge: torch.randn(len(table)).double().softmax(0) for edge, table in costs.edges.items()}
    return operations, {node: torch.randn(len(edges)).double().softmax(0) for node, edges in costs.nodes.items()}


def chance_of_pair(weights: list[float], one: int, other: int) -> float:
    """Chance that two draws without replacement give this pair, in either order."""
    both = weights[one] * weights[other]
    return both / (1 - weights[one]) + both / (1 - weights[other])


def test_probabilities_may_stand_in_another_order() -> None:
    costs = operation_costs(SMALL, SHAPE, 3, "parameters", FRAMES)
    operations, inputs = softmaxes(costs)
    turned = {edge: tuple(reversed(table)) for edge, table in costs.edges.items()}
    straight = ExpectedCost(costs)(operations, inputs)
    mirrored = ExpectedCost(costs, turned)({edge: chances.flip(0) for edge, chances in operations.items()}, inputs)
    torch.testing.assert_close(mirrored, straight)


def test_probabilities_of_the_wrong_length_or_label_are_refused() -> None:
    costs = operation_costs(SMALL, SHAPE, 3, "parameters", FRAMES)
    operations, inputs = even(costs)
    with pytest.raises(ValueError, match="normal_2_0: 3 operations, but probabilities of shape"):
        ExpectedCost(costs)({edge: chances[:1] for edge, chances in operations.items()}, inputs)
    with pytest.raises(RuntimeError):
        ExpectedCost(costs)(operations, {node: weights[:1] for node, weights in inputs.items()})
    with pytest.raises(KeyError):
        ExpectedCost(costs)({}, inputs)


@pytest.mark.parametrize("metric", ["parameters", "flops"])
def test_its_gradient_is_that_of_finite_differences(metric: Any) -> None:
    costs = operation_costs(SMALL, SHAPE, 3, metric, FRAMES)
    expected = ExpectedCost(costs)
    labels = [*costs.edges, *costs.nodes]
    logits = [torch.randn(len(costs.edges.get(label) or costs.nodes[label])).double() for label in labels]

    def relative(*given: Tensor) -> Tensor:
        operations = {
            label: logit.softmax(0) for label, logit in zip(labels, given, strict=True) if label in costs.edges
        }
        inputs = {
            label: taken_probabilities(logit.softmax(0))
            for label, logit in zip(labels, given, strict=True)
            if label in costs.nodes
        }
        return expected(operations, inputs) / costs.mean

    given = [logit.requires_grad_() for logit in logits]
    assert torch.autograd.gradcheck(relative, given)
    for label, gradient in zip(labels, torch.autograd.grad(relative(*given), given), strict=True):
        # A node of two predecessors takes both, whatever their weights.
        moves = label in costs.edges or len(costs.nodes[label]) > 2
        assert (gradient.abs().max() > 1e-6) == moves


def test_descent_on_it_ends_at_the_cheapest_network() -> None:
    costs = operation_costs(SMALL, SHAPE, 3, "parameters", FRAMES)
    expected = ExpectedCost(costs)
    alphas = {edge: torch.zeros(len(table), requires_grad=True) for edge, table in costs.edges.items()}
    betas = {node: torch.zeros(len(edges), requires_grad=True) for node, edges in costs.nodes.items()}
    optimizer = torch.optim.SGD([*alphas.values(), *betas.values()], lr=2.0)
    trace_of_costs = []
    for _ in range(200):
        operations = {edge: alpha.softmax(0) for edge, alpha in alphas.items()}
        cost = expected(operations, {node: taken_probabilities(beta.softmax(0)) for node, beta in betas.items()})
        optimizer.zero_grad()
        (cost / costs.mean).backward()
        optimizer.step()
        trace_of_costs.append(cost.item())
    assert trace_of_costs[0] == pytest.approx(costs.mean, rel=1e-5)
    assert all(later < earlier for earlier, later in itertools.pairwise(trace_of_costs[:20]))
    for edge, alpha in alphas.items():
        cheapest = min(costs.derivable(edge), key=costs.derivable(edge).__getitem__)
        others = alpha[:-1]  # `none` is the last, and no derived network holds it
        assert int(others.argmax()) == list(costs.edges[edge]).index(cheapest)
    # What `none` weighs is no matter of cost.
    assert all(alpha[-1].abs() < 1e-6 for alpha in alphas.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_edge_that_is_all_none_has_the_mean_of_the_others(dtype: torch.dtype) -> None:
    costs = operation_costs(SMALL, SHAPE, 3, "parameters", FRAMES)
    operations, inputs = even(costs, dtype)
    for edge, table in costs.edges.items():
        operations[edge] = torch.tensor([float(name == "none") for name in table], dtype=dtype, requires_grad=True)
    cost = ExpectedCost(costs)(operations, inputs)
    assert cost.item() == pytest.approx(costs.mean, rel=1e-5)
    cost.backward()
    assert all(chances.grad.isfinite().all() for chances in operations.values())


def test_the_expectation_has_no_weights_to_train_or_save() -> None:
    expected = ExpectedCost(operation_costs(SMALL, SHAPE, 3, "parameters", FRAMES))
    assert not list(expected.parameters())
    assert not expected.state_dict()


@pytest.mark.parametrize("predecessors", [2, 3, 5])
def test_taken_probabilities_are_those_of_two_draws(predecessors: int) -> None:
    weights = torch.randn(predecessors).double().softmax(0)
    exact = [0.0] * predecessors
    for pair in itertools.combinations(range(predecessors), 2):
        for state in pair:
            exact[state] += chance_of_pair(weights.tolist(), *pair)
    taken = taken_probabilities(weights)
    torch.testing.assert_close(taken, torch.tensor(exact, dtype=torch.float64))
    assert taken.sum().item() == pytest.approx(2.0)


def test_taken_probabilities_are_how_often_gumbel_noise_puts_an_edge_among_two() -> None:
    logits = torch.tensor([1.0, 0.0, -0.5, 0.3])
    noisy = logits - torch.empty(200_000, 4).exponential_().log()
    drawn = F.one_hot(noisy.topk(2, 1).indices, 4).sum((0, 1)) / len(noisy)
    torch.testing.assert_close(taken_probabilities(logits.softmax(0)), drawn, atol=0.005, rtol=0)


def test_taken_probabilities_hold_where_one_edge_is_all_but_certain() -> None:
    logits = torch.tensor([60.0, 1.0, 0.0], requires_grad=True)
    taken = taken_probabilities(logits.softmax(0))
    second = torch.tensor([1.0, 0.0]).softmax(0)
    torch.testing.assert_close(taken, torch.cat([torch.ones(1), second]))
    taken[1].backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert logits.grad[1] > 0.1


# Limits


@pytest.mark.parametrize(("rate", "hop"), [(16000, 10.0), (16000, 20.0), (16000, 62.5), (8000, 32.0), (22050, 7.3)])
def test_a_second_has_the_frames_that_the_extractor_makes_of_it(rate: int, hop: float) -> None:
    features = FeatureConfig(sampling_rate=rate, hop_ms=hop, mel_bands=8)
    extractor = FeatureExtractor("log_mel", rate, features.window_ms, hop, 8)
    assert frames_per_second(features) == extractor(np.random.RandomState(0).randn(rate)).shape[1]


@pytest.mark.parametrize("metric", ["parameters", "flops"])
def test_a_limit_is_kept_or_not(metric: Any) -> None:
    features = FeatureConfig(mel_bands=16)
    drawn = random_architecture(SMALL, 3, features.input_shape, 0)
    cost = architecture_cost(drawn, metric, frames_per_second(features))
    assert within(drawn, CostLimit(metric=metric, limit=cost), features)
    assert not within(drawn, CostLimit(metric=metric, limit=cost - 1), features)


@pytest.mark.parametrize("metric", ["parameters", "flops", "latency"])
def test_a_limit_below_the_cheapest_network_is_refused(metric: Any) -> None:
    features = FeatureConfig(mel_bands=16)
    costs = operation_costs(SMALL, features.input_shape, 3, metric, frames_per_second(features))
    check_limit(CostLimit(metric=metric, limit=costs.cheapest), SMALL, features, 3)
    with pytest.raises(ConfigError, match=r"max_cost\.limit: .* below the cheapest .* Raise the limit to") as caught:
        check_limit(CostLimit(metric=metric, limit=costs.cheapest / 2), SMALL, features, 3)
    remedy = float(str(caught.value).split("Raise the limit to ")[1].split()[0])
    check_limit(CostLimit(metric=metric, limit=remedy), SMALL, features, 3)
    if metric != "latency":
        assert remedy == costs.cheapest
