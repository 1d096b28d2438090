"""Spaces that hear a pretrained stream: its level and the pooling as choices, cells over time alone."""

import itertools
import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts import Architecture, EmoDartsSpace, build_model
from nni_emodarts.config import HeardStream, SpaceConfig, load_config
from nni_emodarts.config.strategy_options import DartsOptions
from nni_emodarts.errors import ArchitectureError
from nni_emodarts.models.architecture import layer_choices
from nni_emodarts.models.costs import (
    ExpectedCost,
    architecture_cost,
    count_flops,
    network_blocks,
    operation_costs,
    taken_probabilities,
)
from nni_emodarts.models.flat_space import architecture_at, count_architectures, flat_choices, flat_sample
from nni_emodarts.models.nn.levels import Level
from nni_emodarts.models.nn.temporal_pooling import POOLINGS
from nni_emodarts.models.space import random_architecture
from nni_emodarts.models.space.mixed import MixedNode, MixedOperation
from nni_emodarts.nni_bridge.nas import InputChoice, LayerChoice
from nni_emodarts.search.one_shot import make_strategy

SHAPE = (3, 12)
"""Levels and features."""
LEVELS = (0, 4, 9)
LENGTHS = torch.tensor([14, 9, 3, 1])
SMALL: dict[str, Any] = {
    "cnn_cells": 2, "cnn_nodes": 2, "cnn_channels": 4, "reduction_cells": [1], "stem_multiplier": 2,
    "seqnn_cells": 1, "seqnn_nodes": 2, "seqnn_width": 8, "dropout": 0.0, "poolings": list(POOLINGS),
    "hears": [{"name": "voice", "kind": "pretrained", "levels": LEVELS}], "joined_levels": 2,
}  # fmt: skip
SPACE = SpaceConfig(**SMALL)


def drawn(seed: int) -> Architecture:
    return random_architecture(SPACE, 4, SHAPE, seed)


def batch() -> Tensor:
    maps = torch.randn(len(LENGTHS), *SHAPE, int(LENGTHS.max()))
    return maps.masked_fill((torch.arange(maps.shape[-1]) >= LENGTHS[:, None])[:, None, None], 0.0)


@pytest.mark.parametrize("seed", range(6))
def test_a_frozen_network_hears_its_level_alone_and_has_nothing_else(seed: int) -> None:
    architecture = Architecture.from_dict(json.loads(json.dumps(drawn(seed).to_dict())))
    assert architecture.id == drawn(seed).id
    model = build_model(architecture)
    maps = batch()
    model(maps, LENGTHS).square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert not any(isinstance(part, LayerChoice | InputChoice) for part in model.modules())
    model.eval()
    together = model(maps, LENGTHS)
    places = [LEVELS.index(level) for level in architecture.levels["voice"]]
    assert torch.equal(model(maps[:, places], LENGTHS), together)
    others = maps.clone()
    others[:, [level for level in range(3) if level not in places]] = torch.nan
    assert torch.equal(model(others, LENGTHS), together)


@pytest.mark.parametrize("seed", range(6))
def test_neither_padding_nor_another_sample_is_heard(seed: int) -> None:
    model = build_model(drawn(seed))
    maps = batch()
    model(maps, LENGTHS)  # moves the running statistics
    model.eval()
    together = model(maps, LENGTHS)
    padding = (torch.arange(maps.shape[-1]) >= LENGTHS[:, None])[:, None, None]
    noise = F.pad(maps.masked_fill(padding, torch.nan), (0, 9), value=torch.inf)
    torch.testing.assert_close(model(noise, LENGTHS), together)
    for number, length in enumerate(LENGTHS):
        alone = model(maps[number : number + 1, ..., :length], LENGTHS[number : number + 1])
        torch.testing.assert_close(alone[0], together[number], atol=1e-5, rtol=1e-4)


def test_each_frame_of_a_level_is_normalised() -> None:
    maps = 5 + 3 * batch()
    heard = Level(range(1, 2))(maps, LENGTHS)
    assert heard.shape == (len(LENGTHS), SHAPE[1], 1, maps.shape[-1])
    torch.testing.assert_close(heard[0, :, 0, :14], F.layer_norm(maps[0, 1].T, (SHAPE[1],)).T)
    assert heard.is_contiguous(memory_format=torch.channels_last)
    assert not heard[1, ..., 9:].any()


def test_joined_levels_lie_side_by_side_and_a_single_one_is_as_loud_among_them() -> None:
    maps = batch()
    single = [Level(range(place, place + 1))(maps, LENGTHS) for place in range(3)]
    together = Level(range(1, 3))(maps, LENGTHS)
    assert torch.equal(together, torch.cat(single[1:], 1))
    assert torch.equal(Level(range(1, 3))(maps[:, 1:], LENGTHS), together)
    assert together.is_contiguous(memory_format=torch.channels_last)
    three = Level(range(0, 3))(maps, LENGTHS)
    among = Level(range(2, 3), room=3)(maps, LENGTHS)
    before, own, behind = among.split(SHAPE[1], 1)
    assert not before.any()
    assert not behind.any()
    torch.testing.assert_close(own, 3**0.5 * single[2])
    torch.testing.assert_close(among.square().sum(1), three.square().sum(1), rtol=1e-3, atol=1e-3)


