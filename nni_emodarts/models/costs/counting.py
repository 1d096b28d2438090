"""FLOPs of any network, counted while it hears one utterance."""

import copy

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from nni_emodarts.models.nn.recurrence import RecurrentAttention
from nni_emodarts.models.nn.temporal_pooling import AttentionPooling, StatisticsPooling


def count_flops(model: nn.Module, input_shape: tuple[int, int], frames: int) -> int:
    """FLOPs of one utterance, by the definition of `Part`; the network stays as it is.

    It is run once, on the processor. Of a network of the space, `architecture_cost` says the same without building it.

    Args:
        model: (maps (N, C, F, T), lengths (N,)) -> logits (N, K).
        input_shape: (C, F), channels and frequency bins of the maps.
        frames: length T of the utterance.
    """
    # In float64 a recurrence runs as the linear maps that the counter knows; in float32 it is one opaque operation.
    network = copy.deepcopy(model).cpu().double().eval()
    weighted: list[int] = []
    for part in network.modules():
        if isinstance(part, (RecurrentAttention, AttentionPooling)):
            part.register_forward_hook(lambda module, given, _: weighted.append(_weighted_sum(module, given[0])))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, *input_shape, frames, dtype=torch.float64), torch.tensor([frames]))
    return int(counter.get_total_flops()) + sum(weighted)


def _weighted_sum(module: nn.Module, sequence: Tensor) -> int:
    """A mean over time with learnt weights (N, T, D) -> (N, D): products by element, which the counter passes over."""
    # Attention behind a recurrence weighs states of both directions; statistics weigh squares too.
    width = 2 if isinstance(module, (RecurrentAttention, StatisticsPooling)) else 1
    return 2 * width * sequence.numel()
