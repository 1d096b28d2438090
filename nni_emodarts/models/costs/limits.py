"""Bounds on what a candidate may cost, for one second of audio."""

import math

from nni_emodarts.config import FeatureConfig, Frames, InputShape, PretrainedStream, SpaceConfig, SpectralStream
from nni_emodarts.config.strategy_options import CostLimit, CostMetric
from nni_emodarts.errors import ConfigError
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.costs.encoders import encoders_cost, with_encoders
from nni_emodarts.models.costs.table import architecture_cost, space_costs

_UNITS: dict[CostMetric, str] = {
    "parameters": "parameters",
    "flops": "FLOPs for one second of audio",
    "latency": "ms for one second of audio",
}


def frames_per_second(features: FeatureConfig) -> Frames:
    """Frames T of one second of audio; of several streams, by the stream's name.

    One at each hop, the first centred on the first sample; those of a pretrained stream stand for their hop.
    """
    streams = features.heard
    return _frames(streams[0]) if len(streams) == 1 else {stream.name: _frames(stream) for stream in streams}


def _frames(stream: SpectralStream | PretrainedStream) -> int:
    if isinstance(stream, PretrainedStream):
        return math.ceil(1000 / stream.hop_ms)
    hop = max(1, round(stream.hop_ms * stream.sampling_rate / 1000))
    return 1 + stream.sampling_rate // hop


def within(architecture: Architecture, limit: CostLimit, features: FeatureConfig) -> bool:
    """Whether the network of an architecture costs at most the limit, with the encoders that it hears with.

    Args:
        architecture: a candidate, with the classes and the shape of maps that it is meant for.
        limit: the bound. Of latency it is compared with what this process has measured, which is approximate.
        features: they say how many frames a second has, and what encoders there are.

    Raises:
        ConfigError: what an encoder costs is not known.
    """
    own = architecture_cost(architecture, limit.metric, frames_per_second(features))
    return own + encoders_cost(architecture.levels, features.pretrained, limit.metric) <= limit.limit


def check_limit(
    limit: CostLimit, space: SpaceConfig, features: FeatureConfig, num_classes: int, input_shape: InputShape
) -> None:
    """Whether any network of a space can keep a limit.

    Args:
        limit: the bound.
        space: the joint space.
        features: they say how many frames a second has.
        num_classes: number of classes K.
        input_shape: of the maps.

    Raises:
        ConfigError: even the cheapest network exceeds it, or what an encoder costs is not known.
    """
    alone = space_costs(space, input_shape, num_classes, limit.metric, frames_per_second(features))
    costs = with_encoders(alone, features.pretrained, limit.metric)
    if limit.limit < costs.cheapest:
        unit = _UNITS[limit.metric]
        least = math.ceil(costs.cheapest * 1000) / 1000
        raise ConfigError(
            f"max_cost.limit: {limit.limit:.15g} {unit} is below the cheapest network of this space, which has "
            f"{least:.15g}; the mean is {costs.mean:.6g}. Raise the limit to {least:.15g} at least, or make the space "
            "smaller (space.cnn_channels, space.seqnn_width)"
        )
