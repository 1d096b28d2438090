"""The order in which an accelerated cell computes: state by state, all edges that leave it at once."""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from nni_emodarts.space.mixed import MixedNode, MixedOperation, PartialOperation, shuffle

Leave = Callable[[int, Tensor, list[MixedOperation], list[Tensor]], Iterable[Tensor]]
"""(number of a state, the state, edges that leave it, their shares) -> the edges' results times their shares.

Results are those before channels are shuffled, which is done once for a node's sum.
"""

Around = Callable[[Leave], Leave]
"""How edges are computed: as they are, or twice."""


def as_it_is(leave: Leave) -> Leave:
    """Edges computed once, and all that their gradients need kept."""
    return leave


def is_mixed(cell: Any) -> bool:
    """Whether every choice of a cell is a weighted sum; of sampled paths only one is computed anyway."""
    return all(
        isinstance(node.inputs, MixedNode) and all(isinstance(edge, MixedOperation) for edge in node.edges.values())
        for node in cell.nodes
    )


def source_by_source(cell: Any, states: Sequence[Tensor], leave: Leave) -> list[Tensor]:
    """All states of a mixed cell: its inputs, then its nodes.

    Args:
        cell: the cell.
        states: its two input states.
        leave: computes the edges that leave a state.
    """
    edges = [list(node.edges.values()) for node in cell.nodes]
    shares = [node.inputs.probabilities() for node in cell.nodes]
    arriving: list[list[Tensor]] = [[] for _ in edges]
    found = list(states)
    for number in range(len(states) + len(edges)):
        if number >= len(states):
            found.append(_shuffled(functools.reduce(torch.add, arriving[number - len(states)]), edges[0][0]))
        nodes = range(max(number - len(states) + 1, 0), len(edges))
        if not nodes:
            break
        results = leave(
            number, found[number], [edges[node][number] for node in nodes], [shares[node][number] for node in nodes]
        )
        for node, result in zip(nodes, results, strict=True):
            arriving[node].append(result)
    return found


def _shuffled(state: Tensor, edge: MixedOperation) -> Tensor:
    """A node's sum (N, C, F, T) or (N, T, D), of edges such as this one."""
    return shuffle(state, edge.parts, 1 if state.dim() == 4 else 2) if isinstance(edge, PartialOperation) else state
