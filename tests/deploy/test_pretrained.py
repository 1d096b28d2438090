"""Networks behind a pretrained encoder: recognised, described and exported, each encoder of its kind."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import torch

from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import load_corpus
from nni_emodarts.data.fold_task import fold_tasks
from nni_emodarts.data.front_ends.extraction import PretrainedExtractor
from nni_emodarts.data.front_ends.pinning import pinned
from nni_emodarts.deploy.export import export_network
from nni_emodarts.deploy.folder import open_network
from nni_emodarts.deploy.model_card import write_model_card
from nni_emodarts.deploy.onnx_network import OnnxNetwork
from nni_emodarts.deploy.predictions import Failure, Prediction
from nni_emodarts.deploy.recogniser import EmotionRecognizer
from nni_emodarts.deploy.shipping import ship
from nni_emodarts.deploy.torch_network import TorchNetwork, read_network
from nni_emodarts.errors import ConfigError, FrontEndError, RunFolderError
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.space import random_architecture
from nni_emodarts.runtime.run_folder import CORPUS, GRAPH, RunFolder
from nni_emodarts.training.retrain import retrain
from tests.data.front_ends.encoders import KINDS, make_encoder

FAST = (
    "retrain.epochs=2", "retrain.batch_size=8", "retrain.refit=false", "space.seqnn_width=16", "space.cnn_channels=8",
    "space.joined_levels=2",
)  # fmt: skip


def configured(folder: Path, manifest: Path) -> ExperimentConfig:
    stream = {"name": "speech", "kind": "pretrained", "model": str(folder), "hop_ms": 80, "padding": 0.4}
    options = {"data.manifest": str(manifest), "data.protocol": "loso", "features.streams": [stream]}
    return pinned(load_config("pretrained", settings=FAST, options=options))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Whisper whose page states a licence."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("encoders") / "tiny-whisper"
    make_encoder(folder, "whisper")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    return folder


@pytest.fixture(scope="module")
def run(encoder: Path, small_manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A retraining of a fold on two of the levels side by side, with a final network."""
    config = configured(encoder, small_manifest)
    corpus = load_corpus(config)
    architecture = next(
        made
        for seed in range(100)
        if (made := random_architecture(config.space, 4, corpus.input_shape, seed)).levels == {"speech": (1, 2)}
    )
    folder = RunFolder.claim(tmp_path_factory.mktemp("deploy") / "run")
    retrain(fold_tasks(config, corpus, [0], [1]), architecture, folder, final=True)
    return folder.path


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "model.onnx"
    ship(open_network(run), out, int8=True)
    return out


def test_a_folder_recognises_with_the_layers_that_its_level_needs(run: Path, clips: list[Path]) -> None:
    recogniser = EmotionRecognizer.from_run(run)
    assert recogniser.sampling_rate == 16_000
    network = read_network(open_network(run))
    assert isinstance(network.extractor, PretrainedExtractor)
    assert network.extractor.facts.levels == (1, 2)
    assert len(network.extractor.front_end.encoder.layers) == 2
    alone = [recogniser.predict(clip) for clip in clips[:5]]
    for one, together in zip(alone, recogniser.predict_many(clips[:5], batch_size=5), strict=True):
        assert isinstance(together, Prediction)
        np.testing.assert_allclose(list(one.probabilities.values()), list(together.probabilities.values()), atol=1e-4)


def test_answers_are_those_of_the_run(run: Path, small_manifest: Path) -> None:
    """Test predictions of a fold are what its network answers to the same files."""
    cell = next(run.glob("fold_*/seed_*"))
    rows = [line.split(",") for line in (cell / "predictions.csv").read_text().splitlines()]
    head, *lines = rows
    recogniser = EmotionRecognizer.from_run(run, fold=0)
    for line in lines[:6]:
        row = dict(zip(head, line, strict=True))
        answer = recogniser.predict(small_manifest.parent / row["file"])
        stated = [float(row[f"p_{label}"]) for label in recogniser.labels]
        np.testing.assert_allclose(list(answer.probabilities.values()), stated, atol=2e-3)


def test_over_time(run: Path, clips: list[Path], tmp_path: Path) -> None:
    sounds = [soundfile.read(clip, dtype="float32") for clip in clips[:4]]
    soundfile.write(tmp_path / "long.wav", np.concatenate([sound for sound, _ in sounds]), sounds[0][1])
    moments = list(EmotionRecognizer.from_run(run).predict_over_time(tmp_path / "long.wav", window=1.0))
    assert len(moments) > 3
    assert any(moment.emotion for moment in moments)


def test_weights_that_lie_elsewhere(
    run: Path, encoder: Path, clips: list[Path], tmp_path: Path, emodarts: Callable[..., tuple[int, str]]
) -> None:
    copy, moved = shutil.copytree(encoder, tmp_path / "copy"), tmp_path / "moved"
    encoder.rename(moved)
    try:
        with pytest.raises(FrontEndError, match="there is no such folder"):
            EmotionRecognizer.from_run(run)
        code, said = emodarts("predict", run, clips[0], "--front-end", copy)
        assert code == 0, said
        make_encoder(tmp_path / "other", "whisper")
        code, said = emodarts("predict", run, clips[0], "--front-end", tmp_path / "other")
        assert code == 2
        assert "others than those that were heard with" in said
    finally:
        moved.rename(encoder)


