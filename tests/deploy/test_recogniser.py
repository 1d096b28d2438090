import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from nni_emodarts import EmotionRecognizer
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.features import FeatureExtractor, Normalizer
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.deploy import Failure, Prediction
from nni_emodarts.deploy.torch_network import TorchNetwork
from nni_emodarts.errors import AudioError, ConfigError, RunFolderError
from nni_emodarts.models.space import random_architecture
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.training.retrain import retrain_fold


def shares(prediction: Prediction) -> list[float]:
    return list(prediction.probabilities.values())


def test_it_answers_as_the_run_did(run: Path, small_corpus: Corpus) -> None:
    """The probabilities of the fold's test recordings, which the run wrote when it was trained."""
    table = pd.read_csv(run / "fold_03/seed_1/predictions.csv")
    recognizer = EmotionRecognizer.from_run(run, fold=3, seed=1)
    folder = small_corpus.manifest.folder
    found = list(recognizer.predict_many([folder / name for name in table["file"]], batch_size=3))
    assert [each.file for each in found] == [str(folder / name) for name in table["file"]]
    for each, row in zip(found, table.to_dict("records"), strict=True):
        assert isinstance(each, Prediction)
        assert each.emotion == row["predicted"]
        assert shares(each) == pytest.approx([row[f"p_{label}"] for label in recognizer.labels], abs=1e-5)
        assert each.notes == ()


@pytest.mark.parametrize("validate", [True, False])
def test_it_answers_as_a_run_that_was_trained_anew_on_all(
    fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path, validate: bool
) -> None:
    """Also the features are normalised by those whom the network has learnt from, validation speakers among them."""
    recipe = fast_config.retrain.model_copy(update={"refit": True, "keep": "last"})
    task = FoldTask.of(fast_config.model_copy(update={"retrain": recipe}), small_corpus, 1, 1)
    folder = RunFolder.claim(tmp_path / "run")
    architecture = random_architecture(task.config.space, 4, small_corpus.input_shape, 0)
    retrain_fold(task, architecture, folder, validate=validate)
    recognizer = EmotionRecognizer.from_run(folder.path)
    table = pd.read_csv(folder.path / "predictions.csv", dtype={"speaker": str})
    for _, row in table.iloc[:3].iterrows():
        found = recognizer.predict(small_corpus.manifest.folder / row["file"]).probabilities
        stated = [row[f"p_{label}"] for label in recognizer.labels]
        assert list(found.values()) == pytest.approx(stated, abs=1e-5)


def test_which_network_of_a_run(run: Path, clips: list[Path], tmp_path: Path) -> None:
    final = EmotionRecognizer.from_run(run).predict(clips[0])
    assert EmotionRecognizer.from_run(run / "final").predict(clips[0]) == final
    first = EmotionRecognizer.from_run(run, fold=0).predict(clips[0])
    assert first != final
    assert EmotionRecognizer.from_run(run / "fold_00" / "seed_1").predict(clips[0]) == first
    with pytest.raises(RunFolderError, match=r"no network of fold 2.*fold 0 seed 1, fold 3 seed 1"):
        EmotionRecognizer.from_run(run, fold=2)
    shutil.copytree(run, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "final")
    with pytest.raises(RunFolderError, match=r"holds 2 networks.*fold 0 seed 1, fold 3 seed 1.*fold and seed"):
        EmotionRecognizer.from_run(tmp_path / "copy")
    with pytest.raises(RunFolderError, match="one network, so leave fold"):
        EmotionRecognizer.from_run(run / "final", fold=7)
    (tmp_path / "copy" / "fold_00/seed_1/metrics.json").unlink()
    with pytest.raises(RunFolderError, match=r"lacks metrics.json.*--resume"):
        EmotionRecognizer.from_run(tmp_path / "copy", fold=0)
    for wrong in (tmp_path, tmp_path / "none", clips[0]):
        with pytest.raises(RunFolderError, match="name "):
            EmotionRecognizer.from_run(wrong)