def test_as_many_levels_as_there_are_may_be_joined() -> None:
    def options(joined: int) -> tuple[str, ...]:
        return layer_choices(SPACE.model_copy(update={"joined_levels": joined}))["level_voice"]

    assert options(1) == ("0", "4", "9")
    assert options(2) == ("0", "4", "9", "0+4", "4+9")
    assert options(3) == ("0", "4", "9", "0+4+9")
    assert options(4) == options(1)
    few = EmoDartsSpace(4, SHAPE, **{**SMALL, "joined_levels": 4})
    assert few.stem.conv.in_channels == SHAPE[1]


def test_a_space_that_joins_none_is_the_one_that_it_was() -> None:
    alone = SpaceConfig(**{**SMALL, "joined_levels": 1})
    assert "joined_levels" not in alone.identity()
    assert SPACE.identity()["joined_levels"] == 2


def supernet(**options: Any) -> EmoDartsSpace:
    torch.manual_seed(0)
    strategy = make_strategy("darts", DartsOptions(**options), 5.0, [])
    model = strategy.mutate_model(EmoDartsSpace(4, SHAPE, **SMALL)).double()
    for part in model.modules():
        if isinstance(part, MixedOperation | MixedNode):
            nn.init.normal_(part._arch_alpha)
    return model