def test_the_run_says_what_it_heard_with(run: Path, encoder: Path) -> None:
    digest = open_network(run).config.features.pretrained[0].digest
    (front_end,) = json.loads((run / CORPUS).read_text())["front_ends"]
    assert front_end["digest"] == digest
    assert front_end["licence"] == "mit"
    text = write_model_card(open_network(run)).read_text()
    assert "heard as levels 1, 2 of the pretrained encoder `tiny-whisper`, every 80 ms" in text
    assert f"licence: mit, SHA-256 `{digest}`" in text
    assert str(encoder) not in text


def test_a_runs_own_graph_is_the_head_and_names_the_encoder(run: Path) -> None:
    graph = onnx.load(next(run.rglob(GRAPH)))
    held = {entry.key: entry.value for entry in graph.metadata_props}
    (encoder,) = json.loads(held["front_ends"])
    assert encoder["digest"] == open_network(run).config.features.pretrained[0].digest
    assert encoder["levels"] == [1, 2]
    (maps, lengths) = graph.graph.input
    assert [each.dim_value or each.dim_param for each in maps.type.tensor_type.shape.dim] == ["batch", 2, 32, "frames"]
    assert lengths.name == "lengths"


def test_the_exported_file_takes_waveforms_alone(exported: Path, run: Path, clips: list[Path]) -> None:
    network = OnnxNetwork(exported)
    assert [each.name for each in network._session.get_inputs()] == ["waveform"]
    recogniser, reference = EmotionRecognizer.load(exported), EmotionRecognizer.from_run(run)
    for clip in clips[:4]:
        found, expected = recogniser.predict(clip).probabilities, reference.predict(clip).probabilities
        np.testing.assert_allclose(list(found.values()), list(expected.values()), atol=1e-3)
    smaller = exported.with_name("model.int8.onnx")
    assert smaller.stat().st_size < exported.stat().st_size
    near = EmotionRecognizer.load(smaller).predict(clips[0]).probabilities
    np.testing.assert_allclose(list(near.values()), list(reference.predict(clips[0]).probabilities.values()), atol=0.1)


def test_the_exported_file_needs_no_torch(exported: Path, clips: list[Path]) -> None:
    code = (
        "import sys; from nni_emodarts.deploy import EmotionRecognizer; "
        f"print(EmotionRecognizer.load({str(exported)!r}).predict({str(clips[0])!r}).emotion, "
        "'torch' in sys.modules, 'transformers' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split()[1:] == ["False", "False"]


def test_what_is_longer_than_the_file_hears_is_named(exported: Path, clips: list[Path], tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    soundfile.write(tmp_path / "long.wav", 0.1 * generator.standard_normal(16_000 * 31), 16_000)
    recogniser = EmotionRecognizer.load(exported)
    long, short = recogniser.predict_many([tmp_path / "long.wav", clips[0]])
    assert isinstance(long, Failure)
    assert "lasts 31.0 s, more than the 29.6 s" in str(long.error)
    assert isinstance(short, Prediction)
    assert len(list(recogniser.predict_over_time(tmp_path / "long.wav"))) > 10
    with pytest.raises(RunFolderError, match="leave front_end out"):
        EmotionRecognizer.load(exported, front_end="x")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "whisper"])
def test_each_kind_of_encoder_is_a_graph_of_any_length(kind: str, tmp_path: Path, small_manifest: Path) -> None:
    torch.manual_seed(1)
    make_encoder(tmp_path / "encoder", kind)
    config = configured(tmp_path / "encoder", small_manifest)
    architecture = random_architecture(config.space, 4, (4, 32), 0)
    reference = exported_reference(config, architecture)
    network = OnnxNetwork(export_network(reference, list("abcd")))
    for count, samples in ((1, 160), (1, 1600), (2, 16_000), (1, 33_333), (3, 8000)):
        waveforms = list(0.1 * torch.randn(count, samples).numpy())
        np.testing.assert_allclose(network(waveforms), reference(waveforms), atol=1e-3)


def exported_reference(config: ExperimentConfig, architecture: Architecture) -> TorchNetwork:
    """A network of new weights, in PyTorch."""
    from nni_emodarts.data.features import Normalizer
    from nni_emodarts.models.space import build_model

    stream = config.features.pretrained[0].model_copy(update={"levels": architecture.levels["speech"]})
    extractor = PretrainedExtractor(stream, "cpu")
    normalizer = Normalizer(np.zeros(extractor.feature_rows), np.ones(extractor.feature_rows))
    return TorchNetwork(extractor, normalizer, build_model(architecture, 4, (4, 32)))


def test_a_network_that_hears_spectra_has_no_front_end(run: Path, small_manifest: Path, tmp_path: Path) -> None:
    config = load_config("tiny", options={"data.manifest": str(small_manifest)})
    folder = shutil.copytree(run, tmp_path / "run")
    for file in folder.rglob("config.yml"):
        file.write_text(config.to_yaml())
    with pytest.raises(ConfigError, match="hears with none; leave it out"):
        open_network(folder).hearing_with("openai/whisper-base")
