"""A search and a run over folds and seeds, made once, for everything that reads run folders."""

from pathlib import Path

import pytest

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask, fold_tasks
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.run import search
from nni_emodarts.training.retrain import retrain


@pytest.fixture(scope="session")
def search_run(fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search of two epochs."""
    folder = RunFolder.claim(tmp_path_factory.mktemp("runs") / "search")
    config = fast_config.model_copy(update={"search": fast_config.search.model_copy(update={"epochs": 2})})
    search(FoldTask.of(config, small_corpus, 0, 1), folder)
    return folder.path


@pytest.fixture(scope="session")
def retrain_run(
    fast_config: ExperimentConfig,
    small_corpus: Corpus,
    search_run: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Two folds, two seeds."""
    folder = RunFolder.claim(tmp_path_factory.mktemp("runs") / "retrain")
    architecture = Architecture.load(search_run / "architecture.json")
    retrain(fold_tasks(fast_config, small_corpus, [0, 1], [1, 2]), architecture, folder, allow_overlap=True)
    return folder.path
