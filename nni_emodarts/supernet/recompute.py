"""Edges whose inner results are computed again in the backward pass instead of being kept (Chen et al. 2016)."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from nni_emodarts.nn.normalization import statistics_held
from nni_emodarts.space.mixed import MixedOperation
from nni_emodarts.supernet.sources import Leave


def recomputed(leave: Leave) -> Leave:
    """The same edges; of what leaves a state, the state alone is kept for the backward pass.

    Random numbers are drawn again as they were, and running statistics move in the first pass only.
    """

    def leave_again(
        number: int, state: Tensor, edges: list[MixedOperation], shares: list[Tensor]
    ) -> tuple[Tensor, ...]:
        def compute(state: Tensor, *shares: Tensor) -> tuple[Tensor, ...]:
            return tuple(leave(number, state, edges, list(shares)))

        if not torch.is_grad_enabled():
            return compute(state, *shares)
        results: tuple[Tensor, ...] = checkpoint(compute, state, *shares, use_reentrant=False, context_fn=_contexts)
        return results

    return leave_again


def _contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Around the first pass, and around the one in the backward pass."""
    return nullcontext(), statistics_held()
