"""Cells of the joint space: nodes that sum chosen edges, written with NNI's LayerChoice and InputChoice.

Under NNI's `model_context` the same code builds a frozen cell: NNI then returns `ChosenInputs` for an `InputChoice`,
which says which edges to build, and no other operation is ever made.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nni_emodarts.config import SpaceConfig
from nni_emodarts.models.architecture import CellKind, edge_label, node_label
from nni_emodarts.models.nn.convolution import ReluConvNorm
from nni_emodarts.models.nn.drop_path import DropPath
from nni_emodarts.models.nn.primitives import alignment, cnn_operation, sequence_operation
from nni_emodarts.models.nn.skip import Skip
from nni_emodarts.models.places import CnnPlace
from nni_emodarts.nni_bridge.nas import Categorical, InputChoice, LayerChoice, current_model

Make = Callable[..., nn.Module]
"""(operation, predecessor, parts=1) -> module at one of `parts` of the cell's width."""


class Node(nn.Module):
    """A node: an operation on every edge that leads to it, and the choice of the two edges that it sums."""

    def __init__(self, kind: CellKind, node: int, names: Sequence[str], make: Make) -> None:
        """Declare the choices of a node.

        Args:
            kind: kind of the cell.
            node: number of the node; it may take states 0 to node - 1.
            names: operations that an edge may hold.
            make: makes the module of an operation.
        """
        super().__init__()
        self.inputs = InputChoice(node, n_chosen=SpaceConfig.N_CHOSEN, label=node_label(kind, node))
        arch = current_model()
        predecessors = range(node) if arch is None else self.inputs.chosen
        self.edges = nn.ModuleDict()
        for state in predecessors:
            label = edge_label(kind, node, state)
            if arch is None:
                operation = LayerChoice({name: make(name, state) for name in names}, label=label)
                operation.narrow = functools.partial(_narrow, names, make, state)
            else:
                operation = make(Categorical(list(names), label=label).freeze(arch), state)
            self.edges[str(state)] = operation
        self.drop_path = DropPath()

    def forward(self, states: Sequence[Tensor], lengths: Sequence[Tensor]) -> Tensor:
        """The states before this node, each with its lengths -> the node's state."""
        results: list[Tensor | None] = [None] * len(states)
        taken = getattr(self.inputs, "taken", range(len(states)))  # a supernet of sampled paths takes some edges only
        for name, edge in self.edges.items():
            state = int(name)
            if state not in taken:
                continue
            result = _operation(edge)(states[state], lengths[state])
            results[state] = result if isinstance(edge, Skip) else self.drop_path(result)
        out: Tensor = self.inputs(results)
        return out


def _narrow(names: Sequence[str], make: Make, state: int, parts: int) -> dict[str, nn.Module]:
    """An edge's operations at one of `parts` of the width."""
    return {name: make(name, state, parts) for name in names}


def _operation(edge: LayerChoice) -> Callable[[Tensor, Tensor], Tensor]:
    """An edge's module; of a choice that no strategy has turned into anything yet, its first candidate."""
    operation: Callable[[Tensor, Tensor], Tensor] = edge[edge.names[0]] if type(edge) is LayerChoice else edge
    return operation


ComputeStates = Callable[[Any, Sequence[Tensor], Sequence[Tensor], Tensor], list[Tensor]]
"""(cell, its two input states, their lengths, lengths of its nodes) -> all of its states."""


def plain_states(cell: Any, states: Sequence[Tensor], lengths: Sequence[Tensor], lengths_out: Tensor) -> list[Tensor]:
    """The states of a cell, node by node and edge by edge."""
    found = list(states)
    for node in cell.nodes:
        found.append(node(found, [*lengths, *[lengths_out] * (len(found) - 2)]))
    return found


class CnnCell(nn.Module):
    """A cell on maps. Its nodes are concatenated; a reduction cell halves time and frequency and doubles channels.

    Attributes:
        compute_states: computes its nodes; a supernet may have a faster one.
    """

    compute_states: ComputeStates = staticmethod(plain_states)

    def __init__(self, place: CnnPlace, nodes: int, names: Sequence[str], affine: bool, time_only: bool) -> None:
        """Build a cell.

        Args:
            place: where it stands.
            nodes: number of nodes.
            names: operations that an edge may hold.
            affine: whether normalisation scales; not in a supernet, where it would undo the alphas.
            time_only: whether maps have a single bin, so that operations work over time alone.
        """
        super().__init__()
        kind: CellKind = "reduce" if place.reduction else "normal"
        channels = place.channels
        self.align_before = alignment(place.before, channels, affine, place.after_reduction, time_only)
        self.align_last = ReluConvNorm(place.last, channels, affine)
        self.stride = 2 if place.reduction else 1

        def make(name: str, predecessor: int, parts: int = 1) -> nn.Module:
            return cnn_operation(name, channels // parts, self.stride if predecessor < 2 else 1, affine, time_only)

        self.nodes = nn.ModuleList(Node(kind, 2 + node, names, make) for node in range(nodes))
        self.out_channels = channels * nodes

    def forward(
        self, before: Tensor, last: Tensor, lengths_before: Tensor, lengths: Tensor, lengths_out: Tensor
    ) -> Tensor:
        """Maps (N, C, F, T) of the two cells before, with their lengths -> (N, C', F', T')."""
        states = [self.align_before(before, lengths_before), self.align_last(last, lengths)]
        return torch.cat(self.compute_states(self, states, [lengths, lengths], lengths_out)[2:], 1)


class SeqnnCell(nn.Module):
    """A cell on sequences. Its nodes are averaged, which keeps the width, and normalised frame by frame.

    Attributes:
        compute_states: computes its nodes; a supernet may have a faster one.
    """

    compute_states: ComputeStates = staticmethod(plain_states)

    def __init__(self, width: int, nodes: int, names: Sequence[str], normalized: bool) -> None:
        """Build a cell.

        Args:
            width: features D of a frame.
            nodes: number of nodes.
            names: operations that an edge may hold.
            normalized: whether recurrent operations end in a normalisation.
        """
        super().__init__()

        def make(name: str, predecessor: int, parts: int = 1) -> nn.Module:
            return sequence_operation(name, width // parts, normalized)

        self.nodes = nn.ModuleList(Node("seqnn", 2 + node, names, make) for node in range(nodes))
        self.norm = nn.LayerNorm(width)

    def forward(self, before: Tensor, last: Tensor, lengths: Tensor) -> Tensor:
        """Sequences (N, T, D) of the two cells before -> (N, T, D)."""
        states = self.compute_states(self, [before, last], [lengths, lengths], lengths)
        out: Tensor = self.norm(torch.stack(states[2:]).mean(0))
        return out


def set_drop_path(model: nn.Module, chance: float) -> None:
    """Set the chance that an edge other than a skip connection is dropped for a sample in training."""
    for part in model.modules():
        if isinstance(part, DropPath):
            part.chance = chance
