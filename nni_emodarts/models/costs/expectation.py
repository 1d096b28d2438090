"""The expected cost of the network that a supernet will be derived to, differentiable in its probabilities."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from nni_emodarts.config import NONE
from nni_emodarts.models.architecture import STREAM
from nni_emodarts.models.costs.table import Costs, CostsByStream


class ExpectedCost(nn.Module):
    """Cost of a network drawn edge by edge (ProxylessNAS, Cai et al. 2019, eq. 4; FBNet, Wu et al. 2019).

    The expectation is `fixed` plus, over edges, the chance that the node takes the edge times the sum over operations
    of probability times cost. A derived network holds the best operation other than `none`; so the probabilities of
    the others are taken in proportion, whatever `none` has.

    It has no parameters, and its costs move with `to`. Of probabilities in float64 the result is exact.
    """

    def __init__(self, costs: Costs, names: Mapping[str, Sequence[str]] | None = None) -> None:
        """Take over the costs.

        Args:
            costs: of the space.
            names: edge label -> its operations in the order of the probabilities; the order of `costs` where absent.

        Raises:
            KeyError: an edge or an operation that `costs` or `names` does not have.
        """
        super().__init__()
        self.fixed = costs.fixed
        self._nodes = dict(costs.nodes)
        self._layers = tuple(costs.layers)
        for label, table in costs.layers.items():
            priced = torch.tensor(list(table.values()), dtype=torch.float64)
            self.register_buffer(f"{label}_costs", priced, persistent=False)
        for edge, table in costs.edges.items():
            order = list(table if names is None else names[edge])
            priced = torch.tensor([table[name] for name in order], dtype=torch.float64)
            self.register_buffer(f"{edge}_costs", priced, persistent=False)
            kept = torch.tensor([name != NONE for name in order])
            self.register_buffer(f"{edge}_kept", kept, persistent=False)

    def forward(self, operation_probabilities: Mapping[str, Tensor], input_weights: Mapping[str, Tensor]) -> Tensor:
        """Probabilities -> the expected cost, a scalar.

        Args:
            operation_probabilities: edge label -> probability of each operation (O,), `none` included; likewise of
                choices outside the cells.
            input_weights: node label -> chance that each edge is taken (node,), in [0, 1], two in sum; see
                `taken_probabilities`.

        Raises:
            KeyError: a label is missing.
            ValueError: an edge has not as many probabilities as operations.
        """
        terms = [
            torch.dot(
                input_weights[node],
                torch.stack([self._edge_cost(edge, operation_probabilities[edge]) for edge in edges]),
            )
            for node, edges in self._nodes.items()
        ]
        for label in self._layers:
            probabilities = operation_probabilities[label]
            terms.append(torch.dot(probabilities, self.get_buffer(f"{label}_costs").to(probabilities)))
        return self.fixed + torch.stack(terms).sum()

    def _edge_cost(self, edge: str, probabilities: Tensor) -> Tensor:
        alike = self.get_buffer(f"{edge}_kept").to(probabilities)
        if probabilities.shape != alike.shape:
            raise ValueError(
                f"{edge}: {len(alike)} operations, but probabilities of shape {tuple(probabilities.shape)}"
            )
        kept = probabilities * alike
        rest = kept.sum()
        least = torch.finfo(kept.dtype).eps
        # Where `none` has everything, nothing tells the others apart, and they count alike.
        shares = torch.where(rest > least, kept / rest.clamp(min=least), alike / alike.sum())
        return torch.dot(shares, self.get_buffer(f"{edge}_costs").to(kept))


class ExpectedCostByStream(nn.Module):
    """Cost of a network of which is also drawn what it hears, and with it what everything else costs."""

    def __init__(self, costs: CostsByStream) -> None:
        """Take over the costs."""
        super().__init__()
        self.options = nn.ModuleList(ExpectedCost(each) for each in costs.options.values())

    def forward(self, operation_probabilities: Mapping[str, Tensor], input_weights: Mapping[str, Tensor]) -> Tensor:
        """Probabilities -> the expected cost, a scalar; arguments as for `ExpectedCost`, the streams' among them."""
        each = [option(operation_probabilities, input_weights) for option in self.options]
        return torch.dot(operation_probabilities[STREAM], torch.stack(each))


def expected_cost(costs: Costs | CostsByStream) -> ExpectedCost | ExpectedCostByStream:
    """The expected cost of a space's networks."""
    return ExpectedCostByStream(costs) if isinstance(costs, CostsByStream) else ExpectedCost(costs)


def taken_probabilities(weights: Tensor) -> Tensor:
    """Chance that a node takes each of its edges, where its two are drawn one after the other without replacement.

    P(i) = p_i + sum_{j != i} p_j p_i / (1 - p_j). The two strongest logits under Gumbel noise are such a draw (Kool et
    al. 2019). Chances are at most 1 and two in sum, which twice the softmax is not.

    Args:
        weights: softmax over the node's predecessors, (node,), at least two.

    Returns:
        (node,).
    """
    same = torch.eye(len(weights), dtype=torch.bool, device=weights.device)
    others = weights.expand(len(weights), -1).masked_fill(same, 0.0)
    # 1 - p_j as the sum of the others keeps its digits where p_j is nearly 1.
    rest = others.sum(1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
    return weights + (weights[:, None] * others / rest).sum(0)
