"""Costs of networks behind pretrained encoders, each of which is needed up to the level that is chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nni_emodarts.config import PretrainedStream
from nni_emodarts.config.strategy_options import CostMetric
from nni_emodarts.data.front_ends.costs import encoder_costs
from nni_emodarts.errors import ConfigError
from nni_emodarts.models.costs.table import Costs, CostsByStream
from nni_emodarts.models.levels import level_label, levels_of

_SECONDS = 1.0
"""Length of the audio that FLOPs are of."""


def with_encoders(
    costs: Costs | CostsByStream, streams: Sequence[PretrainedStream], metric: CostMetric
) -> Costs | CostsByStream:
    """Costs of a space's networks and, with each choice of a level, of the encoder up to there.

    Args:
        costs: of the networks alone.
        streams: the pretrained streams of the features.
        metric: what the costs are. Latency is measured part by part, of the networks alone: it stays as it is.

    Raises:
        ConfigError: what an encoder costs is not known.
    """
    if isinstance(costs, CostsByStream):
        return CostsByStream({name: _with_encoders(each, streams, metric) for name, each in costs.options.items()})
    return _with_encoders(costs, streams, metric)


def _with_encoders(costs: Costs, streams: Sequence[PretrainedStream], metric: CostMetric) -> Costs:
    layers = dict(costs.layers)
    for stream in streams:
        label = level_label(stream.name)
        if label in layers:
            layers[label] = {
                option: cost + encoders_cost({stream.name: levels_of(option)}, streams, metric)
                for option, cost in layers[label].items()
            }
    return replace(costs, layers=layers)


def encoders_cost(
    levels: Mapping[str, Sequence[int]], streams: Sequence[PretrainedStream], metric: CostMetric
) -> float:
    """What encoders cost up to the last of levels, by stream, for one second of audio; nothing of latency.

    Raises:
        ConfigError: a model is not on this machine, or does not say how many parameters it has.
    """
    if metric == "latency":
        return 0.0
    found = {cost.stream: getattr(cost, metric) for cost in encoder_costs(streams, levels, _SECONDS)}
    for name in levels:
        if found.get(name) is None:
            raise ConfigError(
                f"cost.metric: {metric} of the encoder of stream {name} is not known, since its model is not on this "
                f"machine or does not state it; take cost.metric: latency, which leaves encoders out, or no bound"
            )
    return float(sum(found.values()))
