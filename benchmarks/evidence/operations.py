"""What networks are made of: which kinds of operations their edges hold, beside uniform draws from the space."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from nni_emodarts.config import SpaceConfig
from nni_emodarts.models.architecture import read_edge
from nni_emodarts.models.space import random_architecture
from nni_emodarts.report.drawings.families import (
    DILATED,
    LSTM,
    LSTM_ATTENTION,
    POOLING,
    RNN_ATTENTION,
    SEPARABLE,
    SKIP,
    family,
)

KINDS = ("skip_connections", "pooling", "wide_kernels", "lstm", "attention", "deepest")
"""Kinds that are counted: a skip connection of stride 2, which is two convolutions, is none of them; a wide kernel has
5 x 5 bins; `lstm` counts those with attention, too; `deepest` are the stacks of four recurrent layers."""
_CONVOLUTIONS = (SEPARABLE, DILATED)
_REDUCED_INPUTS = 2  # edges from a reduction cell's two inputs have stride 2
_DRAWS = 2000


def count_operations(architectures: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many operations of each kind there are, of `cnn` and of `sequential` ones.

    Args:
        architectures: choices of each: label -> operation or inputs.
    """
    counts = dict.fromkeys(("cnn", "sequential", *KINDS), 0)
    for choices in architectures:
        for label, chosen in choices.items():
            if isinstance(chosen, str):
                counts["sequential" if read_edge(label).kind == "seqnn" else "cnn"] += 1
                for kind in _kinds(label, chosen):
                    counts[kind] += 1
    return counts


@cache
def expected_shares(space: SpaceConfig) -> dict[str, float]:
    """Shares of each kind under uniform draws from a space: the mean of 2,000 of them."""
    drawn = (random_architecture(space, 2, (1, 64), [number]) for number in range(_DRAWS))
    return shares(count_operations(made.choices for made in drawn))


def shares(counts: Mapping[str, int]) -> dict[str, float]:
    """Each kind as a share of the operations that may be of it: of all, of those of the CNN, or of the sequential ones.

    Args:
        counts: as `count_operations` gives them.
    """
    every = counts["cnn"] + counts["sequential"]
    among = {"skip_connections": every, "pooling": every, "wide_kernels": counts["cnn"]}
    return {kind: counts[kind] / max(among.get(kind, counts["sequential"]), 1) for kind in KINDS}


def _kinds(label: str, operation: str) -> list[str]:
    found = family(operation)
    is_kind = {
        "skip_connections": found is SKIP and not _strided(label),
        "pooling": found is POOLING,
        "wide_kernels": found in _CONVOLUTIONS and operation.endswith("5x5"),
        "lstm": found in (LSTM, LSTM_ATTENTION),
        "attention": found in (LSTM_ATTENTION, RNN_ATTENTION),
        "deepest": operation in ("lstm_4", "rnn_4"),
    }
    return [kind for kind, holds in is_kind.items() if holds]


def _strided(label: str) -> bool:
    edge = read_edge(label)
    return edge.kind == "reduce" and edge.predecessor < _REDUCED_INPUTS
