"""Parameters against those of networks that are built."""

import pytest
from drawn_networks import count, some_architecture

from nni_emodarts.config import PRESETS, SCOPES, load_config
from nni_emodarts.models.costs import architecture_cost
from nni_emodarts.models.space import build_model, random_architecture


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("preset", PRESETS)
def test_parameters_are_those_of_the_built_network(preset: str, scope: str) -> None:
    config = load_config(preset, settings=[f"space.seqnn_scope={scope}", "space.seqnn_primitives=null"])
    for seed in range(3):
        drawn = random_architecture(config.space, 4, config.features.input_shape, seed)
        assert architecture_cost(drawn, "parameters", 50) == count(build_model(drawn))


@pytest.mark.parametrize("seed", range(24))
def test_parameters_hold_for_spaces_of_all_sorts(seed: int) -> None:
    drawn = some_architecture(seed)
    assert architecture_cost(drawn, "parameters", 1) == count(build_model(drawn))
    other = {"num_classes": 11, "input_shape": (4, 13)}
    assert architecture_cost(drawn, "parameters", 1, **other) == count(build_model(drawn, **other))
