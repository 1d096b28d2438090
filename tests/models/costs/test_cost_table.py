"""The table of costs against every network of a small space."""

from typing import Any

import numpy as np
import pytest
from drawn_networks import FRAMES, SHAPE, SMALL, every_network, some_architecture

from nni_emodarts.config import CNN_PRIMITIVES, SpaceConfig, load_config
from nni_emodarts.models.costs import architecture_cost, operation_costs
from nni_emodarts.models.space import random_architecture


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
