"""Networks of several streams: recognised with what they hear, described, and exported with the encoder inside."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import torch

from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import load_corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.front_ends.pinning import pinned
from nni_emodarts.deploy.folder import open_network
from nni_emodarts.deploy.onnx_network import OnnxNetwork
from nni_emodarts.deploy.predictions import Prediction
from nni_emodarts.deploy.recogniser import EmotionRecognizer
from nni_emodarts.deploy.shipping import ship
from nni_emodarts.deploy.torch_network import read_network
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.flat_space import flat_sample
from nni_emodarts.models.space import random_architecture
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.training.retrain import retrain_fold
from nni_emodarts.training.retrain.run import run_retrain
from tests.data.front_ends.encoders import make_encoder

FAST = (
    "retrain.epochs=1", "retrain.batch_size=8", "retrain.refit=false", "space.seqnn_width=16", "space.cnn_channels=8",
    "retrain.epoch_steps=4",
)  # fmt: skip


def configured(encoder: Path, manifest: Path, *settings: str) -> ExperimentConfig:
    streams = [
        {"name": "mel", "kind": "log_mel", "mel_bands": 40, "contours": ["energy"]},
        {"name": "speech", "kind": "pretrained", "model": str(encoder), "hop_ms": 80, "padding": 0.4},
    ]
    options = {"data.manifest": str(manifest), "data.protocol": "loso", "features.streams": streams}
    return pinned(load_config("pretrained", settings=(*FAST, *settings), options=options))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Whisper."""
    pytest.importorskip("transformers")
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("encoders") / "tiny-whisper"
    make_encoder(folder, "whisper")
    return folder


def architecture_of(config: ExperimentConfig, stream: str) -> Architecture:
    shapes = {"mel": (2, 40), "speech": (4, 32)}
    sample = {**flat_sample(random_architecture(config.space, 4, shapes, 0)), "stream": stream, "level_speech": "2"}
    if stream == "mel":
        del sample["level_speech"]
    return Architecture.from_choices(config.space, sample, 4, shapes)


@pytest.fixture(scope="module", params=["corpus", "speaker"])
def run(
    request: pytest.FixtureRequest, encoder: Path, small_manifest: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A retraining of a fold on both streams."""
    config = configured(encoder, small_manifest, f"features.normalization={request.param}")
    task = FoldTask.of(config, load_corpus(config), 0, 1)
    folder = RunFolder.claim(tmp_path_factory.mktemp("deploy") / "run")
    retrain_fold(task, architecture_of(config, "mel+speech"), folder)
    return folder.path


def test_folder_and_file_answer_alike_as_the_run_did(run: Path, clips: list[Path], tmp_path: Path) -> None:
    found = open_network(run)
    shipped = ship(found, tmp_path / "model.onnx", int8=True)
    assert shipped.difference < 1e-3
    folder, file = EmotionRecognizer.from_run(run), EmotionRecognizer.from_onnx(tmp_path / "model.onnx")
    enrolments = (None, clips[1:4], clips[1:12]) if folder.speaker_adapted else (None,)
    answers = []
    for enrolment in enrolments:
        one, other = (
            np.array(list(each.predict(clips[0], enrolment=enrolment).probabilities.values()))
            for each in (folder, file)
        )
        np.testing.assert_allclose(one, other, atol=1e-3)
        answers.append(one)
    if folder.speaker_adapted:
        assert np.abs(answers[0] - answers[2]).max() > 1e-6
    model = onnx.load(tmp_path / "model.onnx")
    assert model.graph.input[0].name == "waveform"
    told = {each.key: each.value for each in model.metadata_props}
    assert json.loads(told["front_end"])["levels"] == [2]
    whole = {each.name for each in onnx.load(tmp_path / "model.int8.onnx").graph.initializer if each.data_type == 3}
    assert len(whole) > 4
    assert OnnxNetwork(tmp_path / "model.int8.onnx").labels == folder.labels
    card = (tmp_path / "model.md").read_text()
    assert "heard as 40 bins of log_mel and energy" in card
    assert "heard as level 2 of the pretrained encoder" in card


def test_answers_are_those_of_the_test_part(run: Path, small_manifest: Path) -> None:
    recogniser = EmotionRecognizer.from_run(run)
    if recogniser.speaker_adapted:
        pytest.skip("a test utterance is answered with its speaker's other recordings")
    table = RunFolder(run).read_csv("predictions.csv")
    files = [small_manifest.parent / name for name in table["file"][:5]]
    found = list(recogniser.predict_many(files, batch_size=3))
    for row, answer in enumerate(found):
        assert isinstance(answer, Prediction)
        for label, value in answer.probabilities.items():
            assert value == pytest.approx(table[f"p_{label}"].iloc[row], abs=2e-3)


def test_it_recognises_over_time(run: Path, clips: list[Path], tmp_path: Path) -> None:
    sound, rate = soundfile.read(clips[0])
    soundfile.write(tmp_path / "long.wav", np.tile(sound, 4), rate)
    moments = list(EmotionRecognizer.from_run(run).predict_over_time(tmp_path / "long.wav", window=1.0))
    assert len(moments) > 3
    assert all(moment.probabilities for moment in moments if moment.emotion is not None)


def test_a_network_of_one_stream_needs_nothing_of_the_other(
    encoder: Path, small_manifest: Path, clips: list[Path], tmp_path: Path
) -> None:
    """Neither its features nor its encoder, to retrain, to recognise, or to export."""
    elsewhere = tmp_path / "moved-whisper"
    shutil.copytree(encoder, elsewhere)
    config = configured(elsewhere, small_manifest)
    shutil.rmtree(elsewhere)
    architecture = architecture_of(config, "mel")
    run_retrain(config, architecture, tmp_path / "run", folds=None, only_unheard=False)
    cell = tmp_path / "run" / "fold_00" / "seed_1"
    network = read_network(open_network(cell))
    assert [each.feature_rows for each in network.extractors] == [41]
    ship(open_network(cell), tmp_path / "model.onnx")
    one, other = (
        list(EmotionRecognizer.load(each).predict(clips[0]).probabilities.values())
        for each in (cell, tmp_path / "model.onnx")
    )
    np.testing.assert_allclose(one, other, atol=1e-3)
    assert "that it does not hear: speech" in (tmp_path / "model.md").read_text()
    assert "front_ends" not in json.loads((cell / "corpus.json").read_text())
