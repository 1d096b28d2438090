import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import soundfile
import torch
from torch import nn

from nni_emodarts.config import SEQNN_PRIMITIVES, ExperimentConfig
from nni_emodarts.data.features import FeatureExtractor, Normalizer
from nni_emodarts.deploy.export import check_export, export_network
from nni_emodarts.deploy.folder import open_network
from nni_emodarts.deploy.quantisation import LEAST
from nni_emodarts.deploy.recogniser import EmotionRecognizer
from nni_emodarts.deploy.shipping import ship
from nni_emodarts.deploy.torch_network import TorchNetwork, read_network
from nni_emodarts.deploy.waveform import WaveformNetwork
from nni_emodarts.errors import ConfigError, RunFolderError
from nni_emodarts.models.baselines.cnn_lstm import CnnLstm
from nni_emodarts.models.space import build_model, random_architecture
from nni_emodarts.runtime.digests import OPEN_SEAL, seal

FEATURES = {
    "log_mel": {"kind": "log_mel", "sampling_rate": 16000, "window_ms": 40.0, "hop_ms": 20.0, "mel_bands": 40},
    "narrow window": {"kind": "log_mel", "sampling_rate": 16000, "window_ms": 5.0, "hop_ms": 2.5, "mel_bands": 40},
    "odd window": {
        "kind": "log_mel", "sampling_rate": 22050, "window_ms": 25.3, "hop_ms": 10.0, "mel_bands": 64, "f_max": 8000.0,
    },
    "mfcc": {"kind": "mfcc", "sampling_rate": 8000, "window_ms": 32.0, "hop_ms": 10.0, "mel_bands": 30,
             "coefficients": 13},
    "energy": {"kind": "log_mel", "sampling_rate": 16000, "window_ms": 33.3, "hop_ms": 10.0, "mel_bands": 40,
               "contours": ("energy",)},
}  # fmt: skip


@pytest.fixture(scope="session")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "model.onnx"
    ship(open_network(run), out, int8=True)
    return out


def plain(extractor: FeatureExtractor, model: nn.Module) -> WaveformNetwork:
    """Without normalisation."""
    rows = extractor.feature_rows
    return WaveformNetwork(extractor, Normalizer(np.zeros(rows), np.ones(rows)), model)


@pytest.mark.parametrize("name", FEATURES)
def test_features_in_the_graph_are_the_extractors(name: str, speech: np.ndarray) -> None:
    extractor = FeatureExtractor(**FEATURES[name])
    whole = plain(extractor, nn.Identity())
    hop = extractor.hop
    for samples in (1, 2, hop - 1, hop, hop + 1, 1600, 12345, len(speech)):
        found = whole.features(torch.from_numpy(speech[None, :samples]))[0].numpy()
        np.testing.assert_allclose(found, extractor(speech[:samples]), atol=2e-3)


def test_digital_silence_and_full_scale(speech: np.ndarray) -> None:
    extractor = FeatureExtractor(**FEATURES["energy"])
    whole = plain(extractor, nn.Identity())
    loud = np.sign(speech).astype(np.float32)
    for waveform in (np.zeros(8000, np.float32), np.concatenate([np.zeros(8000, np.float32), loud])):
        found = whole.features(torch.from_numpy(waveform[None]))[0].numpy()
        np.testing.assert_allclose(found, extractor(waveform), atol=2e-3)


def test_pitch_is_refused_by_name() -> None:
    extractor = FeatureExtractor(**{**FEATURES["log_mel"], "contours": ("energy", "pitch")})
    with pytest.raises(ConfigError, match=r"features.contours: pitch cannot be exported"):
        plain(extractor, nn.Identity())


def onnx_of(model: nn.Module, **more: Any) -> tuple[onnxruntime.InferenceSession, TorchNetwork]:
    """A network on log-mel features, or others, as an exported file and in PyTorch."""
    extractor = FeatureExtractor(**{**FEATURES["log_mel"], **more})
    rows = extractor.feature_rows
    reference = TorchNetwork(extractor, Normalizer(np.zeros(rows), np.ones(rows)), model)
    return onnxruntime.InferenceSession(export_network(reference, "abcd")), reference


