import json
from pathlib import Path
from typing import Any

import pytest
from finished_cells import cell_in, put, table_at
from made_up_cells import noted_budget

from nni_emodarts.benchmark import Method, Plan, benchmark, jobs, random_search, settings_digest
from nni_emodarts.benchmark.random_search import search_at_random
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import ConfigError, DivergenceError, RunFolderError
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.summaries import BenchmarkSummary
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.space.draws import draw_architectures
from nni_emodarts.runtime.cell_table import CellKey
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.training.retrain import fitting


def test_random_search_spends_what_the_search_of_its_fold_and_seed_cost(
    compared: tuple[Path, BenchmarkSummary], config: ExperimentConfig, tmp_path: Path
) -> None:
    table, plan = table_at(tmp_path), Plan(config, [Method("random_search")], [0], [1])
    budget = set_cost(compared, tmp_path, 1e-3)
    benchmark(plan, table, tmp_path / "runs")
    cell = cell_in(tmp_path, "random_search")
    (folder,) = (tmp_path / "runs").rglob("search")
    assert cell.candidates == 1, "there is always one"
    assert cell.architecture is not None
    assert not set(cell.speakers) & set(cell.architecture["origin"]["speakers"])
    assert json.loads((folder / "metrics.json").read_text())["budget_cpu_seconds"] == budget
    (one,) = (folder / "candidates").glob("*/metrics.json")
    cost = json.loads(one.read_text())["cpu_seconds"]
    assert cell.search_cpu_seconds == pytest.approx(cost, abs=0.06)
    # With a larger budget it tries more; what was found for less stays as it is, and is not mistaken for it.
    kept = {file: file.read_bytes() for file in folder.parent.rglob("metrics.json")}
    budget = set_cost(compared, tmp_path, 1.5 * cost)
    with pytest.raises(RunFolderError, match=r"a search of 0\.001 CPU seconds, but that of darts"):
        benchmark(plan, table, tmp_path / "runs")
    table.drop([CellKey("random_search", 0, 1)])
    (summary,) = benchmark(plan, table, tmp_path / "runs")
    assert {file: file.read_bytes() for file in kept} == kept
    (more,) = {*(tmp_path / "runs").rglob("search")} - {folder}
    candidates = sorted((more / "candidates").glob("*/metrics.json"), key=lambda each: each.stat().st_mtime_ns)
    held = [json.loads(each.read_text()) for each in candidates]
    found = json.loads((more / "metrics.json").read_text())
    assert summary.candidates == len(held)
    assert found["cpu_seconds"] - held[-1]["cpu_seconds"] < budget <= found["cpu_seconds"], (
        "one is begun till it is spent"
    )
    assert found["val_uar"] == max(each["val_uar"] for each in held)
    assert {each["epochs"] for each in held} == {config.search.epochs}
    # Cut off before it had said what it found, it goes on with the candidates that are finished.
    stamps = [each.stat().st_mtime_ns for each in candidates]
    (more / "metrics.json").unlink()
    table.drop([CellKey("random_search", 0, 1)])
    assert benchmark(plan, table, tmp_path / "runs")[0] == summary
    assert [each.stat().st_mtime_ns for each in candidates] == stamps


