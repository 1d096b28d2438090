from collections.abc import Iterator
from pathlib import Path

import pytest
from made_up_smile import Smile

from nni_emodarts.benchmark import Method, Plan, compare
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.features import functionals
from nni_emodarts.metrics.summaries import BenchmarkSummary


@pytest.fixture(scope="session")
def config(fast_config: ExperimentConfig) -> ExperimentConfig:
    data = fast_config.model_dump(mode="json")
    data["retrain"]["epochs"] = 1
    return ExperimentConfig.model_validate(data)


@pytest.fixture(scope="session")
def compared(config: ExperimentConfig, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BenchmarkSummary]:
    folder = tmp_path_factory.mktemp("benchmark")
    plan = Plan(config, [Method("darts"), Method("cnn_lstm")], [0, 1], [1])
    return folder, compare("small", plan, folder / "out", folder / "runs")


@pytest.fixture(scope="module")
def no_smile() -> Iterator[None]:
    """Functionals are made up, so that no test needs openSMILE."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(functionals, "version", lambda name: "made up")
        patch.setattr(functionals, "_load", Smile)
        yield
