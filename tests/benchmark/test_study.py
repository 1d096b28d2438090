from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nni_emodarts.benchmark import study as room
from nni_emodarts.benchmark.study import Finished, Rank, Study, Trained, judge, read_search, run_study, study
from nni_emodarts.cli import console
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import OverlapError, RunFolderError
from nni_emodarts.models.space import random_architecture
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.run import search
from tests.conftest import FAST
from tests.small_networks import SMALL_NETWORKS


def row(val: float, test: float = 0.5, cpu_seconds: float = 10.0, name: str = "a") -> Trained:
    return Trained(architecture=name, val=val, test=test, parameters=5, cpu_seconds=cpu_seconds)


def test_random_search_spends_what_the_search_and_its_retraining_cost() -> None:
    sampled = [row(0.4, 0.9), row(0.6, 0.3), row(0.9, 0.8), row(0.95, 0.2)]
    found = judge(row(0.7, 0.8), sampled, search_cost=25.0)
    assert found.random_search.candidates == 3  # 25 + 10 seconds buy three trainings of 10
    assert (found.random_search.val, found.random_search.test) == (0.9, 0.8)
    assert found.rank == Rank(val=0.5, test=0.625)
    assert found.random_sampling.test == pytest.approx(0.55)


def test_random_search_has_one_candidate_at_least() -> None:
    assert judge(row(0.7), [row(0.4), row(0.5)], search_cost=0.0).random_search.candidates == 1


def test_a_study_of_a_search(fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path) -> None:
    searched = RunFolder.claim(tmp_path / "search")
    architecture = search(FoldTask.of(fast_config, small_corpus, 2, 1), searched)
    finished = replace(read_search(searched), cpu_seconds=-1e9)  # so that no cost asks for more samples
    assert (finished.architecture.id, finished.fold, finished.seed) == (architecture.id, 2, 1)
    assert read_search(searched).cpu_seconds > 0
    assert finished.environment == searched.read_json("environment.json")
    folder = RunFolder.claim(tmp_path / "study")
    found = study(fast_config, small_corpus, finished, 2, folder)
    networks = pd.read_csv(folder.path / "networks.csv")
    assert networks["name"].tolist() == ["searched", "sample_001", "sample_002"]
    assert networks["architecture"].nunique() >= 2
    assert found.random_sampling.test == pytest.approx(networks["test_uar"][1:].mean(), abs=1e-6)
    assert found.equal_cost is True
    held = folder.read_json("study.json")
    assert Study.from_data(held) == found
    assert {"val_uar", "test_uar", "test_uar_std"} <= set(held["random_sampling"])
    times = {file: file.stat().st_mtime_ns for file in folder.path.glob("*/metrics.json")}
    slower = {**finished.environment, "processor": "another"}
    more = study(fast_config, small_corpus, replace(finished, environment=slower), 3, folder)
    assert more.equal_cost is False
    assert more.random_sampling.samples == 3
    assert all(file.stat().st_mtime_ns == time for file, time in times.items()), "a finished network ran again"
    seen = replace(
        architecture, origin={**architecture.origin, "speakers": small_corpus.speakers(small_corpus.fold(2).test)}
    )
    with pytest.raises(OverlapError):
        study(fast_config, small_corpus, replace(finished, architecture=seen), 2, folder)
    fewer = replace(small_corpus, store=small_corpus.store.pick(np.arange(len(small_corpus.manifest))[::-1]))
    with pytest.raises(RunFolderError, match=r"of recordings that were replaced, mended or skipped since"):
        study(fast_config, fewer, finished, 2, folder)
    elsewhere = replace(finished, fold=1, architecture=replace(architecture, origin={}))
    for other, says in ((elsewhere, "another fold"), (replace(finished, seed=2), "another seed")):
        with pytest.raises(RunFolderError, match=says):
            study(fast_config, small_corpus, other, 2, folder)


@pytest.mark.parametrize("task", ["dimensions", "both"])
def test_a_study_of_a_search_for_dimensions_compares_the_headline(
    task: str, small_manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options: dict[str, object] = {"data.manifest": str(small_manifest), "data.protocol": "kfold:3", "data.task": task}
    options |= {"retrain.epoch_steps": 2, "search.epoch_steps": 1}
    options |= {f"space.{name}": value for name, value in SMALL_NETWORKS.items()}
    config = load_config("tiny", settings=FAST, options=options)
    fold = FoldTask.of(config, load_corpus(config), 0, 1)
    search(fold, RunFolder.claim(tmp_path / "search"))
    found = run_study(tmp_path / "search", tmp_path / "study", samples=2)
    key = {"dimensions": "ccc", "both": "uar_ccc"}[task]
    networks = pd.read_csv(tmp_path / "study" / "networks.csv")
    for _, network in networks.iterrows():
        metrics = RunFolder(tmp_path / "study" / network["name"]).read_json("metrics.json")
        assert network[f"val_{key}"] == pytest.approx(metrics[f"val_{key}"], abs=1e-6)
        assert network[f"test_{key}"] == pytest.approx(metrics[f"test_{key}"], abs=1e-6)
    sampled = networks.iloc[1:]
    assert found.random_sampling.test == pytest.approx(sampled[f"test_{key}"].mean(), abs=1e-6)
    best = sampled.iloc[: found.random_search.candidates][f"val_{key}"]
    assert found.random_search.val == pytest.approx(best.max(), abs=1e-6)
    held = RunFolder(tmp_path / "study").read_json("study.json")
    assert held["searched"][f"test_{key}"] == found.searched.test
    assert Study.from_data(held) == found
    console.show_study(found)
    assert f"validation {'CCC' if task == 'dimensions' else 'mean of UAR'}" in " ".join(capsys.readouterr().out.split())


def test_samples_are_drawn_until_the_cost_is_spent(
    fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_train", lambda *words: row(0.5, name=words[1].id))
    made = random_architecture(fast_config.space, small_corpus.num_classes, small_corpus.input_shape, 0)
    found = study(fast_config, small_corpus, Finished(made, 0, 1, 25.0), 2, RunFolder.claim(tmp_path / "study"))
    assert found.random_sampling.samples == 4  # 25 + 10 seconds
    assert found.random_search.candidates == 3
    few = fast_config.model_dump(mode="json")
    few["space"] |= {
        "cnn_nodes": 1,
        "seqnn_nodes": 1,
        "cnn_primitives": ["max_pool_3x3"],
        "seqnn_primitives": ["lstm_1"],
    }
    config = ExperimentConfig.model_validate(few)
    made = random_architecture(config.space, small_corpus.num_classes, small_corpus.input_shape, 0)
    found = study(config, small_corpus, Finished(made, 0, 1, 25.0), 2, RunFolder.claim(tmp_path / "small"))
    assert found.random_sampling.samples == 1, "the space holds one architecture"


def test_a_study_says_that_its_costs_are_not_equal(capsys: pytest.CaptureFixture[str]) -> None:
    found = Study(fold=0, seed=1, **dict(judge(row(0.7), [row(0.7), row(0.7)], search_cost=25.0)), equal_cost=True)
    console.show_study(found)
    assert "another processor" not in capsys.readouterr().out
    console.show_study(found.model_copy(update={"equal_cost": False}))
    assert "another processor" in capsys.readouterr().out


def test_a_folder_without_a_search_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no finished search"):
        read_search(RunFolder.claim(tmp_path / "empty"))
