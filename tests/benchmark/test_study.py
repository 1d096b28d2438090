from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nni_emodarts.benchmark import study as room
from nni_emodarts.benchmark.study import Finished, Rank, Study, Trained, judge, read_search, study
from nni_emodarts.cli import console
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import OverlapError, RunFolderError
from nni_emodarts.models.space import random_architecture
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.run import search


def row(val_uar: float, test_uar: float = 0.5, cpu_seconds: float = 10.0, name: str = "a") -> Trained:
    return Trained(architecture=name, val_uar=val_uar, test_uar=test_uar, parameters=5, cpu_seconds=cpu_seconds)


def test_random_search_spends_what_the_search_and_its_retraining_cost() -> None:
    sampled = [row(0.4, 0.9), row(0.6, 0.3), row(0.9, 0.8), row(0.95, 0.2)]
    found = judge(row(0.7, 0.8), sampled, search_cost=25.0)
    assert found.random_search.candidates == 3  # 25 + 10 seconds buy three trainings of 10
    assert (found.random_search.val_uar, found.random_search.test_uar) == (0.9, 0.8)
    assert found.rank == Rank(val_uar=0.5, test_uar=0.625)
    assert found.random_sampling.test_uar == pytest.approx(0.55)


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
    assert found.random_sampling.test_uar == pytest.approx(networks["test_uar"][1:].mean(), abs=1e-6)
    assert found.equal_cost is True
    assert Study.from_data(folder.read_json("study.json")) == found
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
