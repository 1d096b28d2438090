"""A speaker-adapted network from its run to its answers: every figure says so, and a voice may be enrolled."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.features import FeatureExtractor, Moments
from nni_emodarts.data.fold_task import FoldTask, fold_tasks
from nni_emodarts.deploy.enrolment import BY_AND_BY, UNKNOWN_VOICE, RunningVoice
from nni_emodarts.deploy.folder import open_network
from nni_emodarts.deploy.model_card import model_card
from nni_emodarts.deploy.predictions import Failure, Prediction
from nni_emodarts.deploy.recogniser import EmotionRecognizer
from nni_emodarts.deploy.shipping import ship
from nni_emodarts.errors import AudioError, ConfigError, RunFolderError
from nni_emodarts.models.space import random_architecture
from nni_emodarts.report.page import report
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.training.retrain import retrain

SHORT = 3
"""Recordings of an enrolment that is short."""


@pytest.fixture(scope="module")
def config(fast_config: ExperimentConfig) -> ExperimentConfig:
    features = fast_config.features.model_copy(update={"normalization": "speaker"})
    return fast_config.model_copy(update={"features": features})


@pytest.fixture(scope="module")
def adapted_run(config: ExperimentConfig, small_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A retraining of folds 0 and 3 with a final network."""
    architecture = random_architecture(config.space, 4, small_corpus.input_shape, 0)
    folder = RunFolder.claim(tmp_path_factory.mktemp("adapted") / "run")
    retrain(fold_tasks(config, small_corpus, [0, 3], [1]), architecture, folder, final=True)
    return folder.path


@pytest.fixture(scope="module")
def adapted(adapted_run: Path) -> EmotionRecognizer:
    return EmotionRecognizer.from_run(adapted_run)


