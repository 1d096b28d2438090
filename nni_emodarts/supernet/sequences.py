"""States of a SeqNN cell of the supernet, computed source by source instead of edge by edge.

The simple recurrences of all edges that leave a state run side by side, layer by layer: alone each is far too small for
a processor. An LSTM's layer has four times the arithmetic and a good kernel of its own; it is called as it is.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts.nn.masking import frame_mask
from nni_emodarts.nn.recurrence import RecurrentAttention, StackedRecurrence, mirrored_frames, reorder
from nni_emodarts.nn.skip import Zero
from nni_emodarts.space.cells import SeqnnCell, plain_states
from nni_emodarts.space.mixed import MixedOperation, PartialOperation, shuffle
from nni_emodarts.supernet.recurrence import recur_tanh
from nni_emodarts.supernet.sources import is_mixed, source_by_source

Recurrent = StackedRecurrence | RecurrentAttention


def sequence_states(
    cell: SeqnnCell, states: Sequence[Tensor], lengths: Sequence[Tensor], lengths_out: Tensor
) -> list[Tensor]:
    """All states of a cell; equal to `plain_states` within float tolerance."""
    if not is_mixed(cell):
        return plain_states(cell, states, lengths, lengths_out)
    frames = Frames(lengths_out, states[0].shape[1])

    def leave(number: int, state: Tensor, edges: list[MixedOperation], shares: list[Tensor]) -> Iterator[Tensor]:
        first = edges[0]
        if not isinstance(first, PartialOperation):
            yield from _operate(state, frames, edges, shares)
            return
        width = state.shape[2] // first.parts
        chosen, rest = state.split([width, state.shape[2] - width], 2)
        for mixed, share in zip(_operate(chosen, frames, edges, shares), shares, strict=True):
            yield shuffle(torch.cat([mixed, share * rest], 2), first.parts, 2)

    return source_by_source(cell, states, leave)


class Frames:
    """Which frames of a batch are real, and their order backwards."""

    def __init__(self, lengths: Tensor, frames: int) -> None:
        self.lengths = lengths
        self.padding = ~frame_mask(lengths, frames)[:, :, None]
        self.mirror = mirrored_frames(lengths, frames)

    def mirrored(self, sequence: Tensor) -> Tensor:
        """Each utterance backwards, (N, T, D)."""
        return reorder(sequence, self.mirror)


def _operate(
    sequence: Tensor, frames: Frames, edges: Sequence[MixedOperation], shares: Sequence[Tensor]
) -> Iterator[Tensor]:
    """The weighted sum of each edge's operations, times its share: (N, T, D) each."""
    simple = [part for edge in edges for part in edge.children() if _is_simple(part)]
    results = dict(zip(simple, run_side_by_side(sequence, frames, simple), strict=True))
    for edge, share in zip(edges, shares, strict=True):
        weights = share * edge.probabilities()
        terms = [
            weight * (results[edge[name]] if edge[name] in results else edge.operate(name, sequence, frames.lengths))
            for name, weight in zip(edge.names, weights, strict=True)
            if not isinstance(edge[name], Zero)
        ]
        out = functools.reduce(torch.add, terms) if terms else torch.zeros_like(sequence)
        yield out.masked_fill(frames.padding, 0.0)


def _is_simple(operation: nn.Module) -> bool:
    return isinstance(operation, Recurrent) and operation.kind == "rnn"


class Lane(NamedTuple):
    """One recurrence among many: a layer of a module, and what it reads."""

    inputs: Tensor
    module: nn.Module
    layer: int


def run_side_by_side(sequence: Tensor, frames: Frames, operations: Sequence[Recurrent]) -> list[Tensor]:
    """Results (N, T, D) of simple recurrent operations that read the same sequence (N, T, D).

    What lies in the padding is left to the caller.
    """
    states: list[Tensor] = [sequence] * len(operations)
    backwards = {sequence: frames.mirrored(sequence)} if operations else {}
    for layer in range(max((operation.depth for operation in operations), default=0)):
        active = [number for number, operation in enumerate(operations) if operation.depth > layer]
        lanes: list[Lane] = []
        for number in active:
            operation, state = operations[number], states[number]
            if isinstance(operation, StackedRecurrence):
                lanes.append(Lane(state, operation.recurrence, layer))
            else:
                if state not in backwards:
                    backwards[state] = frames.mirrored(state)
                ahead, back = operation.layers[layer].children()
                lanes += [Lane(state, ahead, 0), Lane(backwards[state], back, 0)]
        results = iter(_run_layer(lanes))
        for number in active:
            states[number] = next(results)
            if isinstance(operations[number], RecurrentAttention):
                states[number] = torch.cat([states[number], frames.mirrored(next(results))], 2)
    return [
        operation.attend(state, frames.lengths) if isinstance(operation, RecurrentAttention) else state
        for operation, state in zip(operations, states, strict=True)
    ]


def _run_layer(lanes: Sequence[Lane]) -> list[Tensor]:
    """States (N, T, D) of each lane."""
    order: dict[Tensor, list[int]] = {}
    for number, lane in enumerate(lanes):
        order.setdefault(lane.inputs, []).append(number)
    drives = [_drive(inputs, [lanes[number] for number in numbers]) for inputs, numbers in order.items()]
    turn = [number for numbers in order.values() for number in numbers]
    across = torch.stack([getattr(lanes[number].module, f"weight_hh_l{lanes[number].layer}") for number in turn])
    states = recur_tanh(torch.cat(drives, 1), across).unbind(1)
    found = {number: state.transpose(0, 1) for number, state in zip(turn, states, strict=True)}
    return [found[number] for number in range(len(lanes))]


def _drive(inputs: Tensor, lanes: Sequence[Lane]) -> Tensor:
    """What arrives from the inputs (N, T, D) at lanes that share them: (T, lanes, N, D)."""
    weight = torch.cat([getattr(lane.module, f"weight_ih_l{lane.layer}") for lane in lanes])
    bias = torch.cat(
        [
            getattr(lane.module, f"bias_ih_l{lane.layer}") + getattr(lane.module, f"bias_hh_l{lane.layer}")
            for lane in lanes
        ]
    )
    drive: Tensor = F.linear(inputs, weight, bias).unflatten(2, (len(lanes), -1))
    return drive.permute(1, 2, 0, 3)