def test_files_of_two_runs_are_not_mixed(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "final", tmp_path / "final")
    metrics = json.loads((tmp_path / "final/metrics.json").read_text())
    (tmp_path / "final/metrics.json").write_text(json.dumps({**metrics, "classes": ["a", "b", "c", "d"]}))
    with pytest.raises(RunFolderError, match="mixes two runs"):
        EmotionRecognizer.from_run(tmp_path / "final")
    (tmp_path / "final/metrics.json").write_text(json.dumps(metrics))
    (tmp_path / "final/normalization.json").write_text('{"mean": [0, 0], "std": [1, 1]}')
    with pytest.raises(RunFolderError, match="2 rows"):
        EmotionRecognizer.from_run(tmp_path / "final")


def test_weights_are_data_only(run: Path, tmp_path: Path) -> None:
    """A pickle under the weights' name is refused before anything in it runs."""
    shutil.copytree(run / "final", tmp_path / "final")
    canary = tmp_path / "ran"
    (tmp_path / "final/weights.safetensors").write_bytes(b"cos\nsystem\n(S'touch " + str(canary).encode() + b"'\ntR.")
    with pytest.raises(RunFolderError, match="cannot be read"):
        EmotionRecognizer.from_run(tmp_path / "final")
    (tmp_path / "final/config.yml").write_text(f"!!python/object/apply:os.system ['touch {canary}']")
    with pytest.raises(ConfigError, match="no YAML"):
        EmotionRecognizer.from_run(tmp_path / "final")
    assert not canary.exists()


def test_a_hand_designed_network(
    fast_config: ExperimentConfig, small_corpus: Corpus, clips: list[Path], tmp_path: Path
) -> None:
    from nni_emodarts.models.baselines import Baseline
    from nni_emodarts.runtime.run_folder import RunFolder
    from nni_emodarts.training.retrain import retrain_fold

    fold = small_corpus.fold(0)
    retrain_fold(FoldTask(fast_config, small_corpus, fold, 1), Baseline("cnn_lstm"), RunFolder(tmp_path))
    assert EmotionRecognizer.from_run(tmp_path).predict(clips[0]).emotion in small_corpus.manifest.classes


def test_samples_are_recognised_as_their_file(recognizer: EmotionRecognizer, clips: list[Path]) -> None:
    expected = recognizer.predict(clips[0])
    whole, rate = soundfile.read(clips[0], dtype="int16")
    for samples in (whole, whole / 2.0**15, whole.astype(np.int32) * 2**16, np.stack([whole, whole]),
                    np.stack([whole, whole], 1), whole[:, None]):  # fmt: skip
        assert shares(recognizer.predict(samples, rate)) == pytest.approx(shares(expected), abs=1e-5)
    assert shares(recognizer.predict(str(clips[0]))) == shares(expected)


def test_a_name_that_is_no_text(recognizer: EmotionRecognizer, clips: list[Path], tmp_path: Path) -> None:
    bare = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.flac"))
    shutil.copy(clips[0], bare)
    assert shares(recognizer.predict(bare)) == shares(recognizer.predict(clips[0]))


def test_another_rate_and_stereo(recognizer: EmotionRecognizer, speech: np.ndarray, tmp_path: Path) -> None:
    import soxr

    expected = shares(recognizer.predict(speech, 16000))
    soundfile.write(tmp_path / "high.wav", np.stack([soxr.resample(speech, 16000, 44100)] * 2, 1), 44100, "FLOAT")
    found = recognizer.predict(tmp_path / "high.wav")
    assert shares(found) == pytest.approx(expected, abs=0.02)
    assert found.notes == ()
    telephone = recognizer.predict(soxr.resample(speech, 16000, 8000), 8000)
    assert "nothing above 4000 Hz" in telephone.notes[0]