@pytest.fixture(scope="module")
def exported(adapted_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "model.onnx"
    ship(open_network(adapted_run), out)
    return out


def by(recognizer: EmotionRecognizer, clip: Path, enrolment: list[Path] | None = None) -> np.ndarray:
    return np.array(list(recognizer.predict(clip, enrolment=enrolment).probabilities.values()))


def test_all_files_with_figures_say_what_they_are(adapted_run: Path, tmp_path: Path) -> None:
    folder = RunFolder(adapted_run)
    for place in (folder, folder.cell(0, 1), folder.child("final")):
        metrics = place.read_json("metrics.json")
        assert (metrics["track"], metrics["speaker_adapted"]) == ("scratch", True)
    assert folder.child("final").read_json("metrics.json")["estimate"]["speaker_adapted"] is True
    found = folder.read_json("metrics.json")["enrolment"]
    assert {name: each["k"]["most"] for name, each in found.items()} == {
        "all": 7, "none": 0, "5": 5, "20": 7, "neutral": 2,
    }  # fmt: skip
    assert found["all"]["test_uar"] == folder.read_json("metrics.json")["test_uar"]
    table = pd.read_csv(adapted_run / "predictions.csv")
    assert (table["k_all"] == 7).all()
    assert (table["k_5"] == 5).all()
    card = model_card(open_network(adapted_run))
    assert card.count("speaker-adapted") >= 7
    assert "none of another track" in card
    page = report([str(adapted_run)], tmp_path / "page.html").read_text()
    assert page.count("speaker-adapted") >= 4
    assert "By enrolment" in page


def test_a_report_of_two_tracks_is_refused(adapted_run: Path, run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="of two tracks, which are never compared; make a report of each track"):
        report([f"one={adapted_run}", f"other={run}"], tmp_path / "page.html")


def test_the_answers_of_a_fold_are_those_of_its_network_with_the_same_enrolment(
    adapted_run: Path, config: ExperimentConfig, small_corpus: Corpus
) -> None:
    task = FoldTask.of(config, small_corpus, 3, 1)
    recognizer = EmotionRecognizer.from_run(adapted_run, fold=3)
    table = pd.read_csv(adapted_run / "fold_03" / "seed_1" / "predictions.csv")
    files = small_corpus.manifest.table["file"]
    for number, row in enumerate(task.fold.test[:3]):
        clip, others = Path(files[row]), [Path(file) for file in files[task.voices.others(int(row))]]
        stored = table.filter(regex="^p_").iloc[number].to_numpy()
        np.testing.assert_allclose(by(recognizer, clip, others), stored, atol=1e-5)
        # who names the recording itself among the others does not change them
        np.testing.assert_allclose(by(recognizer, clip, [clip, *others]), stored, atol=1e-5)


def test_without_enrolment_the_training_speakers_stand_in_and_a_note_says_so(
    adapted: EmotionRecognizer, recognizer: EmotionRecognizer, clips: list[Path]
) -> None:
    assert adapted.speaker_adapted
    assert UNKNOWN_VOICE in adapted.predict(clips[0]).notes
    few = adapted.predict(clips[0], enrolment=clips[1 : 1 + SHORT])
    assert [note for note in few.notes if "by 3 recordings of the voice alone" in note]
    assert not any("adapted" in note for note in adapted.predict(clips[0], enrolment=clips[1:8]).notes)
    assert UNKNOWN_VOICE in adapted.predict(clips[0], enrolment=[clips[0]]).notes  # nothing else is known of it
    assert not recognizer.speaker_adapted
    assert not any("adapted" in note for note in recognizer.predict(clips[0]).notes)
    with pytest.raises(ConfigError, match="not speaker-adapted"):
        recognizer.predict(clips[0], enrolment=clips[1:8])


def test_an_enrolment_may_be_of_files_or_samples_and_is_heard_once_for_many(
    adapted: EmotionRecognizer, clips: list[Path]
) -> None:
    samples = [soundfile.read(clip, dtype="float32")[0] for clip in clips[1:8]]
    of_files, of_samples = adapted.enrol(clips[1:8]), adapted.enrol(samples, 16000)
    np.testing.assert_allclose(of_files.moments.means, of_samples.moments.means, atol=1e-4)
    mixed = adapted.enrol([clips[1].read_bytes(), *samples[1:3], clips[4]], 16000)
    np.testing.assert_allclose(mixed.moments.means, of_files.moments.means[:4], atol=1e-4)
    many = list(adapted.predict_many(clips[:3], batch_size=2, enrolment=of_files))
    for clip, answer in zip(clips[:3], many, strict=True):
        assert isinstance(answer, Prediction)
        np.testing.assert_allclose(list(answer.probabilities.values()), by(adapted, clip, clips[1:8]), atol=1e-5)
    with pytest.raises(ConfigError, match="0 recordings"):
        adapted.enrol([])
    with pytest.raises(AudioError, match=r"nowhere\.wav"):
        adapted.predict(clips[0], enrolment=["nowhere.wav"])
    assert isinstance(next(adapted.predict_many(["nowhere.wav"], enrolment=of_files)), Failure)


def test_an_exported_file_takes_a_voice_or_leaves_it_out(
    adapted: EmotionRecognizer, exported: Path, clips: list[Path]
) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == ["waveform"]
    assert {each.name for each in session.get_overridable_initializers()} == {"speaker_mean", "speaker_deviation"}
    onnx = EmotionRecognizer.from_onnx(exported)
    assert onnx.speaker_adapted
    for enrolment in (None, clips[1 : 1 + SHORT], clips[1:20]):
        np.testing.assert_allclose(by(onnx, clips[0], enrolment), by(adapted, clips[0], enrolment), atol=1e-4)
    assert "speaker-adapted" in exported.with_suffix(".md").read_text()
    answers = [list(each.predict_over_time(clips[0], window=0.5, enrolment=clips[1:8])) for each in (onnx, adapted)]
    for one, other in zip(*answers, strict=True):
        assert one.emotion is None or one.probabilities == pytest.approx(other.probabilities, abs=1e-4)


def test_over_time_a_window_is_heard_by_those_that_ended_before_it(
    adapted: EmotionRecognizer, clips: list[Path], config: ExperimentConfig
) -> None:
    speech = np.concatenate([soundfile.read(clip, dtype="float32")[0] for clip in clips[:8]])
    moments = list(adapted.predict_over_time(speech, 16000, window=1.0, overlap=0.5, silence_db=None))
    assert BY_AND_BY in moments[0].notes
    statistics, extractor = adapted._statistics, FeatureExtractor(**config.features.spectral())
    assert statistics is not None
    network = adapted._network
    for number, moment in enumerate(moments):
        window = speech[round(moment.start * 16000) : round(moment.end * 16000)]
        before = [each for each in moments[:number] if each.end <= moment.start]
        heard = [Moments.of(extractor(speech[round(each.start * 16000) : round(each.end * 16000)])) for each in before]
        normalizer = statistics.adapted(Moments.join(heard).pooled if heard else None)
        expected = network([window], [normalizer])[0]  # type: ignore[call-arg]
        np.testing.assert_allclose(list(moment.probabilities.values()), expected, atol=1e-4)
    assert any(len(moments[:number]) > 3 for number in range(len(moments)))
    running = RunningVoice(statistics, None)
    assert running.before(0) is statistics.general


def test_the_command_takes_all_words_behind_the_option(
    emodarts: Callable[..., tuple[int, str]], adapted_run: Path, run: Path, clips: list[Path]
) -> None:
    code, said = emodarts("predict", adapted_run, clips[0], "--enrolment", *clips[1:8])
    assert code == 0, said
    assert said.count(str(clips[0])) == 1
    assert str(clips[1]) not in said
    assert "without enrolment" not in said
    code, said = emodarts("predict", adapted_run, clips[0], clips[1])
    assert code == 0
    assert said.count("without enrolment") == 2
    code, said = emodarts("predict", adapted_run, "--enrolment", *clips[1:8], "--format", "csv", clips[0])
    assert code == 0, said
    assert len(said.strip().splitlines()) == 2
    code, said = emodarts("predict", run, clips[0], "--enrolment", clips[1])
    assert code == 2
    assert "not speaker-adapted" in said
