"""Spaces of several streams: what is heard is a choice, each stream has a path of its own, in one time."""

import itertools
import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts import Architecture, EmoDartsSpace, build_model
from nni_emodarts.config import SpaceConfig, validate
from nni_emodarts.config.strategy_options import DartsOptions, RandomOneShotOptions
from nni_emodarts.errors import ArchitectureError, ConfigError
from nni_emodarts.models.costs import (
    architecture_cost,
    count_flops,
    expected_cost,
    network_blocks,
    space_costs,
    taken_probabilities,
)
from nni_emodarts.models.flat_space import flat_sample
from nni_emodarts.models.space import random_architecture
from nni_emodarts.models.space.mixed import MixedNode, MixedOperation
from nni_emodarts.models.space.sampled import SampledNode, SampledOperation
from nni_emodarts.search.one_shot import make_strategy

SHAPES = {"mel": (1, 10), "voice": (2, 12)}
FRAMES = {"mel": 40, "voice": 9}
LENGTHS = torch.tensor([[40, 9], [25, 6], [7, 2], [1, 1]])
SMALL: dict[str, Any] = {
    "cnn_cells": 2, "cnn_nodes": 2, "cnn_channels": 4, "reduction_cells": [1], "stem_multiplier": 2, "stem_stride": 2,
    "seqnn_cells": 1, "seqnn_nodes": 2, "seqnn_width": 8, "dropout": 0.0,
    "hears": [
        {"name": "mel", "kind": "log_mel"},
        {"name": "voice", "kind": "pretrained", "levels": (0, 4)},
    ],
}  # fmt: skip
SPACE = SpaceConfig(**SMALL)


def drawn(seed: int, stream: str) -> Architecture:
    sample = {**flat_sample(random_architecture(SPACE, 4, SHAPES, seed)), "stream": stream, "level_voice": "4"}
    if stream == "mel":
        del sample["level_voice"]
    return Architecture.from_choices(SPACE, sample, 4, SHAPES)


def batch(streams: tuple[str, ...] = ("mel", "voice")) -> tuple[Tensor, ...]:
    """Maps of streams, zero in the padding."""
    found = []
    for name in streams:
        lengths = LENGTHS[:, list(SHAPES).index(name)]
        maps = torch.randn(len(lengths), *SHAPES[name], FRAMES[name])
        padding = torch.arange(FRAMES[name]) >= lengths[:, None]
        found.append(maps.masked_fill(padding[:, None, None], 0.0))
    return tuple(found)


def test_an_architecture_says_the_shape_of_each_stream() -> None:
    architecture = drawn(0, "mel+voice")
    data = json.loads(json.dumps(architecture.to_dict()))
    assert data["input_shape"] == {"mel": [1, 10], "voice": [2, 12]}
    again = Architecture.from_dict(data)
    assert (again.id, again.input_shape, again.heard) == (architecture.id, SHAPES, ("mel", "voice"))
    assert drawn(0, "mel").heard == ("mel",)
    with pytest.raises(ArchitectureError, match="mel in it, but the space hears mel, voice; give each"):
        Architecture.from_dict({**data, "input_shape": {"mel": [1, 10]}})
    with pytest.raises(ConfigError, match="is by streams, and the space hears one"):
        EmoDartsSpace(4, SHAPES, **{**SMALL, "hears": []})


@pytest.mark.parametrize("seed", range(3))
def test_neither_padding_nor_another_sample_is_heard(seed: int) -> None:
    model = build_model(drawn(seed, "mel+voice"))
    maps = batch()
    model(maps, LENGTHS).square().sum().backward()  # moves the running statistics
    assert all(parameter.grad is not None for parameter in model.parameters())
    model.eval()
    together = model(maps, LENGTHS)
    noise = tuple(
        F.pad(
            each.masked_fill((torch.arange(each.shape[-1]) >= own[:, None])[:, None, None], torch.nan),
            (0, more),
            value=torch.inf,
        )
        for each, own, more in zip(maps, LENGTHS.T, (5, 9), strict=True)
    )
    torch.testing.assert_close(model(noise, LENGTHS), together)
    for row, lengths in enumerate(LENGTHS):
        own = tuple(each[row : row + 1, ..., :length] for each, length in zip(maps, lengths, strict=True))
        torch.testing.assert_close(model(own, lengths[None])[0], together[row], atol=1e-5, rtol=1e-4)


def test_a_network_of_one_of_them_is_that_of_a_space_of_it_alone() -> None:
    for place, name in enumerate(SHAPES):
        architecture = drawn(1, name)
        one = SPACE.model_copy(update={"hears": (SPACE.hears[place],) if name == "voice" else ()})
        sample = {label: choice for label, choice in architecture.sample().items() if label != "stream"}
        alone = build_model(Architecture.from_choices(one, sample, 4, SHAPES[name]))
        model = build_model(architecture)
        model.load_state_dict(alone.state_dict())
        (maps,) = batch((name,))
        assert torch.equal(model.eval()(maps, LENGTHS[:, place]), alone.eval()(maps, LENGTHS[:, place]))
        assert build_model(architecture, 4, SHAPES[name]).state_dict().keys() == alone.state_dict().keys()


