"""Retraining on a list of folds: what is marked, and what makes another run."""

import json
from pathlib import Path

import pytest

from nni_emodarts.cli.console import of_track
from nni_emodarts.config import ExperimentConfig, lay_over, load_config
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.manifest import read_manifest
from nni_emodarts.deploy.folder import open_network
from nni_emodarts.deploy.model_card import write_model_card
from nni_emodarts.errors import OverlapError, ProtocolError, RunFolderError
from nni_emodarts.metrics.tracks import Track
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.space import random_architecture
from nni_emodarts.report.page import render
from nni_emodarts.report.runs import read_runs
from nni_emodarts.training.retrain import run_retrain


def write(path: Path, manifest_file: Path, by: str) -> Path:
    """A list of three folds: by speaker, or one utterance after the other, so that all speakers are everywhere."""
    manifest = read_manifest(manifest_file)
    speakers = sorted(set(manifest.table["speaker"]))
    places = enumerate(manifest.table["speaker"])
    folds = [(speakers.index(speaker) if by == "speaker" else row) % 3 for row, speaker in places]
    path.write_text("file,fold\n" + "".join(f"{n},{f}\n" for n, f in zip(manifest.names, folds, strict=True)))
    return path


def under(config: ExperimentConfig, file: Path, *settings: str) -> ExperimentConfig:
    return lay_over(config, [f"data.protocol=file:{file}", *settings])


@pytest.fixture(scope="module")
def drawn(fast_config: ExperimentConfig, small_corpus: Corpus) -> Architecture:
    return random_architecture(fast_config.space, small_corpus.num_classes, small_corpus.input_shape, 0)


def test_a_run_goes_on_with_the_same_list_wherever_it_lies(
    fast_config: ExperimentConfig, small_manifest: Path, drawn: Architecture, tmp_path: Path
) -> None:
    file = write(tmp_path / "folds.csv", small_manifest, "speaker")
    first = run_retrain(under(fast_config, file), drawn, tmp_path / "out", folds=[0], seeds=[1])
    assert "speaker_dependent" not in first.pooled
    moved = file.rename(tmp_path / "elsewhere.csv")
    again = run_retrain(under(fast_config, moved), drawn, tmp_path / "out", folds=[0], seeds=[1], resume=True)
    assert again.pooled["test_uar"] == first.pooled["test_uar"]
    lines = moved.read_text().splitlines()
    swapped = [lines[0], *(line[:-1] + {"0": "1", "1": "0", "2": "2"}[line[-1]] for line in lines[1:])]
    moved.write_text("\n".join(swapped) + "\n")
    with pytest.raises(RunFolderError, match="another manifest or protocol"):
        run_retrain(under(fast_config, moved), drawn, tmp_path / "out", folds=[0], seeds=[1], resume=True)


def test_figures_of_known_speakers_are_marked_everywhere(
    fast_config: ExperimentConfig, small_manifest: Path, drawn: Architecture, tmp_path: Path
) -> None:
    file = write(tmp_path / "folds.csv", small_manifest, "utterance")
    with pytest.raises(ProtocolError, match="--allow-overlap"):
        run_retrain(under(fast_config, file), drawn, tmp_path / "out")
    config = under(fast_config, file, "data.speaker_overlap=allow")
    done = run_retrain(config, drawn, tmp_path / "out", folds=[0], seeds=[1], final=True, allow_overlap=True)
    assert done.pooled["speaker_dependent"]
    assert "speaker-dependent" in of_track(done.pooled)
    for name in ("metrics.json", "fold_00/seed_1/metrics.json", "final/metrics.json"):
        metrics = json.loads((tmp_path / "out" / name).read_text())
        assert Track.of(metrics) == Track(speaker_dependent=True), name
    for name in ("history.csv", "predictions.csv"):
        assert "speaker-dependent" in (tmp_path / "out" / "fold_00" / "seed_1" / name).read_text()
    assert json.loads((tmp_path / "out/final/metrics.json").read_text())["estimate"]["speaker_dependent"]
    card = write_model_card(open_network(tmp_path / "out")).read_text()
    assert "speaker-dependent" in card
    assert "file:folds.csv" in card
    assert str(tmp_path) not in card.replace("\\", "")
    assert "speaker-dependent" in render(read_runs([str(tmp_path / "out")]))
    stored = load_config(None, tmp_path / "out" / "config.yml")
    assert stored.speaker_dependent


def test_a_search_that_heard_a_speaker_is_refused_on_a_list_too(
    fast_config: ExperimentConfig, small_corpus: Corpus, small_manifest: Path, drawn: Architecture, tmp_path: Path
) -> None:
    file = write(tmp_path / "folds.csv", small_manifest, "speaker")
    origin = {"manifest": small_corpus.manifest.digest, "speakers": sorted(set(small_corpus.manifest.table["speaker"]))}
    heard = Architecture(drawn.space, drawn.choices, drawn.num_classes, drawn.input_shape, origin)
    with pytest.raises(OverlapError, match="search saw test speakers"):
        run_retrain(under(fast_config, file), heard, tmp_path / "out", folds=[0])