def check(model: nn.Module, lengths: Sequence[tuple[int, int]], **more: Any) -> None:
    session, reference = onnx_of(model, **more)
    for count, samples in lengths:
        waveform = 0.1 * torch.randn(count, samples).numpy()
        found = session.run(["probabilities"], {"waveform": waveform})[0]
        np.testing.assert_allclose(found, reference(list(waveform)), atol=1e-4)
        assert found.shape == (count, 4)


def test_deltas_and_energy_are_in_the_graph() -> None:
    torch.manual_seed(0)
    model = CnnLstm(4, (4, 40)).eval()
    check(model, [(1, 100), (1, 700), (2, 16000), (3, 5000)], deltas=2, contours=("energy",))


def test_every_operation_of_the_space_at_any_length(fast_config: ExperimentConfig) -> None:
    """Networks that hold every operation between them: each length and batch size gives what PyTorch gives."""
    held: set[object] = set()
    for seed in range(40):
        architecture = random_architecture(fast_config.space, 4, (1, 40), seed)
        used = {str(choice) for choice in architecture.choices.values() if isinstance(choice, str)}
        if used <= held:
            continue
        held |= used
        check(build_model(architecture), [(1, 1), (2, 700), (1, 16000), (3, 33333)])
        if held >= {*SEQNN_PRIMITIVES, *fast_config.space.cnn_primitives} - {"none"}:
            return
    raise AssertionError(f"only {held}")


def test_the_hand_designed_network() -> None:
    check(CnnLstm(4, (1, 40)), [(1, 1), (2, 5000), (1, 50000)])


@pytest.mark.parametrize("rate", ["0", "999", "192001", "1000000000", "fast", "-16000"])
def test_a_sampling_rate_to_which_nothing_can_be_resampled(exported: Path, tmp_path: Path, rate: str) -> None:
    model = onnx.load(exported)
    by_key = {entry.key: entry for entry in model.metadata_props}
    by_key["sampling_rate"].value = rate
    by_key["digest"].value = OPEN_SEAL
    (tmp_path / "odd.onnx").write_bytes(seal(model.SerializeToString()))  # sealed by whoever made it
    with pytest.raises(RunFolderError, match="export the run that it comes from"):
        EmotionRecognizer.from_onnx(tmp_path / "odd.onnx")


def test_the_file_answers_as_the_run(exported: Path, run: Path, clips: list[Path]) -> None:
    session = onnxruntime.InferenceSession(exported)
    (waveform,), (probabilities,) = session.get_inputs(), session.get_outputs()
    assert (waveform.name, waveform.type, len(waveform.shape)) == ("waveform", "tensor(float)", 2)
    assert (probabilities.name, len(probabilities.shape)) == ("probabilities", 2)
    metadata = session.get_modelmeta().custom_metadata_map
    recognizer = EmotionRecognizer.from_run(run)
    assert json.loads(metadata["labels"]) == list(recognizer.labels)
    assert metadata["sampling_rate"] == "16000"
    alike = EmotionRecognizer.from_onnx(exported)
    for clip in clips[:10]:
        expected = list(recognizer.predict(clip).probabilities.values())
        assert list(alike.predict(clip).probabilities.values()) == pytest.approx(expected, abs=1e-5)
        samples = soundfile.read(clip, dtype="float32")[0]
        found = session.run(None, {"waveform": np.stack([samples, samples])})[0]
        np.testing.assert_allclose(found, [expected, expected], atol=1e-5)
    several = [each.probabilities for each in alike.predict_many(clips[:5], batch_size=5)]
    assert several == [alike.predict(clip).probabilities for clip in clips[:5]]


