"""Cells that keep their input states and compute the rest again in the backward pass (Chen et al. 2016).

Memory then holds what one cell computes instead of what all of them do, for about a third more arithmetic.
"""

import functools
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from torch import Tensor
from torch.utils.checkpoint import checkpoint

from nni_emodarts.nn.normalization import MaskedBatchNorm2d
from nni_emodarts.space.cells import CnnCell, ComputeStates, SeqnnCell


def save_memory(module: Any, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> None:
    """NNI's hook, called with every module of the space, after the one that accelerates: cells compute twice."""
    if isinstance(module, CnnCell | SeqnnCell):
        module.compute_states = functools.partial(_computed_twice, module.compute_states)


def _computed_twice(
    compute: ComputeStates, cell: Any, states: Sequence[Tensor], lengths: Sequence[Tensor], lengths_out: Tensor
) -> list[Tensor]:
    """As `compute`; random draws are the same both times."""
    if not cell.training:
        return compute(cell, states, lengths, lengths_out)
    found: list[Tensor] = checkpoint(
        compute,
        cell,
        states,
        lengths,
        lengths_out,
        use_reentrant=False,
        context_fn=functools.partial(_first_and_second, cell),
    )
    return found


def _first_and_second(cell: Any) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """What surrounds the two computations: running statistics move in the first alone."""
    return nullcontext(), _without_tracking(cell)


@contextmanager
def _without_tracking(cell: Any) -> Iterator[None]:
    norms = [part for part in cell.modules() if isinstance(part, MaskedBatchNorm2d)]
    for norm in norms:
        norm.tracking = False
    try:
        yield
    finally:
        for norm in norms:
            norm.tracking = True
