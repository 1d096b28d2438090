"""Recurrent operations over time: sequences (N, T, D) -> (N, T, D), each sample by itself."""

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts.models.nn.masking import frame_mask

RecurrentKind = Literal["lstm", "rnn"]
_CELLS: dict[str, type[nn.LSTM] | type[nn.RNN]] = {"lstm": nn.LSTM, "rnn": nn.RNN}


class StackedRecurrence(nn.Module):
    """k stacked recurrent layers forward in time (emoDARTS: `lstm_k`, `rnn_k`)."""

    def __init__(self, kind: RecurrentKind, width: int, layers: int, normalized: bool = False) -> None:
        super().__init__()
        self.norm = frame_norm(width) if normalized else nn.Identity()
        self.layers = nn.ModuleList(_CELLS[kind](width, width, batch_first=True) for _ in range(layers))

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """sequence (N, T, D), lengths (N,) -> (N, T, D), zero in the padding.

        Padding follows an utterance, so that it cannot reach a real frame and need not be packed away.
        """
        states = sequence
        for layer in self.layers:
            states, _ = layer(states)
        out: Tensor = self.norm(states).masked_fill(~frame_mask(lengths, sequence.shape[1])[:, :, None], 0.0)
        return out


class BidirectionalLayer(nn.Module):
    """One recurrent layer in each direction; the backward one starts at each utterance's own last frame."""

    def __init__(self, kind: RecurrentKind, in_width: int, width: int) -> None:
        super().__init__()
        self.forwards = _CELLS[kind](in_width, width, batch_first=True)
        self.backwards = _CELLS[kind](in_width, width, batch_first=True)

    def forward(self, sequence: Tensor, mirror: Tensor) -> Tensor:
        """sequence (N, T, D), mirror (N, T) from `mirrored_frames` -> (N, T, 2 D)."""
        ahead, _ = self.forwards(sequence)
        back, _ = self.backwards(reorder(sequence, mirror))
        return torch.cat([ahead, reorder(back, mirror)], 2)


class RecurrentAttention(nn.Module):
    """k bidirectional layers, then attention over time (emoDARTS: `lstm_att_k`, `rnn_att_k`).

    A masked softmax over time weighs the states into one context, which joins every state; a linear map brings both
    back to D.
    """

    def __init__(self, kind: RecurrentKind, width: int, layers: int, normalized: bool = False) -> None:
        super().__init__()
        self.norm = frame_norm(width) if normalized else nn.Identity()
        widths = [width] + [2 * width] * (layers - 1)
        self.layers = nn.ModuleList(BidirectionalLayer(kind, in_width, width) for in_width in widths)
        self.score = nn.Linear(2 * width, 1, bias=False)  # softmax cancels a bias
        self.output = nn.Linear(4 * width, width)

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """sequence (N, T, D), lengths (N,) -> (N, T, D), zero in the padding."""
        mirror = mirrored_frames(lengths, sequence.shape[1])
        states = sequence
        for layer in self.layers:
            states = layer(states, mirror)
        out: Tensor = self.norm(self.attend(states, lengths))  # zero stays zero
        return out

    def attend(self, states: Tensor, lengths: Tensor) -> Tensor:
        """What the recurrences say (N, T, 2 D), lengths (N,) -> (N, T, D), zero in the padding."""
        real = frame_mask(lengths, states.shape[1])[:, :, None]
        weights = torch.softmax(self.score(states).masked_fill(~real, float("-inf")), 1)
        context = (weights * states).sum(1, keepdim=True)
        # The context is the same at each frame, so that its half of the linear map is computed once.
        of_states, of_context = self.output.weight.split(states.shape[2], 1)
        joined = F.linear(states, of_states, self.output.bias) + F.linear(context, of_context)
        return joined.masked_fill(~real, 0.0)


def frame_norm(width: int) -> nn.LayerNorm:
    """Makes each frame (..., D) of mean zero and variance one (Ba et al. 2016, without parameters).

    Operations whose results differ in scale, as those of an LSTM and of attention do, are not on an equal footing in a
    weighted sum, whatever they say.
    """
    return nn.LayerNorm(width, elementwise_affine=False)


def share_depth(operations: Iterable[nn.Module]) -> None:
    """Let stacked operations of one kind share their layers: one of k layers is the beginning of the deepest.

    Heads, such as attention, stay each operation's own.
    """
    deepest: dict[Any, Any] = {}
    stacked = [operation for operation in operations if isinstance(operation, (StackedRecurrence, RecurrentAttention))]
    for operation in sorted(stacked, key=lambda each: len(each.layers), reverse=True):
        first = operation.layers[0]
        kind = type(operation), type(getattr(first, "forwards", first))
        operation.layers = deepest.setdefault(kind, operation).layers[: len(operation.layers)]


def mirrored_frames(lengths: Tensor, frames: int) -> Tensor:
    """Order of frames that turns each utterance around and leaves its padding: (N,), T -> (N, T). Its own inverse."""
    position = torch.arange(frames, device=lengths.device)
    return torch.where(frame_mask(lengths, frames), lengths[:, None] - 1 - position, position)


def reorder(sequence: Tensor, order: Tensor) -> Tensor:
    """Frames (N, T, D) in an order (N, T)."""
    return sequence.gather(1, order[:, :, None].expand(-1, -1, sequence.shape[2]))
