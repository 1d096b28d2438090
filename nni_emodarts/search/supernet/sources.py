"""The order in which an accelerated cell computes: state by state, all edges that leave it at once."""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nni_emodarts.models.nn.autograd import Context
from nni_emodarts.models.space.mixed import MixedNode, MixedOperation, PartialOperation, shuffle

Leave = Callable[[list[int], list[Tensor], list[list[MixedOperation]], list[list[Tensor]]], Iterable[Tensor]]
"""(numbers of states, their channels that pass operations, edges that leave each, their shares) -> results of all edges
times their shares, state after state."""

Pass = Callable[[int, Tensor], Tensor]
"""(number of a state, its channels that pass operations by) -> what nodes get of them."""


Around = Callable[[Leave], Leave]
"""How edges are computed, once it is known what they compute."""


def as_it_is(leave: Leave) -> Leave:
    """Edges whose inner results are kept for the backward pass."""
    return leave


def is_mixed(cell: Any) -> bool:
    """Whether every choice of a cell is a weighted sum; of sampled paths only one is computed anyway."""
    return all(
        isinstance(node.inputs, MixedNode) and all(isinstance(edge, MixedOperation) for edge in node.edges.values())
        for node in cell.nodes
    )


def source_by_source(cell: Any, states: Sequence[Tensor], leave: Leave, pass_by: Pass, axis: int) -> list[Tensor]:
    """All states of a mixed cell: its inputs, then its nodes.

    Of partial operations a node sums first what passed them and what did not, and joins and shuffles the two sums
    once, where the plain modules do so on each edge.

    Args:
        cell: the cell.
        states: its two input states.
        leave: computes the edges that leave a state.
        pass_by: computes what passes by all edges that leave a state.
        axis: of the channels.
    """
    edges = [list(node.edges.values()) for node in cell.nodes]
    shares = [node.inputs.probabilities().unbind() for node in cell.nodes]
    parts = edges[0][0].parts if isinstance(edges[0][0], PartialOperation) else 1
    arriving: list[list[Tensor]] = [[] for _ in edges]
    passing: list[Tensor] = []
    found = list(states)
    numbers = list(range(len(states)))  # the two inputs are there at once, then node after node
    for node in range(len(edges)):
        chosen = [_part(found[number], parts, axis) for number in numbers]
        if parts > 1:
            passing += [pass_by(number, rest) for number, (_, rest) in zip(numbers, chosen, strict=True)]
        leaving = [(number, to) for number in numbers for to in range(max(number - len(states) + 1, 0), len(edges))]
        results = leave(
            numbers,
            [part for part, _ in chosen],
            [[edges[to][number] for source, to in leaving if source == number] for number in numbers],
            [[shares[to][number] for source, to in leaving if source == number] for number in numbers],
        )
        for (_, to), result in zip(leaving, results, strict=True):
            arriving[to].append(result)
        numbers = [len(found)]
        found.append(_join(arriving[node], shares[node], passing, parts, axis))
    return found


def _part(state: Tensor, parts: int, axis: int) -> tuple[Tensor, Tensor]:
    """The channels that pass operations, and the others."""
    width = state.shape[axis] // parts
    chosen, rest = state.split([width, state.shape[axis] - width], axis)
    return chosen, rest


def _join(
    arriving: Sequence[Tensor], shares: Sequence[Tensor], passing: Sequence[Tensor], parts: int, axis: int
) -> Tensor:
    """A node: the sum of what arrives from operations, beside the weighted sum of what passed them by."""
    mixed = functools.reduce(torch.add, arriving)
    if parts == 1:
        return mixed
    return shuffle(torch.cat([mixed, weighted_sum(shares, passing)], axis), parts, axis)


class _WeightedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Context, *terms: Tensor) -> Tensor:
        ctx.save_for_backward(*terms)
        weights, items = terms[::2], terms[1::2]
        out = weights[0] * items[0]
        for weight, item in zip(weights[1:], items[1:], strict=True):
            out.addcmul_(weight, item)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Context, gradient: Tensor) -> tuple[Tensor | None, ...]:
        terms, needs = ctx.saved_tensors, ctx.needs_input_grad
        found: list[Tensor | None] = []
        for position in range(0, len(terms), 2):
            weight, item = terms[position], terms[position + 1]
            found.append((gradient * item).sum() if needs[position] else None)
            found.append(gradient * weight if needs[position + 1] else None)
        return tuple(found)


def weighted_sum(weights: Sequence[Tensor], items: Sequence[Tensor]) -> Tensor:
    """Sum of weight * item, weights being single numbers. No product is stored."""
    terms = [tensor for term in zip(weights, items, strict=True) for tensor in term]
    out: Tensor = _WeightedSum.apply(*terms)
    return out
