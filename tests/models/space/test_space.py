"""The joint space: frozen networks of every preset, and what NNI sees of it."""

import json

import pytest
import torch
from torch.nn import functional as F

from nni_emodarts import Architecture, EmoDartsSpace, build_model, load_preset
from nni_emodarts.config import PRESETS, load_config
from nni_emodarts.errors import ArchitectureError, ConfigError
from nni_emodarts.models.architecture import candidates, edge_label, node_label, nodes
from nni_emodarts.models.nn.temporal_pooling import POOLINGS
from nni_emodarts.models.space import random_architecture, set_drop_path
from nni_emodarts.nni_bridge.nas import InputChoice, LayerChoice, ModelSpace

LENGTHS = torch.tensor([37, 30, 9, 1])


def drawn(preset: str, seed: int, num_classes: int = 3) -> Architecture:
    config = load_config(preset)
    heard = config.features.pretrained
    shape = (len(heard[0].levels or ()), 24) if heard else config.features.input_shape
    return random_architecture(config.space, num_classes, shape, seed)


def maps(shape: tuple[int, int]) -> torch.Tensor:
    data = torch.randn(len(LENGTHS), *shape, int(LENGTHS.max()))
    for number, length in enumerate(LENGTHS):
        data[number, ..., length:] = 0
    return data


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("preset", PRESETS)
def test_a_clip_alone_equals_its_row_in_a_padded_batch(preset: str, seed: int) -> None:
    torch.manual_seed(seed)
    model = build_model(drawn(preset, seed))
    data = maps(model.input_shape)
    model(data, LENGTHS)  # moves the running statistics
    model.eval()
    with torch.no_grad():
        together = model(data, LENGTHS)
        for number, length in enumerate(LENGTHS):
            alone = model(data[number : number + 1, ..., :length], LENGTHS[number : number + 1])
            torch.testing.assert_close(alone[0], together[number], atol=1e-5, rtol=1e-4)
        changed = data.clone()
        changed[0] += 1.0
        assert torch.equal(model(changed, LENGTHS)[1:], together[1:])


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_is_not_heard_whatever_was_learnt(pooling: str) -> None:
    """Nothing that training moves may write into the padding what pooling then hears."""
    config = load_config("tiny", settings=[f"space.pooling={pooling}"])
    torch.manual_seed(1)
    model = build_model(random_architecture(config.space, 4, config.features.input_shape, 1)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        data = maps(model.input_shape)
        longer = F.pad(data, (0, 31))
        torch.testing.assert_close(model(longer, LENGTHS), model(data, LENGTHS), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("preset", PRESETS)
def test_a_frozen_network_has_no_unused_parameter_and_rebuilds_from_json(preset: str, seed: int) -> None:
    torch.manual_seed(seed)
    architecture = drawn(preset, seed)
    model = build_model(Architecture.from_dict(json.loads(json.dumps(architecture.to_dict()))))
    model(maps(model.input_shape), LENGTHS).square().sum().backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert set(without) <= {"shortcut.linear.weight", "shortcut.linear.bias"}, "which is solved for"
    assert not any(isinstance(part, LayerChoice | InputChoice) for part in model.modules())
    names = {name: value.shape for name, value in model.state_dict().items()}
    assert names == {name: value.shape for name, value in build_model(architecture).state_dict().items()}


@pytest.mark.parametrize("preset", PRESETS)
def test_none_is_never_drawn(preset: str) -> None:
    for seed in range(20):
        assert "none" not in drawn(preset, seed).choices.values()
    assert len({drawn(preset, seed).id for seed in range(20)}) > 15


def test_the_space_is_nnis() -> None:
    config = load_config("tiny")
    space = EmoDartsSpace(**load_preset("tiny"), num_classes=4)
    assert isinstance(space, ModelSpace)
    assert space.input_shape == config.features.input_shape
    mutables = space.simplify()
    expected = {}
    for kind, node in nodes(config.space):
        expected[node_label(kind, node)] = list(range(node))
        for state in range(node):
            expected[edge_label(kind, node, state)] = list(candidates(config.space, kind))
    assert {label: list(mutable.values) for label, mutable in mutables.items()} == expected
    assert all(mutables[node_label(kind, node)].n_chosen == 2 for kind, node in nodes(config.space))
    assert space(maps(space.input_shape), LENGTHS).shape == (4, 4)


def test_freeze_takes_a_full_sample() -> None:
    """Strategies name every edge, also those that no node takes."""
    space = EmoDartsSpace(**load_preset("tiny"), num_classes=4)
    sample: dict[str, object] = {}
    model = space.random(sample)
    assert isinstance(model, EmoDartsSpace)
    sample = {label: "skip_connect" if choice == "none" else choice for label, choice in sample.items()}
    frozen = space.freeze(sample)
    assert sum(p.numel() for p in frozen.parameters()) < sum(p.numel() for p in space.parameters()) / 5
    with pytest.raises(ArchitectureError, match="normal_2"):
        space.freeze({**sample, "normal_2": [0, 9]})


def test_options_out_of_bounds() -> None:
    with pytest.raises(ConfigError, match="cnn_cells: 0 is not allowed"):
        EmoDartsSpace(4, (1, 40), cnn_cells=0)
    with pytest.raises(ConfigError, match="cnn_cels: unknown key; did you mean cnn_cells"):
        EmoDartsSpace(4, (1, 40), cnn_cels=2)
    with pytest.raises(ConfigError, match="num_classes: 0 must be at least 1"):
        EmoDartsSpace(0, (1, 40))
    with pytest.raises(ConfigError, match=r"input_shape: \(1, 0\) must be"):
        EmoDartsSpace(4, (1, 0))


@pytest.mark.parametrize("scope", ["all", "lstm", "rnn", "lstm_att", "rnn_att"])
@pytest.mark.parametrize("pooling", ["mean", "attention", "statistics"])
def test_scopes_and_poolings(scope: str, pooling: str) -> None:
    config = load_config("tiny", settings=[f"space.seqnn_scope={scope}", f"space.pooling={pooling}"])
    architecture = random_architecture(config.space, 5, (2, 21), 0)
    family = {
        choice for label, choice in architecture.choices.items() if label.startswith("seqnn") and label.count("_") == 2
    }
    assert family <= set(config.space.sequence_operations)
    assert build_model(architecture)(maps((2, 21)), LENGTHS).shape == (4, 5)


def test_an_architecture_moves_to_other_classes_and_maps() -> None:
    model = build_model(drawn("tiny", 0), num_classes=7, input_shape=(3, 64))
    assert model(maps((3, 64)), LENGTHS).shape == (4, 7)


def test_drop_path_reaches_every_edge_but_skips() -> None:
    torch.manual_seed(0)
    architecture = drawn("tiny", 1)
    model = build_model(architecture).train()
    model.dropout.p = 0.0
    data = maps(model.input_shape)
    assert torch.equal(model(data, LENGTHS), model(data, LENGTHS))
    set_drop_path(model, 0.5)
    assert not torch.equal(model(data, LENGTHS), model(data, LENGTHS))
    model.eval()
    assert torch.equal(model(data, LENGTHS), model(data, LENGTHS))