def test_int8(exported: Path, run: Path, small_manifest: Path, tmp_path: Path) -> None:
    """Features stay as they are, answers nearly, and the loss is that of a recogniser's answers."""
    import onnx

    small = exported.with_name("model.int8.onnx")
    assert small.stat().st_size < 0.8 * exported.stat().st_size
    graph = onnx.load(str(small)).graph
    rounded = {tensor.name for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.INT8}
    assert len(rounded) > 5
    assert not {node.domain for node in graph.node} - {""}, "any runtime has its operators"
    casts = [node for node in graph.node if node.op_type == "Cast" and node.input[0] in rounded]
    assert len(casts) == len(rounded)
    floats = [tensor for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT]
    assert not [
        tensor.name for tensor in floats if tensor.name.startswith("network") and np.prod(tensor.dims) >= 4 * LEAST
    ]
    table = pd.read_csv(small_manifest, dtype=str).iloc[::7]
    table["file"] = [str(small_manifest.parent / name) for name in table["file"]]
    table.to_csv(tmp_path / "some.csv", index=False)
    report = ship(open_network(run), tmp_path / "again.onnx", manifest=str(tmp_path / "some.csv"), int8=True)
    loss = report.losses["int8"]
    assert loss.recordings == len(table)
    assert loss.uar is not None
    assert report.losses["float"].largest < 1e-5 < loss.largest < 0.02
    ours, theirs = EmotionRecognizer.from_onnx(small), EmotionRecognizer.from_run(run)
    apart = [
        abs(a - b)
        for clip in table["file"]
        for a, b in zip(
            ours.predict(clip).probabilities.values(), theirs.predict(clip).probabilities.values(), strict=True
        )
    ]
    assert loss.largest == pytest.approx(max(apart), abs=1e-5)
    assert loss.mean == pytest.approx(np.mean(apart), abs=1e-5)
    assert f"on {loss.recordings} recordings" in (tmp_path / "again.md").read_text()


def test_what_can_be_worked_out_is_not_kept(exported: Path) -> None:
    """The kernels of the Fourier transform would be the greater part of the file."""
    import onnx

    largest = max(onnx.load(str(exported)).graph.initializer, key=lambda tensor: np.prod(tensor.dims))
    assert largest.ByteSize() < 300_000, largest.name


def test_without_torch(exported: Path, run: Path, clips: list[Path]) -> None:
    """A process in which torch cannot be imported answers as PyTorch does."""
    program = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchaudio", "nni", "pytorch_lightning"):
            raise ImportError(name)
sys.meta_path.insert(0, Absent())
import json
from nni_emodarts import EmotionRecognizer
found = EmotionRecognizer.from_onnx({str(exported)!r}).predict({str(clips[0])!r})
print(json.dumps(found.probabilities))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = EmotionRecognizer.from_run(run).predict(clips[0]).probabilities
    assert json.loads(done.stdout) == pytest.approx(expected, abs=1e-5)


def test_a_file_that_differs_is_not_written(run: Path) -> None:
    reference = read_network(open_network(run))
    data = export_network(reference, "abcd")
    assert check_export(data, reference) < 1e-5
    with torch.no_grad():
        reference.model.classifier.bias.add_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    with pytest.raises(RunFolderError, match="differs from PyTorch by 0"):
        check_export(data, reference)


def test_outputs_that_are_refused(run: Path, exported: Path, tmp_path: Path) -> None:
    network = open_network(run)
    before = exported.read_bytes()
    for out, says in ((exported, "--overwrite"), (tmp_path, "is a folder"), (tmp_path / "model.bin", "end in .onnx")):
        with pytest.raises(RunFolderError, match=says):
            ship(network, out)
    assert exported.read_bytes() == before
    (tmp_path / "one.md").write_text("mine")
    with pytest.raises(RunFolderError, match=r"one\.md exists"):
        ship(network, tmp_path / "one.onnx")
    assert not (tmp_path / "one.onnx").exists()
    ship(network, tmp_path / "one.onnx", overwrite=True)
    assert (tmp_path / "one.onnx").exists()


def test_other_onnx_files_are_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    for path, says in (
        (tmp_path / "absent.onnx", "does not exist"),
        (tmp_path / "broken.onnx", "cannot be loaded"),
        (run / "final" / "model.onnx", "maps, lengths.*emodarts export"),
    ):
        with pytest.raises(RunFolderError, match=says):
            EmotionRecognizer.from_onnx(path)
    with pytest.raises(RunFolderError, match="leave fold and seed out"):
        EmotionRecognizer.load(run / "final" / "model.onnx", fold=1)
