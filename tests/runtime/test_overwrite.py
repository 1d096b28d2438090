from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nni_emodarts.benchmark.study import Finished, study
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask, fold_tasks
from nni_emodarts.errors import ConfigError
from nni_emodarts.models.space import random_architecture
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.run import search
from nni_emodarts.training.retrain import retrain

Work = Callable[[ExperimentConfig, Corpus, RunFolder], object]


def search_with(strategy: str) -> Work:
    def work(config: ExperimentConfig, corpus: Corpus, folder: RunFolder) -> object:
        data = config.model_dump(mode="json")
        data["search"] |= {"strategy": strategy, "options": {}}
        return search(FoldTask.of(ExperimentConfig.model_validate(data), corpus, 0, 1), folder)

    return work


def retrain_one(config: ExperimentConfig, corpus: Corpus, folder: RunFolder) -> object:
    architecture = random_architecture(config.space, corpus.num_classes, corpus.input_shape, 0)
    return retrain(fold_tasks(config, corpus, [0], [1]), architecture, folder)


def study_one(config: ExperimentConfig, corpus: Corpus, folder: RunFolder) -> object:
    architecture = random_architecture(config.space, corpus.num_classes, corpus.input_shape, 0)
    return study(config, corpus, Finished(architecture, 0, 1, 1.0), 2, folder)


@pytest.mark.parametrize(
    "work", [search_with("darts"), search_with("random"), retrain_one, study_one],
    ids=["one-shot search", "search by trials", "retrain", "study"],
)  # fmt: skip
def test_a_run_outlives_one_that_cannot_begin(
    work: Work, fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    RunFolder(tmp_path).cell(0, 1).write_text("weights.safetensors", "hours of work")
    RunFolder(tmp_path).write_text("config.yml", "other: settings\n")
    RunFolder(tmp_path).write_text("corpus.json", "{}")
    folder = RunFolder.claim(tmp_path, overwrite=True)
    with pytest.raises(ConfigError, match="torch finds none"):
        work(fast_config.model_copy(update={"device": "gpu"}), small_corpus, folder)
    assert RunFolder(tmp_path).cell(0, 1).has("weights.safetensors")


def test_a_run_replaces_another_once_it_begins(
    fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path
) -> None:
    RunFolder(tmp_path).cell(3, 9).write_text("weights.safetensors", "hours of work")
    RunFolder(tmp_path).write_text("config.yml", "other: settings\n")
    RunFolder(tmp_path).write_text("corpus.json", "{}")
    retrain_one(fast_config, small_corpus, RunFolder.claim(tmp_path, overwrite=True))
    assert not (tmp_path / "fold_03" / "seed_9" / "weights.safetensors").exists()
    assert (tmp_path / "fold_00" / "seed_1" / "weights.safetensors").exists()
