"""Ensembles that are recognised with, described and exported: one hearing, and the mean of what the members say."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import softmax

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import load_corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.front_ends.extraction import PretrainedExtractor
from nni_emodarts.deploy.folder import open_network
from nni_emodarts.deploy.model_card import write_model_card
from nni_emodarts.deploy.recogniser import EmotionRecognizer
from nni_emodarts.deploy.shipping import ship
from nni_emodarts.deploy.torch_network import read_network
from nni_emodarts.errors import RunFolderError
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.space import random_architecture
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.ensemble.candidates import Candidate, Pool
from nni_emodarts.search.ensemble.fold import ensemble_fold
from tests.data.front_ends.encoders import make_encoder
from tests.deploy.test_pretrained import configured


def two_levels(config: ExperimentConfig, shape: tuple[int, int]) -> list[Architecture]:
    """An architecture on level 1, and one on levels 1 and 2 where there are levels; else any two."""
    drawn = [random_architecture(config.space, 4, shape, seed) for seed in range(40)]
    if not config.features.pretrained:
        return drawn[:2]
    return [next(each for each in drawn if each.levels == {"speech": levels}) for levels in ((1,), (1, 2))]


def made(config: ExperimentConfig, out: Path) -> Path:
    """An ensemble of two members, of a fold."""
    corpus = load_corpus(config)
    task = FoldTask.of(config, corpus, 0, 1)
    architectures = two_levels(config, corpus.input_shape)
    rows = np.sort(np.concatenate([task.fold.train, task.fold.validation]))
    rng = np.random.default_rng(1)
    signal = 1.5 * np.eye(4)[task.labels(rows)]
    answers = [softmax(signal + rng.standard_normal(signal.shape), axis=1) for _ in architectures]
    candidates = tuple(Candidate(*each) for each in zip(architectures, answers, strict=True))
    folder = RunFolder(out)
    figures = ensemble_fold(task, Pool(0, rows, candidates, architectures[0], (), 0.0), folder.cell(0, 1))
    assert len(figures["members"]) == 2
    return out


@pytest.fixture(scope="module", params=["levels", "adapted maps"])
def ensemble(
    request: pytest.FixtureRequest,
    fast_config: ExperimentConfig,
    small_manifest: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    root = tmp_path_factory.mktemp("ensembles")
    if request.param == "levels":
        torch.manual_seed(0)
        make_encoder(root / "tiny-whisper", "whisper")
        return made(configured(root / "tiny-whisper", small_manifest), root / "out")
    data = fast_config.model_dump(mode="json")
    data["retrain"] |= {"epochs": 1, "epoch_steps": 2}
    data["features"] |= {"normalization": "speaker", "unfit_speakers": "allow"}
    return made(ExperimentConfig.model_validate(data), root / "out")


def test_it_answers_with_the_mean_of_what_its_members_answer(ensemble: Path, clips: list[Path]) -> None:
    together = EmotionRecognizer.from_run(ensemble)
    shares = json.loads((ensemble / "fold_00/seed_1/ensemble.json").read_text())["members"]
    members = {name: EmotionRecognizer.from_run(ensemble / f"fold_00/seed_1/members/{name}") for name in shares}
    for clip in clips[:4]:
        answers = {name: list(member.predict(clip).probabilities.values()) for name, member in members.items()}
        mean = sum(share * np.array(answers[name]) for name, share in shares.items())
        found = together.predict(clip)
        np.testing.assert_allclose(list(found.probabilities.values()), mean, atol=1e-5)
        assert found.emotion == together.labels[int(mean.argmax())]


def test_recordings_are_heard_once_up_to_the_last_level_of_any_member(ensemble: Path) -> None:
    network = read_network(open_network(ensemble, fold=0))
    if isinstance(network.extractor, PretrainedExtractor):
        assert network.extractor.facts.levels == (1, 2)
        assert len(network.extractor.front_end.encoder.layers) == 2
    assert len(network.extractors) == 1


def test_its_file_answers_alike_without_the_folder(ensemble: Path, clips: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "ensemble.onnx"
    shipped = ship(open_network(ensemble), out)
    assert shipped.difference < 1e-3
    whole, file = EmotionRecognizer.from_run(ensemble), EmotionRecognizer.from_onnx(out)
    for clip in clips[:3]:
        ours, others = (list(each.predict(clip).probabilities.values()) for each in (whole, file))
        np.testing.assert_allclose(ours, others, atol=1e-4)


def test_its_card_names_the_members(ensemble: Path) -> None:
    text = write_model_card(open_network(ensemble)).read_text()
    for name in json.loads((ensemble / "fold_00/seed_1/ensemble.json").read_text())["members"]:
        assert name in text
    assert "weighted mean of 2 networks" in text


def test_broken_ensembles_are_refused_by_name(ensemble: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ensemble, copy)
    cell = copy / "fold_00/seed_1"
    first = next(iter(sorted((cell / "members").iterdir())))
    (first / "weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(RunFolderError, match=r"weights\.safetensors"):
        read_network(open_network(copy))
    (cell / "ensemble.json").write_text('{"members": {"../../elsewhere": 1.0}}')
    with pytest.raises(RunFolderError, match="names no members"):
        open_network(copy)
    (cell / "metrics.json").unlink()
    with pytest.raises(RunFolderError, match="did not finish"):
        open_network(copy)
