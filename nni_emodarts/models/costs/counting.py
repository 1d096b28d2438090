"""FLOPs of any network, counted while the shapes of one utterance pass through it; nothing is computed."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from nni_emodarts.config import Frames, InputShape, of_stream
from nni_emodarts.data.batches import Maps
from nni_emodarts.models.nn.recurrence import RecurrentAttention
from nni_emodarts.models.nn.temporal_pooling import AttentionPooling, StatisticsPooling


def count_flops(model: nn.Module, input_shape: InputShape, frames: Frames) -> int:
    """FLOPs of one utterance, by the definition of `Part`; the network stays as it is.

    Of a network of the space, `architecture_cost` says the same without building it.

    Args:
        model: (maps (N, C, F, T), lengths (N,)) -> logits (N, K); what it runs must not depend on values of tensors.
        input_shape: (C, F), channels and frequency bins of the maps; of several streams, of each that it hears.
        frames: length T of the utterance; likewise.
    """
    with shapes_only():
        utterance = _utterance(input_shape, frames)
        flops, _ = count_pass(copy.deepcopy(model).to("meta", torch.float32), *utterance)
    return flops


def _utterance(input_shape: InputShape, frames: Frames) -> tuple[Maps, Tensor]:
    if not isinstance(input_shape, Mapping):
        length = of_stream(frames, "")
        return torch.zeros(1, *input_shape, length), torch.tensor([length])
    lengths = [of_stream(frames, name) for name in input_shape]
    maps = (torch.zeros(1, *shape, length) for shape, length in zip(input_shape.values(), lengths, strict=True))
    return tuple(maps), torch.tensor([lengths])


@contextmanager
def shapes_only() -> Iterator[None]:
    """What is built inside, on torch's device `meta`, takes no memory and no random numbers and computes nothing."""
    with torch.no_grad(), torch.device("meta"):
        yield


def count_pass(module: nn.Module, *inputs: Maps) -> tuple[int, Tensor]:
    """FLOPs of one pass in evaluation mode, and what it leaves.

    Args:
        module: built or moved under `shapes_only`, as this is called; the hooks of the count stay with it.
        *inputs: those of one utterance, N = 1.
    """
    weighted: list[int] = []
    for part in module.eval().modules():
        if isinstance(part, nn.RNNBase):
            _pass_frames_at_once(part)
        elif isinstance(part, (RecurrentAttention, AttentionPooling)):
            part.register_forward_hook(lambda module, given, _: weighted.append(_weighted_sum(module, given[0])))
    with FlopCounterMode(display=False) as counter:
        out: Tensor = module(*inputs)
    return int(counter.get_total_flops()) + sum(weighted), out


def _pass_frames_at_once(recurrence: nn.RNNBase) -> None:
    """Let the frames of the utterance pass as a batch: the products are the same, and no step waits for another."""

    def rejoin(_module: nn.Module, _given: object, result: tuple[Tensor, Tensor | tuple[Tensor, ...]]) -> object:
        sequence, state = result
        last = state[:, :1] if isinstance(state, Tensor) else tuple(each[:, :1] for each in state)
        return sequence.transpose(0, 1), last

    recurrence.register_forward_pre_hook(lambda _, given: given[0].transpose(0, 1))
    recurrence.register_forward_hook(rejoin)


def _weighted_sum(module: nn.Module, sequence: Tensor) -> int:
    """A mean over time with learnt weights (N, T, D) -> (N, D): products by element, which the counter passes over."""
    # Attention behind a recurrence weighs states of both directions; statistics weigh squares too.
    width = 2 if isinstance(module, (RecurrentAttention, StatisticsPooling)) else 1
    return 2 * width * sequence.numel()
