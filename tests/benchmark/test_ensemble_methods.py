"""The methods `search`, `ensemble` and `distilled`: one search, and what is made of its candidates."""

from pathlib import Path
from typing import Any

import pytest

from nni_emodarts.benchmark import jobs
from nni_emodarts.benchmark.run import run_benchmark
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.errors import ConfigError
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.costs import architecture_cost
from nni_emodarts.runtime.cell_table import CellTable
from tests.small_networks import SMALL_NETWORKS


@pytest.fixture(scope="module")
def config(fast_config: ExperimentConfig) -> ExperimentConfig:
    data = fast_config.model_dump()
    options: dict[str, Any] = {"candidates": 2, "epochs": 1}
    data["search"] |= {"strategy": "random", "options": options, "estimate": {"folds": 2}}
    data["retrain"] |= {"epoch_steps": 1, "epochs": 1}
    data["space"] |= SMALL_NETWORKS
    return ExperimentConfig.model_validate(data)


def test_one_search_serves_all_three(
    config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nni_emodarts.nni_bridge.trial.in_trial", lambda: True)  # candidates train in this process
    jobs.prepared.cache_clear()
    methods = ["search", "ensemble", "distilled"]
    run_benchmark("three", config, methods, tmp_path / "out", tmp_path / "runs", folds=[0], seeds=[1])
    table = CellTable.beside(tmp_path / "out", "three", FinishedCell.from_data).read()
    search, ensemble, distilled = table.cells.values()
    assert [each.method for each in (search, ensemble, distilled)] == methods
    assert len(list((tmp_path / "runs").rglob("candidates.csv"))) == 1
    assert search.search_cpu_seconds == ensemble.search_cpu_seconds == distilled.search_cpu_seconds > 0
    assert search.architecture is not None
    assert distilled.architecture == search.architecture
    assert distilled.parameters == search.parameters
    assert ensemble.members is not None
    assert sum(ensemble.members.values()) == pytest.approx(1)
    assert ensemble.answers is not None
    known = {
        each.id: each
        for each in (Architecture.load(file) for file in (tmp_path / "runs").rglob("candidates/*/architecture.json"))
    }
    frames = 1 + config.features.sampling_rate // round(config.features.hop_ms * config.features.sampling_rate / 1000)
    assert ensemble.flops == round(sum(architecture_cost(known[name], "flops", frames) for name in ensemble.members))


def test_without_answers_of_candidates_it_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    for settings in ([], ["search.strategy=random"], ["search.strategy=random", "search.estimate.folds=1"]):
        chosen = load_config("tiny", settings=settings, options={"data.manifest": "synthetic"})
        with pytest.raises(ConfigError, match=r"method ensemble takes the candidates .* search\.estimate\.folds=3"):
            run_benchmark("none", chosen, ["search", "ensemble"], tmp_path / "out", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
