"""Plugs the faster computation into the cells of a space."""

import functools
from collections.abc import Callable

from torch import nn

from nni_emodarts.models.space.cells import CnnCell, SeqnnCell
from nni_emodarts.nni_bridge.nas import Memo
from nni_emodarts.search.supernet.maps import map_states
from nni_emodarts.search.supernet.recompute import recomputed
from nni_emodarts.search.supernet.sequences import sequence_states
from nni_emodarts.search.supernet.sources import as_it_is


def accelerate(recompute: bool) -> Callable[..., None]:
    """NNI's hook, called with every module of the space: cells learn how to compute their states.

    Nothing is replaced, so that parameters, buffers, labels and exports are those of the plain supernet.

    Args:
        recompute: whether what edges hold inside is computed again in the backward pass instead of kept.
    """
    around = recomputed if recompute else as_it_is

    def tell(module: nn.Module, name: str, memo: Memo, mutate_kwargs: Memo) -> None:
        if isinstance(module, CnnCell):
            module.compute_states = functools.partial(map_states, around=around)
        elif isinstance(module, SeqnnCell):
            module.compute_states = functools.partial(sequence_states, around=around)

    return tell
