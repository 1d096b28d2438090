"""Operations without parameters among those that networks chose: a collapsing search prefers them."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from nni_emodarts.architecture import read_edge
from nni_emodarts.config import SpaceConfig
from nni_emodarts.report.families import POOLING, SKIP, family
from nni_emodarts.space import random_architecture

_REDUCED_INPUTS = 2  # edges from a reduction cell's two inputs have stride 2
_DRAWS = 2000


def count_parameter_free(architectures: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Skip connections, poolings and operations in all.

    A skip connection of stride 2 does not count: it is two convolutions.

    Args:
        architectures: choices of each: label -> operation or inputs.
    """
    counts = {"skip_connections": 0, "pooling": 0, "operations": 0}
    for choices in architectures:
        for label, chosen in choices.items():
            if isinstance(chosen, str):
                counts["operations"] += 1
                counts["pooling"] += family(chosen) is POOLING
                counts["skip_connections"] += family(chosen) is SKIP and not _strided(label)
    return counts


@cache
def expected_parameter_free(space: SpaceConfig) -> dict[str, float]:
    """Shares of all operations under uniform draws from a space: the mean of 2,000 of them."""
    drawn = (random_architecture(space, 2, (1, 64), [number]) for number in range(_DRAWS))
    counts = count_parameter_free(made.choices for made in drawn)
    return {name: counts[name] / counts["operations"] for name in ("skip_connections", "pooling")}


def _strided(label: str) -> bool:
    edge = read_edge(label)
    return edge.kind == "reduce" and edge.predecessor < _REDUCED_INPUTS