def test_both_are_heard_in_the_time_of_the_coarser() -> None:
    model = build_model(drawn(2, "mel+voice")).eval()
    assert [len(path.cnn_cells) for path in model.paths] == [2, 2]
    sequence, lengths, shortcut = model.hear(batch(), LENGTHS, model.dropout)
    assert shortcut is None
    assert lengths.tolist() == [5, 3, 1, 1]  # of 10 and 5, 7 and 3, 2 and 1, 1 and 1
    assert sequence.shape == (4, 5, 8)
    other = build_model(drawn(2, "mel+voice")).eval()
    other.load_state_dict(model.state_dict())
    for path in other.paths[:1]:
        nn.init.zeros_(path.bridge.norm.weight)
        nn.init.zeros_(path.bridge.norm.bias)
    silent = other.hear(batch(), LENGTHS, other.dropout).sequence
    assert not torch.equal(silent, sequence)


def supernet(name: str = "darts", **options: Any) -> EmoDartsSpace:
    torch.manual_seed(0)
    strategy = make_strategy(name, DartsOptions(**options), 5.0, [])
    model = strategy.mutate_model(EmoDartsSpace(4, SHAPES, **SMALL)).double()
    for part in model.modules():
        if isinstance(part, MixedOperation | MixedNode):
            nn.init.normal_(part._arch_alpha)
    return model


@pytest.mark.parametrize("options", [{}, {"partial_channels": 2}], ids=str)
def test_the_accelerated_supernet_is_the_plain_one(options: dict[str, Any]) -> None:
    plain, fast = supernet(accelerated=False, **options), supernet(accelerated=True, **options)
    fast.load_state_dict(plain.state_dict())
    maps = tuple(each.double() for each in batch())
    found = []
    for model in (plain, fast):
        out = model(maps, LENGTHS)
        out.square().sum().backward()
        found.append(out)
    torch.testing.assert_close(*found)
    for (name, ours), theirs in zip(fast.named_parameters(), plain.parameters(), strict=True):
        if ours.grad is not None or theirs.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, msg=name)


def test_streams_share_choices_and_not_weights() -> None:
    model = supernet(accelerated=False)
    by_label: dict[str, set[int]] = {}
    for part in model.modules():
        if isinstance(part, MixedOperation):
            by_label.setdefault(str(part.label), set()).add(id(part._arch_alpha))
    assert all(len(alphas) == 1 for alphas in by_label.values())
    assert {"stream", "level_voice"} <= set(by_label)
    stems = [path.stem for path in model.paths]
    assert type(stems[0]) is not type(stems[1])


def test_a_sampled_path_computes_what_it_hears_alone() -> None:
    model = EmoDartsSpace(4, SHAPES, **SMALL)
    model = make_strategy("random_one_shot", RandomOneShotOptions(), 5.0, []).mutate_model(model)
    for stream, computed in (("mel", [0]), ("voice", [1]), ("mel+voice", [0, 1])):
        for part in model.modules():
            if isinstance(part, SampledOperation | SampledNode):
                part.resample({"stream": stream})
        model.zero_grad(set_to_none=True)
        model(batch(), LENGTHS).sum().backward()
        heard = [place for place, path in enumerate(model.paths) if path.bridge.linear.weight.grad is not None]
        assert heard == computed


def test_costs_are_those_of_the_network() -> None:
    for seed, stream in enumerate(("mel", "voice", "mel+voice")):
        architecture = drawn(seed, stream)
        model = build_model(architecture)
        assert architecture_cost(architecture, "parameters", 9) == sum(p.numel() for p in model.parameters())
        heard = {name: SHAPES[name] for name in architecture.heard}
        shape = heard if len(heard) > 1 else heard[stream]
        frames = FRAMES if len(heard) > 1 else FRAMES[stream]
        assert architecture_cost(architecture, "flops", FRAMES) == count_flops(model, shape, frames)
        blocks = network_blocks(architecture, FRAMES)
        assert [block.kind for block in blocks].count("stem") == len(heard)
        assert ("streams" in [block.kind for block in blocks]) == (len(heard) > 1)


def test_the_expected_cost_is_the_mean_over_networks() -> None:
    for metric in ("parameters", "flops"):
        costs = space_costs(SPACE, SHAPES, 4, metric, FRAMES)
        both = costs.options["mel+voice"]
        assert both.layers.keys() == {"level_voice"}
        even = {
            label: torch.full((len(options),), 1 / len(options), dtype=torch.float64)
            for label, options in {**both.edges, **both.layers, "stream": costs.options}.items()
        }
        taken = {
            label: taken_probabilities(torch.full((len(edges),), 1 / len(edges), dtype=torch.float64))
            for label, edges in both.nodes.items()
        }
        assert float(expected_cost(costs)(even, taken)) == pytest.approx(costs.mean)
        for seed, stream in itertools.product(range(5), costs.options):
            assert costs.cheapest <= architecture_cost(drawn(seed, stream), metric, FRAMES)
        sure = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
        of_voice = float(expected_cost(costs)({**even, "stream": sure}, taken))
        assert of_voice == pytest.approx(costs.options["voice"].mean)


@pytest.mark.parametrize("name", ["type", "names"])
def test_a_taken_name_is_refused(name: str) -> None:
    hears = [{"name": name, "kind": "log_mel"}, {"name": "voice", "kind": "mfcc"}]
    with pytest.raises(ConfigError, match="a name is taken"):
        EmoDartsSpace(4, {name: (1, 8), "voice": (1, 8)}, **{**SMALL, "hears": hears})


def test_streams_hear_one_waveform() -> None:
    streams = [
        {"name": "mel", "kind": "log_mel", "sampling_rate": 8000},
        {"name": "voice", "kind": "pretrained", "model": "openai/whisper-base"},
    ]
    with pytest.raises(ConfigError, match=r"several sampling rates \(mel 8000 Hz, voice 16000 Hz\); set sampling_rate"):
        validate({"features": {"streams": streams}})
