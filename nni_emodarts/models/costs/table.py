"""Costs of a whole space by operation and edge, and of one network."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from nni_emodarts.config import NONE, Frames, InputShape, SpaceConfig
from nni_emodarts.config.strategy_options import CostMetric
from nni_emodarts.models.architecture import (
    STREAM,
    Architecture,
    candidates,
    edge_label,
    heard_streams,
    layer_choices,
    node_label,
    nodes,
)
from nni_emodarts.models.costs.latency import latency
from nni_emodarts.models.costs.layout import lay_out
from nni_emodarts.models.costs.part import Part
from nni_emodarts.models.levels import level_label

_METRICS: dict[CostMetric, Callable[[Part], float]] = {
    "parameters": lambda part: part.parameters,
    "flops": lambda part: part.flops,
    "latency": latency,
}


@dataclass(frozen=True)
class Costs:
    """What the networks of a space cost, as a sum: `fixed`, and of each chosen edge its operation.

    Costs are those of derived networks, whose normalisations scale and shift, and not of the supernet.

    Attributes:
        edges: edge label -> operation -> its cost, summed over all cells of the kind, in the space's order of
            operations; `none`, where the space has it, costs 0.
        nodes: node label -> the labels of its edges, by predecessor.
        fixed: cost of what every network has: stem, alignments, sums, normalisation, bridge, pooling, classifier.
        layers: label of a choice outside the cells -> candidate -> its cost.
    """

    edges: Mapping[str, Mapping[str, float]]
    nodes: Mapping[str, tuple[str, ...]]
    fixed: float
    layers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """Mean cost of the space's networks, drawn uniformly: a penalty divided by it has no unit."""
        layers = sum(sum(costs.values()) / len(costs) for costs in self.layers.values())
        return (self.fixed + layers) + sum(
            SpaceConfig.N_CHOSEN / len(edges) * sum(self._mean_of(edge) for edge in edges)
            for edges in self.nodes.values()
        )

    @property
    def cheapest(self) -> float:
        """The least cost that any network of the space has."""
        return (self.fixed + sum(min(costs.values()) for costs in self.layers.values())) + sum(
            sum(sorted(min(self.derivable(edge).values()) for edge in edges)[: SpaceConfig.N_CHOSEN])
            for edges in self.nodes.values()
        )

    def derivable(self, edge: str) -> dict[str, float]:
        """The operations of an edge that a derived network may hold, with their costs."""
        return {name: cost for name, cost in self.edges[edge].items() if name != NONE}

    def _mean_of(self, edge: str) -> float:
        costs = self.derivable(edge).values()
        return sum(costs) / len(costs)


@dataclass(frozen=True)
class CostsByStream:
    """What the networks of a space of several streams cost: what they hear decides all other costs.

    Attributes:
        options: candidate of the choice of streams -> costs of the networks that hear it.
    """

    options: Mapping[str, Costs]

    @property
    def mean(self) -> float:
        """Mean cost of the space's networks, drawn uniformly."""
        return math.fsum(costs.mean for costs in self.options.values()) / len(self.options)

    @property
    def cheapest(self) -> float:
        """The least cost that any network of the space has."""
        return min(costs.cheapest for costs in self.options.values())


def space_costs(
    space: SpaceConfig, input_shape: InputShape, num_classes: int, metric: CostMetric, frames: Frames
) -> Costs | CostsByStream:
    """What the networks of a space cost, whatever it hears; arguments as for `operation_costs`."""
    options = layer_choices(space).get(STREAM)
    if options is None:
        return operation_costs(space, input_shape, num_classes, metric, frames)
    return CostsByStream(
        {
            option: operation_costs(space, input_shape, num_classes, metric, frames, option.split("+"))
            for option in options
        }
    )


def operation_costs(
    space: SpaceConfig,
    input_shape: InputShape,
    num_classes: int,
    metric: CostMetric,
    frames: Frames,
    heard: Sequence[str] | None = None,
) -> Costs:
    """What every operation costs on every edge, and what is left. `Part` says what counts as a FLOP.

    Args:
        space: the joint space.
        input_shape: (C, F), channels and frequency bins of the maps; of several streams, of each.
        num_classes: number of classes K.
        metric: `parameters`; `flops` of one utterance; or `latency` of one utterance in ms, measured part by part,
            which takes a few seconds the first time.
        frames: length T of the utterance; of several streams, in each. It does not matter to parameters.
        heard: names of the streams that the networks hear, where there are several to choose from.
    """
    heard = heard_streams(space, {}) if heard is None else heard
    unheard = {STREAM, *(level_label(stream.name) for stream in space.hears if stream.name not in heard)}
    blocks = lay_out(space, input_shape, num_classes, frames, heard)
    edges: dict[str, Mapping[str, float]] = {}
    owners: dict[str, tuple[str, ...]] = {}
    for kind, node in nodes(space):
        labels = tuple(edge_label(kind, node, state) for state in range(node))
        owners[node_label(kind, node)] = labels
        for label in labels:
            places = [block.choices[label] for block in blocks if label in block.choices]
            edges[label] = {
                name: 0.0 if name == NONE else _total((place(name) for place in places), metric)
                for name in candidates(space, kind)
            }
    layers = {
        label: {
            name: _total((block.choices[label](name) for block in blocks if label in block.choices), metric)
            for name in options
        }
        for label, options in layer_choices(space).items()
        if label not in unheard
    }
    return Costs(edges, owners, _total((part for block in blocks for part in block.fixed), metric), layers)


def architecture_cost(
    architecture: Architecture,
    metric: CostMetric,
    frames: Frames,
    num_classes: int | None = None,
    input_shape: InputShape | None = None,
) -> float:
    """What the network of an architecture costs; the network is not built.

    Args:
        architecture: what a search chose.
        metric: `parameters`, `flops` of one utterance, or `latency` of one utterance in ms.
        frames: length T of the utterance; of several streams, in each. It does not matter to parameters.
        num_classes: number of classes K; the architecture's own where absent.
        input_shape: of the maps; the architecture's own where absent.
    """
    shape, classes = input_shape or architecture.input_shape, num_classes or architecture.num_classes
    blocks = lay_out(architecture.space, shape, classes, frames, architecture.heard)
    return _total((part for block in blocks for part in block.chosen(architecture.choices)), metric)


def _total(parts: Iterable[Part], metric: CostMetric) -> float:
    return math.fsum(map(_METRICS[metric], parts))