def test_random_search_draws_others_than_random_sampling(
    config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = []

    def cheap(task: FoldTask, *given: Any) -> dict[str, Any]:
        heard.append(task.corpus.input_shape)
        return {"val_uar": 0.5, "seconds": 1.0, "cpu_seconds": 1.0}

    monkeypatch.setattr(random_search, "evaluate_candidate", cheap)
    data = config.model_dump(mode="json")
    data["search"]["coarseness"] = 2
    coarse = ExperimentConfig.model_validate(data)
    found = search_at_random(FoldTask.of(coarse, small_corpus, 0, 1), 2.5, RunFolder.claim(tmp_path / "run"))
    channels, bins = small_corpus.input_shape
    assert heard == [(channels, bins // 2)] * 3, "as the supernet hears them"
    assert found.input_shape == small_corpus.input_shape, "the network that is retrained hears all"
    sampled = next(draw_architectures(config.space, 4, small_corpus.input_shape, [1, 0], {}))
    assert found.id != sampled.id


def test_candidates_at_half_the_resolution_are_augmented_before_it_is_lowered(
    config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = []

    def augment(recipe: Any, bins: int, levels: int) -> Any:
        return lambda features: heard.append((bins, len(features))) or features

    monkeypatch.setattr(fitting, "make_augment", augment)
    data = config.model_dump(mode="json")
    data["search"] |= {"coarseness": 2, "epochs": 1}
    coarse = ExperimentConfig.model_validate(data)
    search_at_random(FoldTask.of(coarse, small_corpus, 0, 1), 0.0, RunFolder.claim(tmp_path / "run"))
    assert set(heard) == {(small_corpus.frequency_bins, small_corpus.frequency_bins)}


def test_random_search_goes_on_past_a_candidate_that_diverges(
    config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate, tried = random_search.evaluate_candidate, []

    def diverging(*given: Any) -> dict[str, Any]:
        tried.append(given[1].id)
        if len(tried) == 1:
            raise DivergenceError("planted")
        return {**evaluate(*given), "cpu_seconds": 10.0}

    monkeypatch.setattr(random_search, "evaluate_candidate", diverging)
    folder, fold = RunFolder.claim(tmp_path / "some"), small_corpus.fold(0)
    found = search_at_random(FoldTask(config, small_corpus, fold, 1), 9.0, folder)
    metrics = folder.read_json("metrics.json")
    assert [found.id] == tried[1:]
    assert (metrics["candidates"], metrics["failed"]) == (2, 1)
    assert metrics["cpu_seconds"] >= 10.0

    def always(*given: Any) -> dict[str, Any]:
        raise DivergenceError("planted")

    monkeypatch.setattr(random_search, "evaluate_candidate", always)
    with pytest.raises(DivergenceError, match="all 1 candidates of the random search diverged; the last: planted"):
        search_at_random(FoldTask(config, small_corpus, fold, 1), -1.0, RunFolder.claim(tmp_path / "all"))


def test_random_search_spends_what_that_search_costs_on_its_own_machine(
    compared: tuple[Path, BenchmarkSummary], config: ExperimentConfig, tmp_path: Path
) -> None:
    set_cost(compared, tmp_path, 1e6)
    table, cell = table_at(tmp_path), cell_in(tmp_path, "darts")
    put(table, cell, environment={**cell.environment, "processor": "another"})
    (summary,) = benchmark(Plan(config, [Method("random_search")], [0], [1]), table, tmp_path / "runs")
    again = next((tmp_path / "runs").glob("random_search/*-payer/fold_00/seed_1"))
    cost = json.loads((again / "metrics.json").read_text())["cpu_seconds"]
    assert summary.budget_cpu_seconds == pytest.approx(cost, abs=0.06)
    found = cell_in(tmp_path, "random_search")
    assert found.payer_cpu_seconds == 1e6
    assert found.budget_cpu_seconds == summary.budget_cpu_seconds
    assert cell.architecture is not None
    assert Architecture.load(again / "architecture.json").id == cell.architecture["id"], "the same search"
    assert not {*(again.parents[2]).glob("*-payer/fold_00/seed_1/weights.safetensors")}, "and no retraining"


def set_cost(compared: tuple[Path, BenchmarkSummary], folder: Path, cost: float) -> float:
    """Give a copied cell of DARTS this cost."""
    put(table_at(folder), cell_in(compared[0] / "out", "darts"), search_cpu_seconds=cost)
    return cost


def test_random_search_is_computed_after_the_search_that_sets_its_budget(
    compared: tuple[Path, BenchmarkSummary],
    config: ExperimentConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ConfigError, match=r"add darts to the methods"):
        benchmark(Plan(config, [Method("random_search")], [0], [1]), table_at(tmp_path), tmp_path / "runs")
    pattern = cell_in(compared[0] / "out", "darts")
    computed = []

    def compute(
        task: FoldTask, method: Method, folder: Any, progress: Any, budget: float = 0, **_: Any
    ) -> FinishedCell:
        computed.append((method.name, budget))
        digest = settings_digest(task.config, method, task.corpus.manifest.digest)
        changed = {"method": method.name, "settings": digest, "search_cpu_seconds": 7.5}
        return pattern.model_copy(update=changed)

    monkeypatch.setattr(jobs, "compute_cell", compute)
    monkeypatch.setattr(jobs, "budget_here", noted_budget)
    methods = [Method("random_search"), Method("darts")]
    benchmark(Plan(config, methods, [0], [1]), table_at(tmp_path), tmp_path / "runs")
    assert computed == [("darts", 0.0), ("random_search", 7.5)]


def test_random_search_follows_the_settings_of_the_search_that_sets_its_budget(config: ExperimentConfig) -> None:
    data = config.model_dump(mode="json")
    data["search"]["epochs"] = 7
    other = ExperimentConfig.model_validate(data)
    for name, same in (("random_search", False), ("random_sampling", True)):
        digests = {settings_digest(each, Method(name), "corpus") for each in (config, other)}
        assert (len(digests) == 1) is same
