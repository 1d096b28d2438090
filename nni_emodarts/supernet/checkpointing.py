"""Edges of which only the state that they leave is kept, and the rest computed again in the backward pass.

Memory then holds what leaves one state instead of what all cells compute, for about a third more arithmetic (Chen et
al. 2016).
"""

import functools
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from nni_emodarts.nn.normalization import MaskedBatchNorm2d
from nni_emodarts.space.mixed import MixedOperation
from nni_emodarts.supernet.sources import Leave


def computed_twice(leave: Leave) -> Leave:
    """As `leave`, with little memory. Random draws are the same both times."""

    def leave_twice(number: int, state: Tensor, edges: list[MixedOperation], shares: list[Tensor]) -> Sequence[Tensor]:
        def compute(state: Tensor, *shares: Tensor) -> tuple[Tensor, ...]:
            return tuple(leave(number, state, edges, list(shares)))

        around = functools.partial(_first_and_second, edges)
        found: tuple[Tensor, ...] = checkpoint(compute, state, *shares, use_reentrant=False, context_fn=around)
        return found

    return leave_twice


def _first_and_second(edges: Sequence[nn.Module]) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """What surrounds the two computations: running statistics move in the first alone."""
    return nullcontext(), _without_tracking(edges)


@contextmanager
def _without_tracking(edges: Sequence[nn.Module]) -> Iterator[None]:
    norms = [part for edge in edges for part in edge.modules() if isinstance(part, MaskedBatchNorm2d)]
    for norm in norms:
        norm.tracking = False
    try:
        yield
    finally:
        for norm in norms:
            norm.tracking = True
