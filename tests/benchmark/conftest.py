from pathlib import Path
from typing import Any

import pytest

from nni_emodarts.benchmark import Method, compare
from nni_emodarts.config import ExperimentConfig


@pytest.fixture(scope="session")
def config(fast_config: ExperimentConfig) -> ExperimentConfig:
    data = fast_config.model_dump(mode="json")
    data["retrain"]["epochs"] = 1
    return ExperimentConfig.model_validate(data)


@pytest.fixture(scope="session")
def compared(config: ExperimentConfig, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("benchmark")
    methods = [Method("darts"), Method("cnn_lstm")]
    return folder, compare("small", config, methods, [0, 1], [1], folder / "out", folder / "runs")
