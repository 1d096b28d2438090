"""States of a SeqNN cell of the supernet, computed source by source instead of edge by edge.

The recurrences of all edges that leave a state run side by side, layer by layer: alone each is far too small for a
processor. Only a wide LSTM on a CPU is called as it is, since the library's kernel is near the processor's peak.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts.models.nn.masking import frame_mask
from nni_emodarts.models.nn.recurrence import (
    BidirectionalLayer,
    RecurrentAttention,
    StackedRecurrence,
    mirrored_frames,
    reorder,
)
from nni_emodarts.models.nn.skip import Zero
from nni_emodarts.models.space.cells import SeqnnCell, plain_states
from nni_emodarts.models.space.mixed import MixedOperation
from nni_emodarts.search.supernet.recurrence import recur_lstm, recur_tanh
from nni_emodarts.search.supernet.sources import Around, as_it_is, is_mixed, source_by_source

Recurrent = StackedRecurrence | RecurrentAttention

NARROW = 64
"""Width of an LSTM up to which many side by side are faster than one after the other by the library's kernel."""


Lane = Any
"""A recurrence in one direction, `nn.RNN` or `nn.LSTM`; torch does not type its weights as tensors."""


def sequence_states(
    cell: SeqnnCell,
    states: Sequence[Tensor],
    lengths: Sequence[Tensor],
    lengths_out: Tensor,
    around: Around = as_it_is,
) -> list[Tensor]:
    """All states of a cell; equal to `plain_states` within float tolerance."""
    if not is_mixed(cell):
        return plain_states(cell, states, lengths, lengths_out)
    frames = Frames(lengths_out, states[0].shape[1])

    def leave(
        numbers: list[int], sequences: list[Tensor], edges: list[list[MixedOperation]], shares: list[list[Tensor]]
    ) -> Sequence[Tensor]:
        read = {edge: one for one, leaving in zip(sequences, edges, strict=True) for edge in leaving}
        return _operate(read, frames, [share for leaving in shares for share in leaving])

    def pass_by(number: int, sequence: Tensor) -> Tensor:
        return sequence.contiguous()

    return source_by_source(cell, states, around(leave), pass_by, axis=2)


class Frames:
    """Which frames of a batch are real, and their order backwards."""

    def __init__(self, lengths: Tensor, frames: int) -> None:
        self.lengths = lengths
        self.padding = ~frame_mask(lengths, frames)[:, :, None]
        self.mirror = mirrored_frames(lengths, frames)

    def mirrored(self, sequence: Tensor) -> Tensor:
        """Each utterance backwards, (N, T, D)."""
        return reorder(sequence, self.mirror)


def _operate(read: Mapping[MixedOperation, Tensor], frames: Frames, shares: Sequence[Tensor]) -> Sequence[Tensor]:
    """The weighted sum of the operations of edges, by what they read (N, T, D), times their shares: (N, T, D) each.

    The sums of all edges are one matrix product: a row of weights for each edge, a column for each result.
    """
    recurrent = {
        part: sequence for edge, sequence in read.items() for part in edge.children() if isinstance(part, Recurrent)
    }
    results = run_side_by_side(recurrent, frames)
    rows, weights = [], []
    for (edge, sequence), share in zip(read.items(), shares, strict=True):
        chances = (share * edge.probabilities()).unbind()
        computed = [position for position, name in enumerate(edge.names) if not isinstance(edge[name], Zero)]
        weights.append(torch.stack([chances[position] for position in computed]))
        for name in (edge.names[position] for position in computed):
            part = edge[name]
            rows.append(results[part] if part in results else edge.operate(name, sequence, frames.lengths))
    mixed: Tensor = torch.block_diag(*weights) @ torch.stack(rows).flatten(1)
    sums: tuple[Tensor, ...] = mixed.unflatten(1, rows[0].shape).masked_fill(frames.padding, 0.0).unbind()
    return sums


def run_side_by_side(operations: Mapping[Recurrent, Tensor], frames: Frames) -> dict[Recurrent, Tensor]:
    """Results (N, T, D) of recurrent operations, by what they read (N, T, D).

    A layer that several operations share is run once. What lies in the padding is left to the caller.
    """
    states = dict(operations)
    for depth in range(max((len(operation.layers) for operation in operations), default=0)):
        active = [operation for operation in operations if len(operation.layers) > depth]
        results = _run_layers({operation.layers[depth]: states[operation] for operation in active}, frames)
        states.update((operation, results[operation.layers[depth]]) for operation in active)
    attentive = {part: state for part, state in states.items() if isinstance(part, RecurrentAttention)}
    states.update(_attend_side_by_side(attentive, frames))
    normalized = [part for part in states if isinstance(part.norm, nn.LayerNorm)]
    if normalized:  # all by one call: they have no parameters that could differ
        even = normalized[0].norm(torch.stack([states[part] for part in normalized]))
        states.update(zip(normalized, even.unbind(), strict=True))
    return states


