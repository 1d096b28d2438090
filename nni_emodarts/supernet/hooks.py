"""Plugs the faster computation into the cells of a space."""

import functools
from typing import Any

from nni_emodarts.space.cells import CnnCell, SeqnnCell
from nni_emodarts.supernet.maps import map_states
from nni_emodarts.supernet.recompute import recomputed
from nni_emodarts.supernet.sequences import sequence_states


def accelerate(module: Any, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> None:
    """NNI's hook, called with every module of the space: cells are told how to compute their states.

    Nothing is replaced, so that parameters, buffers, labels and exports are those of the plain supernet.
    """
    if isinstance(module, CnnCell):
        module.compute_states = map_states
    elif isinstance(module, SeqnnCell):
        module.compute_states = sequence_states


def accelerate_and_recompute(module: Any, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> None:
    """As `accelerate`; what edges hold inside is computed again in the backward pass, not kept."""
    if isinstance(module, CnnCell):
        module.compute_states = functools.partial(map_states, around=recomputed)
    elif isinstance(module, SeqnnCell):
        module.compute_states = functools.partial(sequence_states, around=recomputed)
