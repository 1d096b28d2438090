"""States of a SeqNN cell of the supernet, computed source by source instead of edge by edge.

The recurrences of all edges that leave a state run side by side, layer by layer: alone each is far too small for a
processor. Only a wide LSTM on a CPU is called as it is, since the library's kernel is near the processor's peak.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts.nn.masking import frame_mask
from nni_emodarts.nn.recurrence import (
    BidirectionalLayer,
    RecurrentAttention,
    StackedRecurrence,
    mirrored_frames,
    reorder,
)
from nni_emodarts.nn.skip import Zero
from nni_emodarts.space.cells import SeqnnCell, plain_states
from nni_emodarts.space.mixed import MixedOperation, PartialOperation, shuffle
from nni_emodarts.supernet.recurrence import recur_lstm, recur_tanh
from nni_emodarts.supernet.sources import is_mixed, source_by_source

Recurrent = StackedRecurrence | RecurrentAttention

NARROW = 64
"""Width of an LSTM up to which many side by side are faster than one after the other by the library's kernel."""


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
    recurrent = [part for edge in edges for part in edge.children() if isinstance(part, Recurrent)]
    results = run_side_by_side(sequence, frames, recurrent)
    for edge, share in zip(edges, shares, strict=True):
        weights = share * edge.probabilities()
        terms = [
            weight * (results[edge[name]] if edge[name] in results else edge.operate(name, sequence, frames.lengths))
            for name, weight in zip(edge.names, weights, strict=True)
            if not isinstance(edge[name], Zero)
        ]
        out = functools.reduce(torch.add, terms) if terms else torch.zeros_like(sequence)
        yield out.masked_fill(frames.padding, 0.0)


def run_side_by_side(sequence: Tensor, frames: Frames, operations: Sequence[Recurrent]) -> dict[Recurrent, Tensor]:
    """Results (N, T, D) of recurrent operations that read the same sequence (N, T, D).

    A layer that several operations share is run once. What lies in the padding is left to the caller.
    """
    states = dict.fromkeys(operations, sequence)
    for depth in range(max((len(operation.layers) for operation in operations), default=0)):
        active = [operation for operation in operations if len(operation.layers) > depth]
        results = _run_layers({operation.layers[depth]: states[operation] for operation in active}, frames)
        states.update((operation, results[operation.layers[depth]]) for operation in active)
    return {
        operation: operation.attend(state, frames.lengths) if isinstance(operation, RecurrentAttention) else state
        for operation, state in states.items()
    }


def _run_layers(inputs: Mapping[nn.Module, Tensor], frames: Frames) -> dict[nn.Module, Tensor]:
    """What each layer makes of its input (N, T, D)."""
    lanes: dict[Any, Tensor] = {}
    mirrored: dict[Tensor, Tensor] = {}
    for layer, sequence in inputs.items():
        if isinstance(layer, BidirectionalLayer):
            if sequence not in mirrored:
                mirrored[sequence] = frames.mirrored(sequence)
            lanes[layer.forwards], lanes[layer.backwards] = sequence, mirrored[sequence]
        else:
            lanes[layer] = sequence
    found = {
        **_run_lanes({lane: read for lane, read in lanes.items() if isinstance(lane, nn.RNN)}, recur_tanh),
        **_run_lanes({lane: read for lane, read in lanes.items() if isinstance(lane, nn.LSTM)}, recur_lstm),
    }
    return {
        layer: torch.cat([found[layer.forwards], frames.mirrored(found[layer.backwards])], 2)
        if isinstance(layer, BidirectionalLayer)
        else found[layer]
        for layer in inputs
    }


def _run_lanes(lanes: Mapping[Any, Tensor], recur: Callable[[Tensor, Tensor], Tensor]) -> dict[Any, Tensor]:
    """States (N, T, D) of recurrences of one kind, by what they read (N, T, D')."""
    if not lanes:
        return {}
    first = next(iter(lanes))
    if isinstance(first, nn.LSTM) and first.hidden_size > NARROW and first.weight_hh_l0.device.type == "cpu":
        return {lane: lane(sequence)[0] for lane, sequence in lanes.items()}
    readers: dict[Tensor, list[Any]] = {}
    for lane, sequence in lanes.items():
        readers.setdefault(sequence, []).append(lane)
    drive = torch.cat([_drive(sequence, together) for sequence, together in readers.items()], 1)
    order = [lane for together in readers.values() for lane in together]
    states = recur(drive, torch.stack([lane.weight_hh_l0 for lane in order])).unbind(1)
    return {lane: state.transpose(0, 1) for lane, state in zip(order, states, strict=True)}


def _drive(inputs: Tensor, lanes: Sequence[Any]) -> Tensor:
    """What arrives from the inputs (N, T, D) at lanes that share them: (T, lanes, N, D')."""
    weight = torch.cat([lane.weight_ih_l0 for lane in lanes])
    bias = torch.cat([lane.bias_ih_l0 + lane.bias_hh_l0 for lane in lanes])
    drive: Tensor = F.linear(inputs, weight, bias).unflatten(2, (len(lanes), -1))
    return drive.permute(1, 2, 0, 3)