def _attend_side_by_side(states: Mapping[RecurrentAttention, Tensor], frames: Frames) -> dict[Recurrent, Tensor]:
    """As `RecurrentAttention.attend`, for many at once: what each attends to (N, T, 2 D) -> (N, T, D)."""
    if not states:
        return {}
    seen = torch.stack(list(states.values()))
    score, weight = (torch.stack([getattr(part, name).weight for part in states]) for name in ("score", "output"))
    scores = (seen * score[:, :, None]).sum(3, keepdim=True)
    weights = torch.softmax(scores.masked_fill(frames.padding, float("-inf")), 2)
    context = (weights * seen).sum(2)
    of_states, of_context = weight.mT.split(seen.shape[3], 1)
    bias = torch.stack([part.output.bias for part in states])[:, None]
    joined = torch.baddbmm(bias, seen.flatten(1, 2), of_states).unflatten(1, seen.shape[1:3])
    joined = joined + (context @ of_context)[:, :, None]
    return dict(zip(states, joined.unbind(), strict=True))


def _run_layers(inputs: Mapping[nn.Module, Tensor], frames: Frames) -> dict[nn.Module, Tensor]:
    """What each layer makes of its input (N, T, D)."""
    lanes: dict[Lane, Tensor] = {}
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


def _run_lanes(lanes: Mapping[Lane, Tensor], recur: Callable[[Tensor, Tensor], Tensor]) -> dict[Lane, Tensor]:
    """States (N, T, D) of recurrences of one kind, by what they read (N, T, D')."""
    if not lanes:
        return {}
    first = next(iter(lanes))
    if isinstance(first, nn.LSTM) and first.hidden_size > NARROW and first.weight_hh_l0.device.type == "cpu":
        return {lane: lane(sequence)[0] for lane, sequence in lanes.items()}
    readers: dict[Tensor, list[Lane]] = {}
    for lane, sequence in lanes.items():
        readers.setdefault(sequence, []).append(lane)
    alone: dict[int, dict[Lane, Tensor]] = {}  # lanes that nobody reads with, by the width of what they read
    order, drives = [], []
    for sequence, together in readers.items():
        if len(together) == 1:
            alone.setdefault(sequence.shape[2], {})[together[0]] = sequence
        else:
            order += together
            drives.append(_drive(sequence, together))
    for reading in alone.values():
        order += reading
        drives.append(_drive_each(torch.stack(list(reading.values())), list(reading)))
    states = recur(torch.cat(drives, 1), torch.stack([lane.weight_hh_l0 for lane in order])).unbind(1)
    return {lane: state.transpose(0, 1) for lane, state in zip(order, states, strict=True)}


def _drive(inputs: Tensor, lanes: Sequence[Lane]) -> Tensor:
    """What arrives from the inputs (N, T, D) at lanes that share them: (T, lanes, N, D')."""
    weight = torch.cat([lane.weight_ih_l0 for lane in lanes])
    drive: Tensor = F.linear(inputs, weight, _biases(lanes).flatten()).unflatten(2, (len(lanes), -1))
    return drive.permute(1, 2, 0, 3)


def _drive_each(inputs: Tensor, lanes: Sequence[Lane]) -> Tensor:
    """What arrives from the inputs (lanes, N, T, D), each lane its own: (T, lanes, N, D')."""
    weight = torch.stack([lane.weight_ih_l0 for lane in lanes])
    drive = torch.baddbmm(_biases(lanes)[:, None], inputs.flatten(1, 2), weight.mT)
    by_frame: Tensor = drive.unflatten(1, inputs.shape[1:3]).permute(2, 0, 1, 3)
    return by_frame


def _biases(lanes: Sequence[Lane]) -> Tensor:
    """What arrives at each of the lanes in any case: (lanes, D')."""
    return torch.stack([lane.bias_ih_l0 for lane in lanes]) + torch.stack([lane.bias_hh_l0 for lane in lanes])
