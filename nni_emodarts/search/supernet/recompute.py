"""Edges whose inner results are computed again in the backward pass instead of being kept (Chen et al. 2016)."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from nni_emodarts.models.nn.normalization import statistics_held
from nni_emodarts.models.space.mixed import MixedOperation
from nni_emodarts.search.supernet.sources import Leave


def recomputed(leave: Leave) -> Leave:
    """The same edges, of which the states that they leave are kept for the backward pass, and nothing else.

    Random numbers are drawn again as they were, and running statistics move in the first pass only.
    """

    def leave_again(
        numbers: list[int], states: list[Tensor], edges: list[list[MixedOperation]], shares: list[list[Tensor]]
    ) -> tuple[Tensor, ...]:
        def compute(states: list[Tensor], shares: list[list[Tensor]]) -> tuple[Tensor, ...]:
            return tuple(leave(numbers, states, edges, shares))

        if not torch.is_grad_enabled():
            return compute(states, shares)
        results: tuple[Tensor, ...] = checkpoint(compute, states, shares, use_reentrant=False, context_fn=_contexts)
        return results

    return leave_again


def _contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Around the first pass, and around the one in the backward pass."""
    return nullcontext(), statistics_held()