def test_bad_samples_are_named(recognizer: EmotionRecognizer, speech: np.ndarray) -> None:
    for samples, rate, says in (
        (speech, None, "sampling_rate in Hz"),
        (speech, 3, "sampling_rate 3"),
        (speech[:0], 16000, "0 samples"),
        (speech[:800], 16000, "less than 0.1 s"),
        (np.zeros(16000), 16000, "silent"),
        (np.full(16000, np.nan), 16000, "nan"),
        (np.zeros((2, 2, 16000)), 16000, "shape"),
        (speech.astype(complex), 16000, "complex"),
        (np.tile(speech, 210), 16000, "600 s.*over time"),
    ):
        with pytest.raises(AudioError, match=says):
            recognizer.predict(samples, rate)


def test_bad_files_are_named_and_end_nothing(recognizer: EmotionRecognizer, clips: list[Path], tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no audio")
    (tmp_path / "empty.wav").write_bytes(b"")
    soundfile.write(tmp_path / "short.wav", np.ones(80), 16000)
    soundfile.write(tmp_path / "none.wav", np.empty(0), 16000)
    bad = ["text.wav", "empty.wav", "short.wav", "none.wav", "absent.wav", ""]
    files = [clips[0], *(tmp_path / name for name in bad), clips[1]]
    for size in (1, 3, 100):
        found = list(recognizer.predict_many(files, batch_size=size))
        assert [isinstance(each, Failure) for each in found] == [False, *[True] * len(bad), False]
        for each in found[1:-1]:
            assert isinstance(each, Failure)
            assert str(each.error).startswith(each.file)
    with pytest.raises(AudioError, match="leave it out"):
        recognizer.predict(clips[0], 16000)


def test_answers_come_as_they_are_found(recognizer: EmotionRecognizer, clips: list[Path]) -> None:
    """The first answer is there before the second recording is asked for, of many as of one that is long."""

    def recordings() -> Iterator[Path]:
        yield clips[0]
        raise LookupError

    found = recognizer.predict_many(recordings())
    assert next(found) == recognizer.predict(clips[0])
    with pytest.raises(LookupError):
        next(found)


def test_what_may_mislead_is_noted(recognizer: EmotionRecognizer, speech: np.ndarray, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clipped.wav", np.clip(speech * 100, -1, 1), 16000)
    assert "clipped" in recognizer.predict(tmp_path / "clipped.wav").notes[0]
    assert "full scale" in recognizer.predict(speech * 32768, 16000).notes[0]
    assert "quiet" in recognizer.predict(speech / np.abs(speech).max() * 1e-4, 16000).notes[0]
    assert "over time" in recognizer.predict(np.tile(speech, 12), 16000).notes[0]
    soundfile.write(tmp_path / "whole.wav", speech, 16000)
    whole = (tmp_path / "whole.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) // 2])
    assert recognizer.predict(tmp_path / "whole.wav").notes == ()
    assert "cut short" in recognizer.predict(tmp_path / "cut.wav").notes[0]
    assert "cut short" in next(recognizer.predict_over_time(tmp_path / "cut.wav")).notes[0]


def test_over_time(recognizer: EmotionRecognizer, speech: np.ndarray, tmp_path: Path) -> None:
    """Windows hold what their stretch alone would say; silent ones have no emotion."""
    long = np.concatenate([speech, np.zeros(5 * 16000, np.float32), speech])
    soundfile.write(tmp_path / "long.wav", long, 16000, "FLOAT")
    found = list(recognizer.predict_over_time(tmp_path / "long.wav", window=2.0, overlap=0.5))
    assert [each.start for each in found] == [float(number) for number in range(10)]
    assert found[-1].end == len(long) / 16000
    assert [each.emotion is None for each in found] == [False] * 3 + [True] * 4 + [False] * 3
    for each in found:
        if each.emotion is not None:
            alone = recognizer.predict(long[round(each.start * 16000) : round(each.end * 16000)], 16000)
            assert list(each.probabilities.values()) == pytest.approx(shares(alone), abs=1e-5)
    everything = recognizer.predict_over_time(tmp_path / "long.wav", window=2.0, overlap=0.0, silence_db=None)
    ends = [(each.start, each.end, each.emotion is None) for each in everything]
    assert ends == [(first, first + 2.0, False) for first in (0.0, 2.0, 4.0, 6.0, 8.0, 9.0)]
    short = list(recognizer.predict_over_time(speech, 16000, window=60.0))
    assert [(each.start, each.end) for each in short] == [(0.0, 3.0)]
    for wrong in ({"window": 0.01}, {"overlap": 1.0}, {"silence_db": -3.0}):
        with pytest.raises(ConfigError):
            list(recognizer.predict_over_time(speech, 16000, **wrong))


def test_little_speech_in_a_long_recording(recognizer: EmotionRecognizer, speech: np.ndarray) -> None:
    """Two seconds of speech in two minutes are recognised; the silence around them has no emotion."""
    noise = 1e-4 * np.random.default_rng(0).standard_normal(120 * 16000).astype(np.float32)
    noise[60 * 16000 : 62 * 16000] += speech[: 2 * 16000]
    found = list(recognizer.predict_over_time(noise, 16000, window=3.0, overlap=0.5))
    spoken = [each.start for each in found if each.emotion is not None]
    assert spoken
    assert all(57.0 < start < 62.0 for start in spoken)
    assert {58.5, 60.0} <= set(spoken)


def test_over_time_at_another_rate(recognizer: EmotionRecognizer, speech: np.ndarray) -> None:
    """Resampled piece by piece as it would be as a whole."""
    import soxr

    long = soxr.resample(np.tile(speech, 4), 16000, 44100)
    at_once = soxr.resample(long, 44100, 16000, quality="HQ")
    for each in recognizer.predict_over_time(long, 44100):
        alone = recognizer.predict(at_once[round(each.start * 16000) : round(each.end * 16000)], 16000)
        assert list(each.probabilities.values()) == pytest.approx(shares(alone), abs=1e-3)


def test_hours_in_bounded_memory(tmp_path: Path) -> None:
    """Two hours of noise bursts, of which only a window lies in memory; the network counts what it is given."""
    import tracemalloc

    rate, seconds = 8000, 2 * 3600
    minute = np.random.default_rng(0).standard_normal(60 * rate).astype(np.float32) * 0.1
    minute[20 * rate :] *= 1e-4
    with soundfile.SoundFile(tmp_path / "hours.wav", "w", rate, 1, "PCM_16") as file:
        for _ in range(seconds // 60):
            file.write(minute)
    recognised = 0

    def count(waveforms: list[np.ndarray]) -> np.ndarray:
        nonlocal recognised
        recognised += len(waveforms)
        return np.tile([0.25, 0.75], (len(waveforms), 1))

    recognizer = EmotionRecognizer(count, ("a", "b"), rate)
    tracemalloc.start()
    found = [each.emotion for each in recognizer.predict_over_time(tmp_path / "hours.wav", window=10.0, overlap=0.0)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == seconds // 10
    assert recognised == found.count("b") == seconds // 30
    assert peak < 60e6, "the waveform alone has 230 MB"


def test_a_network_computes_in_float32_and_leaves_settings_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    cudnn = torch.backends.cudnn
    monkeypatch.setattr(cudnn, "allow_tf32", True)
    monkeypatch.setattr(cudnn, "deterministic", True)
    settings: list[tuple[bool, bool]] = []

    class Watching(torch.nn.Module):
        def forward(self, maps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            settings.append((cudnn.allow_tf32, cudnn.deterministic))
            return torch.zeros(len(maps), 2)

    extractor = FeatureExtractor(**load_config("tiny").features.spectral())
    rows = extractor.feature_rows
    network = TorchNetwork(extractor, Normalizer(np.zeros(rows), np.ones(rows)), Watching())
    assert network([np.ones(16000, np.float32)]).tolist() == [[0.5, 0.5]]
    assert settings == [(False, True)]
    assert cudnn.allow_tf32
