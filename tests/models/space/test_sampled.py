"""Supernets of single paths: what is computed, what is drawn, and the gradient of the gates."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from nni.mutable import frozen_context
from torch import nn

from nni_emodarts import EmoDartsSpace, build_model, load_preset
from nni_emodarts.config import NONE, load_config
from nni_emodarts.config.strategies import STRATEGIES
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.costs import ExpectedCost, operation_costs
from nni_emodarts.models.space.cells import Node
from nni_emodarts.models.space.sampled import GatedNode, GatedOperation, SampledNode, SampledOperation
from nni_emodarts.search.one_shot import make_strategy
from nni_emodarts.search.one_shot.terms import CostTerm

LENGTHS = torch.tensor([20, 11])


def supernet(name: str) -> tuple[EmoDartsSpace, Any]:
    """A supernet of single paths, and the module that searches it."""
    torch.manual_seed(0)
    strategy = make_strategy(name, STRATEGIES[name].options(), 5.0, [])
    space = strategy.mutate_model(EmoDartsSpace(**load_preset("tiny"), num_classes=4))
    task = nn.Module()
    task.model = space
    return space, strategy.configure_oneshot_module(task)


def data(space: EmoDartsSpace) -> torch.Tensor:
    maps = torch.randn(2, *space.input_shape, 20)
    maps[1, ..., 11:] = 0
    return maps


def calls(space: EmoDartsSpace) -> dict[str, int]:
    """Label of an edge and operation -> how often a forward pass computes it."""
    counts: dict[str, int] = {}

    def counter(key: str) -> Any:
        return lambda *_: counts.update({key: counts.get(key, 0) + 1})

    hooks = [
        edge[name].register_forward_hook(counter(f"{edge.label}:{name}"))
        for edge in space.modules()
        if isinstance(edge, SampledOperation)
        for name in edge.names
    ]
    space(data(space), LENGTHS)
    for hook in hooks:
        hook.remove()
    return counts


def edges(sample: dict[str, Any]) -> Iterator[str]:
    for label, chosen in sample.items():
        if isinstance(chosen, list):
            yield from (f"{label}_{state}:{sample[f'{label}_{state}']}" for state in chosen)


@pytest.mark.parametrize("name", ["random_one_shot", "proxyless"])
def test_a_step_computes_the_edges_of_one_path(name: str) -> None:
    space, search = supernet(name)
    sample = search.resample()
    once = {"normal": 1, "reduce": 1, "seqnn": 1}  # cells of a kind in the preset
    assert calls(space) == {edge: once[edge.split("_")[0]] for edge in edges(sample)}


def test_a_path_is_the_network_that_it_stands_for() -> None:
    space, search = supernet("random_one_shot")
    sample = search.resample()
    model = build_model(Architecture.from_choices(space.description, sample, 4, space.input_shape))
    parts = dict(space.named_modules())
    for name, part in model.named_modules():
        if isinstance(part, Node):
            for state, edge in part.edges.items():
                mixed = parts[name].edges[state]
                edge.load_state_dict(mixed[sample[mixed.label]].state_dict(), strict=False)
    shared = {key: value for key, value in space.state_dict().items() if ".edges." not in key}
    model.load_state_dict(shared, strict=False)
    maps = data(space)
    torch.testing.assert_close(model.eval()(maps, LENGTHS), space.eval()(maps, LENGTHS), atol=1e-5, rtol=1e-4)


def test_draws_are_even_and_leave_none_out() -> None:
    space, search = supernet("random_one_shot")
    samples = [search.resample() for _ in range(300)]
    assert not any(choice == NONE for sample in samples for choice in sample.values())
    pairs = [tuple(sample["normal_3"]) for sample in samples]
    assert set(pairs) == {(0, 1), (0, 2), (1, 2)}
    assert max(pairs.count(pair) for pair in set(pairs)) < 140, "100 each are expected"
    names = [sample["normal_2_0"] for sample in samples]
    options = next(part for part in space.modules() if isinstance(part, SampledOperation)).options
    assert set(names) == set(options)


def test_seeds_decide_the_draws() -> None:
    _, search = supernet("random_one_shot")
    torch.manual_seed(5)
    first = search.resample()
    torch.manual_seed(5)
    assert search.resample() == first


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor, dtype=torch.float64))

    def forward(self, inputs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return self.factor * inputs


def test_a_gate_compares_two_operations_as_the_paper_has_it() -> None:
    """dL/dalpha_i = sum_j dL/dg_j q_j (delta_ij - q_i), with dL/dg_j = <dL/dy, o_j>; nothing for the third."""
    alpha = nn.Parameter(torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64))
    with frozen_context():
        edge = GatedOperation({"a": Times(1.0), "b": Times(2.0), "c": Times(5.0)}, alpha, "edge")
    inputs = torch.tensor([[1.0, -3.0], [2.0, 0.5]], dtype=torch.float64)
    edge.take("b", "c")
    out = edge(inputs, LENGTHS)
    torch.testing.assert_close(out, 2 * inputs)
    (out**2).sum().backward()
    q = torch.softmax(alpha.detach()[1:], 0)
    binary = torch.stack([(2 * out.detach() * inputs * factor).sum() for factor in (2.0, 5.0)])
    expected = torch.stack([q[i] * (binary[i] - (q * binary).sum()) for i in range(2)])
    torch.testing.assert_close(alpha.grad, torch.cat([torch.zeros(1, dtype=torch.float64), expected]))
    assert edge["b"].factor.grad is not None
    assert edge["c"].factor.grad is None
    assert edge["a"].factor.grad is None


def test_a_gate_compares_two_pairs_of_inputs() -> None:
    alpha = nn.Parameter(torch.zeros(3, dtype=torch.float64))
    with frozen_context():
        node = GatedNode(3, 2, alpha, "node")
    node.take((0, 1), (1, 2))
    assert node.taken == [0, 1, 2]
    inputs = [torch.tensor([value], dtype=torch.float64, requires_grad=True) for value in (1.0, 10.0, 100.0)]
    node(inputs).sum().backward()
    torch.testing.assert_close(alpha.grad, torch.tensor([11 - 110, 0, 110 - 11], dtype=torch.float64) / 4)
    assert [state.grad is not None for state in inputs] == [True, True, False]
    node.take((0, 2))
    assert (node.taken, node.rival) == ([0, 2], None)


def test_chances_of_inputs_are_those_of_the_sets_that_hold_them() -> None:
    """Pairs 01, 02, 12 with chances 1/7, 2/7, 4/7: input 0 is in the first two."""
    with frozen_context():
        node = GatedNode(3, 2, nn.Parameter(torch.log(torch.tensor([1.0, 2.0, 4.0]))), "node")
    torch.testing.assert_close(node.taken_probabilities(), torch.tensor([3.0, 5.0, 6.0]) / 7)


def test_the_price_of_gated_paths_is_the_mean_over_the_paths() -> None:
    """Every set of inputs of every node counted, with the chance that its alphas give it, and so is the gradient."""
    space, search = supernet("proxyless")
    config = load_config("tiny")
    costs = operation_costs(config.space, config.features.input_shape, 4, "parameters", 50)
    for alpha in search.arch_parameters():
        nn.init.normal_(alpha, std=1.5)

    def price_of_edge(label: str) -> torch.Tensor:
        table = costs.edges[label]
        alpha = search.edge_alphas()[label]
        kept = [position for position, name in enumerate(table) if name != NONE]
        priced = torch.tensor([table[name] for name in table if name != NONE], dtype=torch.float32)
        return torch.softmax(alpha[kept], 0) @ priced

    nodes = {part.label: part for part in space.modules() if isinstance(part, GatedNode)}
    expected = sum(
        chance * sum(price_of_edge(f"{label}_{state}") for state in option)
        for label, node in nodes.items()
        for option, chance in zip(node.options, node.probabilities(), strict=True)
    )
    priced = CostTerm(1.0, ExpectedCost(costs), costs.mean)(search)
    torch.testing.assert_close(priced * costs.mean, costs.fixed + expected)
    alphas = search.arch_parameters()
    for found, wanted in zip(
        torch.autograd.grad(priced * costs.mean, alphas), torch.autograd.grad(expected, alphas), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-2)


def test_gates_export_the_strongest_without_none() -> None:
    space, search = supernet("proxyless")
    with torch.no_grad():
        for part in space.modules():
            if isinstance(part, GatedOperation):
                part._arch_alpha.zero_()[part.names.index(NONE)] = 9
                part._arch_alpha[part.names.index("skip_connect")] = 1
            elif isinstance(part, GatedNode):
                part._arch_alpha.zero_()[-1] = 1
    choices = search.export()
    assert choices == search.export()
    assert {choice for choice in choices.values() if isinstance(choice, str)} == {"skip_connect"}
    assert (choices["normal_2"], choices["normal_3"]) == ([0, 1], [1, 2])


def test_an_alpha_step_computes_two_paths_at_most() -> None:
    space, search = supernet("proxyless")
    search._comparing = True
    search.resample()
    counts = calls(space)
    gates = [part for part in space.modules() if isinstance(part, GatedNode)]
    assert len(counts) <= 2 * sum(len(gate.taken) for gate in gates)
    assert all(isinstance(gate, SampledNode) and len(gate.taken) <= 4 for gate in gates)