@pytest.mark.parametrize("options", [{}, {"shared_depth": True}, {"partial_channels": 2}], ids=str)
def test_the_accelerated_supernet_is_the_plain_one(options: dict[str, Any]) -> None:
    plain, fast = supernet(accelerated=False, **options), supernet(accelerated=True, **options)
    fast.load_state_dict(plain.state_dict())
    maps = batch().double()
    found = []
    for model in (plain, fast):
        out = model(maps, LENGTHS)
        out.square().sum().backward()
        found.append(out)
    torch.testing.assert_close(*found)
    for (name, ours), theirs in zip(fast.named_parameters(), plain.parameters(), strict=True):
        if ours.grad is not None or theirs.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, msg=name)
    for ours, theirs in zip(fast.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("level", ["4", "4+9"])
def test_a_supernet_that_has_chosen_is_the_derived_network(level: str) -> None:
    """With all weight on one candidate of each choice, the outputs are those of the network with the same weights."""
    model = supernet(accelerated=False)
    architecture = Architecture.from_choices(
        SPACE, {**drawn(1).sample(), "level_voice": level, "pooling": "statistics"}, 4, SHAPE
    )
    for part in model.modules():
        if isinstance(part, MixedOperation):
            name = architecture.choices.get(str(part.label), part.names[0])
            part.kept = torch.tensor([float(each == name) for each in part.names]).double()
        elif isinstance(part, MixedNode):
            chosen = architecture.choices[str(part.label)]
            with torch.no_grad():
                part._arch_alpha.fill_(0.0)
            part.kept = torch.tensor([float(state in chosen) for state in range(part.n_candidates)]).double()
    network = build_model(architecture).double()
    held = model.state_dict()
    weights = {}
    for name, tensor in network.state_dict().items():
        matches = [key for key in held if _same_place(key, name, architecture) and held[key].shape == tensor.shape]
        weights[name] = held[matches[0]] if matches else tensor
    if level == "4":  # of the room for two levels
        weights["stem.conv.weight"] = 2**0.5 * held["stem.conv.weight"][:, : SHAPE[1]]
    network.load_state_dict(weights)
    maps = batch().double()
    torch.testing.assert_close(network.eval()(maps, LENGTHS), model.eval()(maps, LENGTHS))


def _same_place(held: str, name: str, architecture: Architecture) -> bool:
    """Whether a supernet's weight is that of a network, by their names: the supernet's also name the operation."""
    parts, own = held.split("."), name.split(".")
    if own[0] == "head":
        return parts == ["head", architecture.pooling, *own[1:]]
    if "edges" not in own:
        return parts == own
    place = own.index("edges") + 2
    return (
        parts[:place] == own[:place]
        and parts[place + 1 :] == own[place:]
        and _operation(own, architecture) == parts[place]
    )


def _operation(own: list[str], architecture: Architecture) -> str:
    kind = "seqnn" if own[0] == "seqnn_cells" else "reduce" if own[1] == "1" else "normal"
    node, state = int(own[own.index("nodes") + 1]) + 2, own[own.index("edges") + 1]
    return str(architecture.choices[f"{kind}_{node}_{state}"])


def test_costs_are_those_of_the_network() -> None:
    for seed in range(8):
        architecture = drawn(seed)
        model = build_model(architecture)
        assert architecture_cost(architecture, "parameters", 9) == sum(p.numel() for p in model.parameters())
        assert architecture_cost(architecture, "flops", 9) == count_flops(model, SHAPE, 9)
        blocks = network_blocks(architecture, 9)
        assert [block.kind for block in blocks][-2:] == ["pooling", "classifier"]
        assert blocks[0].out == (8, 1, 9)
        assert blocks[-1].out == (4,)


def test_the_expected_cost_is_the_mean_over_networks() -> None:
    costs = operation_costs(SPACE, SHAPE, 4, "parameters", 9)
    assert set(costs.layers) == {"level_voice", "pooling"}
    even = {
        label: torch.full((len(options),), 1 / len(options), dtype=torch.float64)
        for label, options in {**costs.edges, **costs.layers}.items()
    }
    taken = {
        label: taken_probabilities(torch.full((len(edges),), 1 / len(edges), dtype=torch.float64))
        for label, edges in costs.nodes.items()
    }
    assert float(ExpectedCost(costs)(even, taken)) == pytest.approx(costs.mean)
    least = min(architecture_cost(drawn(seed), "parameters", 9) for seed in range(50))
    assert costs.cheapest <= least


def test_flat_choices_are_the_networks() -> None:
    table = flat_choices(SPACE)
    assert (table["level_voice"], table["pooling"]) == (("0", "4", "9", "0+4", "4+9"), tuple(POOLINGS))
    total = count_architectures(SPACE)
    tiny = SPACE.model_copy(
        update={
            "cnn_primitives": ("skip_connect",),
            "seqnn_primitives": ("skip_connect",),
            "cnn_nodes": 1,
            "seqnn_nodes": 1,
        }
    )
    assert count_architectures(tiny) == 5 * 4
    ids = {
        Architecture.from_choices(tiny, dict(zip(flat_choices(tiny), values, strict=True)), 4, SHAPE).id
        for values in itertools.product(*flat_choices(tiny).values())
    }
    ordered = [Architecture.from_choices(tiny, architecture_at(tiny, index), 4, SHAPE).id for index in range(20)]
    assert len(set(ordered)) == 20
    assert set(ordered) == ids
    made = Architecture.from_choices(SPACE, architecture_at(SPACE, total - 1), 4, SHAPE)
    assert Architecture.from_choices(SPACE, flat_sample(made), 4, SHAPE).id == made.id


def test_of_several_streams_one_or_two_are_heard_and_the_levels_of_others_do_not_count() -> None:
    single = {"cnn_primitives": ("skip_connect",), "seqnn_primitives": ("skip_connect",), "poolings": ()}
    mel = HeardStream(name="mel", kind="log_mel")
    space = SPACE.model_copy(update={**single, "cnn_nodes": 1, "seqnn_nodes": 1, "hears": (*SPACE.hears, mel)})
    table = flat_choices(space)
    assert table["stream"] == ("voice", "mel", "voice+mel")
    assert count_architectures(space) == 5 + 1 + 5
    ids = {
        Architecture.from_choices(space, dict(zip(table, values, strict=True)), 4, SHAPE).id
        for values in itertools.product(*table.values())
    }
    made = [Architecture.from_choices(space, architecture_at(space, index), 4, SHAPE) for index in range(11)]
    assert {each.id for each in made} == ids
    assert [each.levels for each in made if each.choices["stream"] == "mel"] == [{}]


def test_what_is_wrong_with_a_level_is_said() -> None:
    sample = drawn(0).sample()
    with pytest.raises(ArchitectureError, match=r"level_voice: '3' is not allowed; give one of 0, 4, 9, 0\+4, 4\+9"):
        Architecture.from_choices(SPACE, {**sample, "level_voice": "3"}, 4, SHAPE)
    with pytest.raises(ArchitectureError, match="pooling: missing"):
        Architecture.from_choices(SPACE, {key: value for key, value in sample.items() if key != "pooling"}, 4, SHAPE)
    unknown = SPACE.model_copy(update={"hears": (SPACE.hears[0].model_copy(update={"levels": ()}),)})
    with pytest.raises(ArchitectureError, match="levels of stream voice are not known"):
        flat_choices(unknown)


def test_the_features_decide_what_the_space_hears() -> None:
    assert load_config("tiny").space.hears == ()
    stream = {"name": "voice", "kind": "pretrained", "model": "openai/whisper-base", "levels": [4, 0, 9]}
    config = load_config("tiny", options={"features.streams": [stream]})
    (heard,) = config.space.hears
    assert (heard.name, heard.kind, heard.levels) == ("voice", "pretrained", (0, 4, 9))
    one = load_config("tiny", options={"features.streams": [{"name": "mel", "kind": "log_mel"}]})
    assert one.space.identity() == load_config("tiny").space.identity()


@pytest.mark.parametrize(
    ("preset", "expected"), [("paper", "f0b171d9ebaf"), ("compact", "c4e0cfc5f041"), ("tiny", "bc962708dce6")]
)
def test_ids_of_earlier_spaces_stay(preset: str, expected: str) -> None:
    config = load_config(preset)
    assert random_architecture(config.space, 4, config.features.input_shape, 0).id == expected
