"""A speaker-adapted network behind a pretrained encoder: a voice is enrolled in its folder and in its exported file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from nni_emodarts.config import load_config
from nni_emodarts.data.corpus import load_corpus
from nni_emodarts.data.fold_task import fold_tasks
from nni_emodarts.data.front_ends.pinning import pinned
from nni_emodarts.deploy.folder import open_network
from nni_emodarts.deploy.recogniser import EmotionRecognizer
from nni_emodarts.deploy.shipping import ship
from nni_emodarts.models.space import random_architecture
from nni_emodarts.runtime.run_folder import METRICS, RunFolder
from nni_emodarts.training.retrain import retrain
from tests.data.front_ends.encoders import make_encoder

FAST = (
    "retrain.epochs=1", "retrain.batch_size=8", "retrain.refit=false", "space.seqnn_width=16", "space.cnn_channels=8",
    "features.normalization=speaker",
)  # fmt: skip


@pytest.fixture(scope="module")
def adapted_run(small_manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("transformers")
    torch.manual_seed(0)
    encoder = tmp_path_factory.mktemp("encoders") / "tiny-whisper"
    make_encoder(encoder, "whisper")
    stream = {"name": "speech", "kind": "pretrained", "model": str(encoder), "hop_ms": 80, "padding": 0.4}
    options = {"data.manifest": str(small_manifest), "data.protocol": "loso", "features.streams": [stream]}
    config = pinned(load_config("pretrained", settings=FAST, options=options))
    corpus = load_corpus(config)
    architecture = random_architecture(config.space, 4, corpus.input_shape, 0)
    folder = RunFolder.claim(tmp_path_factory.mktemp("deploy") / "run")
    retrain(fold_tasks(config, corpus, [0], [1]), architecture, folder, final=True)
    return folder.path


def test_folder_and_file_answer_alike_for_every_enrolment(adapted_run: Path, clips: list[Path], tmp_path: Path) -> None:
    metrics = RunFolder(adapted_run).read_json(METRICS)
    assert (metrics["track"], metrics["speaker_adapted"]) == ("pretrained", True)
    ship(open_network(adapted_run), tmp_path / "model.onnx")
    folder, file = EmotionRecognizer.from_run(adapted_run), EmotionRecognizer.from_onnx(tmp_path / "model.onnx")
    answers = []
    for enrolment in (None, clips[1:4], clips[1:20]):
        one, other = (
            np.array(list(each.predict(clips[0], enrolment=enrolment).probabilities.values()))
            for each in (folder, file)
        )
        np.testing.assert_allclose(one, other, atol=1e-3)
        answers.append(one)
    assert np.abs(answers[0] - answers[2]).max() > 1e-6
    assert "pretrained, speaker-adapted" in (tmp_path / "model.md").read_text()
