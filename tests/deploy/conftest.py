from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import fold_tasks
from nni_emodarts.deploy.recogniser import EmotionRecognizer
from nni_emodarts.models.space import random_architecture
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.training.retrain import retrain


@pytest.fixture(scope="session")
def run(fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A retraining of folds 0 and 3 with a final network."""
    architecture = random_architecture(fast_config.space, 4, small_corpus.input_shape, 0)
    folder = RunFolder.claim(tmp_path_factory.mktemp("deploy") / "run")
    retrain(fold_tasks(fast_config, small_corpus, [0, 3], [1]), architecture, folder, final=True)
    return folder.path


@pytest.fixture(scope="session")
def recognizer(run: Path) -> EmotionRecognizer:
    return EmotionRecognizer.from_run(run)


@pytest.fixture(scope="session")
def clips(small_manifest: Path) -> list[Path]:
    return sorted(small_manifest.parent.rglob("*.flac"))


@pytest.fixture
def speech(clips: list[Path]) -> Iterator[np.ndarray]:
    """About 3 s at 16 kHz, float32."""
    return np.concatenate([soundfile.read(clip, dtype="float32")[0] for clip in clips[:3]])[: 3 * 16000]
