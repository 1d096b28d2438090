"""A network behind a pretrained encoder costs what the encoder costs up to its level, too."""

from pathlib import Path

import pytest
import torch

from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.config.strategy_options import CostLimit
from nni_emodarts.data.front_ends import stream_shape
from nni_emodarts.data.front_ends.costs import encoder_costs
from nni_emodarts.data.front_ends.pinning import pinned
from nni_emodarts.errors import ConfigError
from nni_emodarts.models.costs import (
    CostsByStream,
    architecture_cost,
    check_limit,
    encoders_cost,
    expected_cost,
    frames_per_second,
    space_costs,
    with_encoders,
    within,
)
from nni_emodarts.models.levels import levels_of
from nni_emodarts.models.space import random_architecture
from tests.data.front_ends.encoders import make_encoder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("encoders") / "tiny-whisper"
    make_encoder(folder, "whisper")
    return folder


def configured(encoder: Path, *more: dict[str, object]) -> ExperimentConfig:
    stream = {"name": "speech", "kind": "pretrained", "model": str(encoder), "hop_ms": 80}
    return pinned(load_config("pretrained", options={"features.streams": [stream, *more], "space.joined_levels": 2}))


@pytest.mark.parametrize("metric", ["parameters", "flops"])
def test_a_level_costs_what_the_encoder_costs_up_to_it(metric: str, encoder: Path) -> None:
    config = configured(encoder)
    streams, shape = config.features.pretrained, stream_shape(config.features.heard[0])
    frames = frames_per_second(config.features)
    alone = space_costs(config.space, shape, 4, metric, frames)  # type: ignore[arg-type]
    whole = with_encoders(alone, streams, metric)  # type: ignore[arg-type]
    assert not isinstance(whole, CostsByStream)
    assert not isinstance(alone, CostsByStream)
    for level, cost in whole.layers["level_speech"].items():
        (known,) = encoder_costs(streams, {"speech": levels_of(level)}, 1.0)
        assert cost == alone.layers["level_speech"][level] + getattr(known, metric)
    assert whole.layers["pooling"] == alone.layers["pooling"]
    costs = whole.layers["level_speech"]
    levels = [costs[level] for level in sorted(costs) if "+" not in level]
    assert levels == sorted(levels)
    assert levels[0] < levels[-1]
    assert costs["0+1"] > costs["1"]


def test_a_limit_counts_the_encoder(encoder: Path) -> None:
    config = configured(encoder)
    shape = stream_shape(config.features.heard[0])
    drawn = random_architecture(config.space, 4, shape, 1)
    own = architecture_cost(drawn, "parameters", 1)
    whole = own + encoders_cost(drawn.levels, config.features.pretrained, "parameters")
    assert whole > own
    assert within(drawn, CostLimit(metric="parameters", limit=whole), config.features)
    assert not within(drawn, CostLimit(metric="parameters", limit=whole - 1), config.features)
    alone = space_costs(config.space, shape, 4, "parameters", 1)
    cheapest = with_encoders(alone, config.features.pretrained, "parameters").cheapest
    assert cheapest > alone.cheapest
    check_limit(CostLimit(metric="parameters", limit=cheapest), config.space, config.features, 4, shape)
    with pytest.raises(ConfigError, match=r"max_cost\.limit: .* below the cheapest network"):
        check_limit(CostLimit(metric="parameters", limit=cheapest - 1), config.space, config.features, 4, shape)


def test_latency_is_of_the_network_alone(encoder: Path) -> None:
    assert encoders_cost({"speech": 2}, configured(encoder).features.pretrained, "latency") == 0


def test_what_is_heard_decides_which_encoder_counts(encoder: Path) -> None:
    config = configured(encoder, {"name": "mel", "kind": "log_mel"})
    shapes = {stream.name: stream_shape(stream) for stream in config.features.heard}
    alone = space_costs(config.space, shapes, 4, "parameters", frames_per_second(config.features))
    whole = with_encoders(alone, config.features.pretrained, "parameters")
    assert isinstance(alone, CostsByStream)
    assert isinstance(whole, CostsByStream)
    assert whole.options["mel"] == alone.options["mel"]
    assert whole.options["speech"].mean > alone.options["speech"].mean
    assert whole.options["speech+mel"].mean > alone.options["speech+mel"].mean
    assert expected_cost(whole) is not None


def test_an_encoder_that_is_not_here_is_named(encoder: Path) -> None:
    config = configured(encoder)
    gone = config.features.pretrained[0].model_copy(update={"model": "someone/not-here"})
    with pytest.raises(ConfigError, match="encoder of stream speech is not known"):
        encoders_cost({"speech": 1}, [gone], "flops")
