"""The joint space as a flat table: label -> scalar choices.

It is what a tuner of NNI takes as its search space, and what the multi-trial strategies draw from. A node's two inputs
are one choice, written as `0+2`, and `none` is left out, since no derived network holds it. So every combination is a
network; those that differ only in edges that no node takes, or in levels of streams that are not heard, are the same.
"""

import itertools
import math
from collections.abc import Mapping, Sequence

from nni_emodarts.config import SpaceConfig
from nni_emodarts.models.architecture import (
    POOLING,
    STREAM,
    Architecture,
    CellKind,
    derivable,
    edge_label,
    heard_streams,
    layer_choices,
    node_label,
    nodes,
)
from nni_emodarts.models.levels import level_label
from nni_emodarts.runtime.plain_data import JsonObject


def flat_choices(space: SpaceConfig) -> dict[str, tuple[str, ...]]:
    """Label -> its choices: those outside the cells, then node by node its inputs, and the operation of each edge."""
    table = layer_choices(space)
    for kind, node in nodes(space):
        table[node_label(kind, node)] = _pairs(space, node)
        for state in range(node):
            table[edge_label(kind, node, state)] = derivable(space, kind)
    return table


def nni_search_space(space: SpaceConfig) -> JsonObject:
    """The space as the `searchSpace` of an NNI experiment."""
    return {label: {"_type": "choice", "_value": list(values)} for label, values in flat_choices(space).items()}


def flat_sample(architecture: Architecture) -> dict[str, str]:
    """An architecture's choices as scalars; edges that no node takes are left out."""
    return {
        label: choice if isinstance(choice, str) else _pair(choice) for label, choice in architecture.choices.items()
    }


def meant(space: SpaceConfig, choices: Mapping[str, str]) -> dict[str, str]:
    """Of flat choices those that matter: no edge that no node takes, no level of a stream that is not heard.

    Two of them are equal where the networks are.
    """
    heard = {level_label(name) for name in heard_streams(space, choices)}
    levels = {level_label(stream.name) for stream in space.hears}
    found = {label: choices[label] for label in layer_choices(space) if label not in levels or label in heard}
    for kind, node in nodes(space):
        found[node_label(kind, node)] = pair = choices[node_label(kind, node)]
        for state in pair.split("+"):
            label = edge_label(kind, node, int(state))
            found[label] = choices[label]
    return found


def count_architectures(space: SpaceConfig) -> int:
    """Number of different networks of the space."""
    return math.prod(len(options) for options in _blocks(space))


def architecture_at(space: SpaceConfig, index: int) -> dict[str, str]:
    """The flat choices of the network `index` of `count_architectures`, in a fixed order; the last node turns fastest.

    Every label has a choice; edges that no node takes hold their first.
    """
    sample = {label: values[0] for label, values in flat_choices(space).items()}
    for options in reversed(_blocks(space)):
        index, position = divmod(index, len(options))
        sample.update(options[position])
    return sample


class _Block(Sequence[Mapping[str, str]]):
    """The choices of one node: its inputs and the operations of the edges from them."""

    def __init__(self, space: SpaceConfig, kind: CellKind, node: int) -> None:
        self._label = node_label(kind, node)
        self._pairs = list(itertools.combinations(range(node), space.N_CHOSEN))
        self._edges = {state: edge_label(kind, node, state) for state in range(node)}
        self._operations = derivable(space, kind)
        self._each: int = len(self._operations) ** space.N_CHOSEN

    def __len__(self) -> int:
        return len(self._pairs) * self._each

    def __getitem__(self, position: int) -> Mapping[str, str]:  # type: ignore[override]
        number, rest = divmod(position, self._each)
        pair = self._pairs[number]
        chosen = {self._label: _pair(pair)}
        for state in reversed(pair):
            rest, operation = divmod(rest, len(self._operations))
            chosen[self._edges[state]] = self._operations[operation]
        return chosen


def _heard(space: SpaceConfig) -> list[dict[str, str]]:
    """What a network may hear: the streams, and the level of each of them that is of a pretrained encoder."""
    layers = layer_choices(space)
    found: list[dict[str, str]] = []
    for streams in [{STREAM: option} for option in layers[STREAM]] if STREAM in layers else [{}]:
        labels = [label for name in heard_streams(space, streams) if (label := level_label(name)) in layers]
        levels = itertools.product(*(layers[label] for label in labels))
        found += [{**streams, **dict(zip(labels, chosen, strict=True))} for chosen in levels]
    return found


def _blocks(space: SpaceConfig) -> list[Sequence[Mapping[str, str]]]:
    """What is chosen by itself, in a fixed order."""
    poolings = [{POOLING: name} for name in space.poolings] or [{}]
    return [_heard(space), *(_Block(space, kind, node) for kind, node in nodes(space)), poolings]


def _pairs(space: SpaceConfig, node: int) -> tuple[str, ...]:
    return tuple(_pair(pair) for pair in itertools.combinations(range(node), space.N_CHOSEN))


def _pair(states: tuple[int, ...]) -> str:
    return "+".join(map(str, states))
