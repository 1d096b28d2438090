"""Limits on what a network costs."""

from typing import Any

import numpy as np
import pytest
from drawn_networks import SMALL

from nni_emodarts.config import FeatureConfig
from nni_emodarts.config.strategy_options import CostLimit
from nni_emodarts.data.features import FeatureExtractor
from nni_emodarts.errors import ConfigError
from nni_emodarts.models.costs import architecture_cost, check_limit, frames_per_second, operation_costs, within
from nni_emodarts.models.space import random_architecture


@pytest.mark.parametrize(("rate", "hop"), [(16000, 10.0), (16000, 20.0), (16000, 62.5), (8000, 32.0), (22050, 7.3)])
def test_a_second_has_the_frames_that_the_extractor_makes_of_it(rate: int, hop: float) -> None:
    features = FeatureConfig(sampling_rate=rate, hop_ms=hop, mel_bands=8)
    extractor = FeatureExtractor("log_mel", rate, features.window_ms, hop, 8)
    assert frames_per_second(features) == extractor(np.random.RandomState(0).randn(rate)).shape[1]


@pytest.mark.parametrize("metric", ["parameters", "flops"])
def test_a_limit_is_kept_or_not(metric: Any) -> None:
    features = FeatureConfig(mel_bands=16)
    drawn = random_architecture(SMALL, 3, features.input_shape, 0)
    cost = architecture_cost(drawn, metric, frames_per_second(features))
    assert within(drawn, CostLimit(metric=metric, limit=cost), features)
    assert not within(drawn, CostLimit(metric=metric, limit=cost - 1), features)


@pytest.mark.parametrize("metric", ["parameters", "flops", "latency"])
def test_a_limit_below_the_cheapest_network_is_refused(metric: Any) -> None:
    features = FeatureConfig(mel_bands=16)
    costs = operation_costs(SMALL, features.input_shape, 3, metric, frames_per_second(features))
    check_limit(CostLimit(metric=metric, limit=costs.cheapest), SMALL, features, 3, features.input_shape)
    with pytest.raises(ConfigError, match=r"max_cost\.limit: .* below the cheapest .* Raise the limit to") as caught:
        check_limit(CostLimit(metric=metric, limit=costs.cheapest / 2), SMALL, features, 3, features.input_shape)
    remedy = float(str(caught.value).split("Raise the limit to ")[1].split()[0])
    check_limit(CostLimit(metric=metric, limit=remedy), SMALL, features, 3, features.input_shape)
    if metric != "latency":
        assert remedy == costs.cheapest
