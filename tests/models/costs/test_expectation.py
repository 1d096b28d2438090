"""The expected cost against every network of a small space, drawn networks and finite differences."""

import itertools
from typing import Any

import pytest
import torch
from drawn_networks import FRAMES, SHAPE, SMALL, every_network
from torch import Tensor
from torch.nn import functional as F

from nni_emodarts.config import PRESETS, load_config
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.costs import Costs, ExpectedCost, architecture_cost, operation_costs, taken_probabilities
from nni_emodarts.models.space import random_architecture


def certain(architecture: Architecture, costs: Costs, none: float = 0.0) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Probabilities of an architecture: one-hot, but for what `none` is given; edges left out hold anything."""
    operations = {}
    for edge, table in costs.edges.items():
        name = architecture.choices.get(edge, next(iter(table)))
        one = torch.tensor([float(other == name) for other in table], dtype=torch.float64) * (1 - none)
        if none:
            one[list(table).index("none")] = none
        operations[edge] = one
    for label, table in costs.layers.items():
        name = architecture.choices[label]
        operations[label] = torch.tensor([float(other == name) for other in table], dtype=torch.float64)
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
