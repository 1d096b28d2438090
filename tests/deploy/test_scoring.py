"""Finished networks on other corpora: labels, shared speakers, figures."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, recall_score
from typer.testing import CliRunner

from nni_emodarts import EmotionRecognizer
from nni_emodarts.cli.main import app
from nni_emodarts.cli.options import asked_for
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpora.synthetic import make_corpus
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import fold_tasks
from nni_emodarts.data.joined import corpus_names
from nni_emodarts.data.other_corpora import LabelChoice
from nni_emodarts.deploy.scoring import run_score
from nni_emodarts.errors import ManifestError, OverlapError, RunFolderError
from nni_emodarts.metrics.other_corpora import corpus_figures
from nni_emodarts.models.space import random_architecture
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.training.retrain import retrain

RELABELLED = {"anger": "hot", "happiness": "happiness", "neutral": "neutral", "sadness": "boredom"}


@pytest.fixture(scope="module")
def run(fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folds, one seed, and the network to ship."""
    folder = RunFolder.claim(tmp_path_factory.mktemp("score") / "run")
    made = random_architecture(fast_config.space, small_corpus.num_classes, small_corpus.input_shape, 0)
    retrain(fold_tasks(fast_config, small_corpus, [0, 3], [1]), made, folder, final=True)
    return folder.path


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three other voices, by the same names as those of the training."""
    return make_corpus(tmp_path_factory.mktemp("other") / "foreign", speakers=3, utterances=2, seed=7)


@pytest.fixture
def relabelled(other: Path) -> Path:
    table = pd.read_csv(other, dtype=str)
    file = other.with_name("relabelled.csv")
    table.assign(emotion=table["emotion"].map(RELABELLED)).to_csv(file, index=False)
    return file


def test_figures_are_scikit_learns_and_answers_the_recognisers(run: Path, other: Path, tmp_path: Path) -> None:
    scored = run_score(run, [other], out=tmp_path / "out")
    figures = scored.corpora["foreign"]
    table = pd.read_csv(tmp_path / "out" / "predictions.csv", dtype={"speaker": str})
    classes = list(figures["recall"])
    true, predicted = table["emotion"], table["predicted"]
    assert figures["test_uar"] == pytest.approx(recall_score(true, predicted, average="macro"))
    assert figures["test_wa"] == pytest.approx((true == predicted).mean())
    assert figures["confusion"] == confusion_matrix(true, predicted, labels=classes).tolist()
    assert (figures["networks"], figures["utterances"], figures["speakers"]) == (1, len(table), 3)
    low, high = figures["test_uar_interval"]
    assert low <= figures["test_uar"] <= high
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["corpora"] == {"foreign": figures}
    recogniser = EmotionRecognizer.from_run(run)
    for _, row in table[:5].iterrows():
        answer = recogniser.predict(other.parent / row["file"])
        own = [row[f"p_{name}"] for name in classes]
        np.testing.assert_allclose([answer.probabilities[name] for name in classes], own, atol=1e-5)


def test_the_embedded_corpus_is_scored_on_by_its_name(run: Path, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nni_emodarts.data.corpus.ensure_corpus", lambda cache: other)
    assert run_score(run, ["synthetic"]).corpora == run_score(run, [other]).corpora
    assert asked_for(["synthetic"], None, None, None).manifests == ("synthetic",)


def test_without_a_final_network_all_folds_and_seeds_are_scored(run: Path, other: Path) -> None:
    alone = [run_score(run, [other], fold=fold).corpora["foreign"]["test_uar"] for fold in (0, 3)]
    copy = run.with_name("without_final")
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("final"))
    figures = run_score(copy, [other]).corpora["foreign"]
    assert figures["networks"] == 2
    assert figures["test_uar"] == pytest.approx(np.mean(alone))
    assert figures["test_uar_std"] == pytest.approx(np.std(alone, ddof=1))


def test_speakers_of_the_training_are_refused_or_marked(run: Path, small_manifest: Path, tmp_path: Path) -> None:
    with pytest.raises(OverlapError, match=r"shares 6 speakers with the training.*--allow-overlap"):
        run_score(run, [small_manifest])
    table = pd.read_csv(small_manifest, dtype=str)
    renamed = tmp_path / "renamed.csv"
    for name in table["file"]:
        shutil.copy(small_manifest.parent / name, tmp_path / f"x_{Path(name).name}")
    names = table["file"].map(lambda name: f"x_{Path(name).name}")
    table.assign(file=names, speaker="new_" + table["speaker"]).to_csv(renamed, index=False)
    with pytest.raises(OverlapError, match="renamed shares 6 speakers"):
        run_score(run, [renamed])
    marked = run_score(run, [renamed], allow_overlap=True).corpora["renamed"]
    assert marked["overlap"] == sorted(f"new_{name}" for name in set(table["speaker"]))


def test_a_networks_own_test_speakers_are_no_overlap(run: Path, small_manifest: Path, small_corpus: Corpus) -> None:
    table = pd.read_csv(small_manifest, dtype=str)
    tested = small_corpus.speakers(small_corpus.fold(3).test)
    held_out = small_manifest.with_name("held_out.csv")
    table[table["speaker"].isin(tested)].to_csv(held_out, index=False)
    figures = run_score(run, [held_out], fold=3).corpora["held_out"]
    own = json.loads((run / "fold_03/seed_1/metrics.json").read_text())
    assert figures["test_uar"] == pytest.approx(own["test_uar"])
    assert figures["confusion"] == own["confusion"]
    with pytest.raises(OverlapError):
        run_score(run, [held_out], fold=0)


def test_labels_are_mapped_or_left_out_by_name(run: Path, other: Path, relabelled: Path) -> None:
    with pytest.raises(ManifestError, match=r"(boredom|hot) \(6 utterances\).*none of the networks' classes"):
        run_score(run, [relabelled])
    notes: list[str] = []
    choice = LabelChoice({"hot": "anger"}, ["boredom"])
    found = run_score(run, [relabelled, other], choice=choice, note=notes.append)
    figures = found.corpora["relabelled"]
    assert figures["utterances"] == 18
    assert figures["recall"]["sadness"] is None
    assert figures["recall"]["anger"] == found.corpora["foreign"]["recall"]["anger"]
    assert figures["test_uar"] == pytest.approx(np.mean([v for v in figures["recall"].values() if v is not None]))
    assert any("6 utterances are left out: boredom (6)" in note for note in notes)
    assert any("mean recall of 3 of 4 classes" in note for note in notes)
    with pytest.raises(ManifestError, match="merge: 'angry' is no class of the networks"):
        run_score(run, [relabelled], choice=LabelChoice({"hot": "angry"}, ["boredom"]))
    with pytest.raises(ManifestError, match="leave-out: no utterance is 'boring'; known: boredom"):
        run_score(run, [relabelled], choice=LabelChoice({"hot": "anger"}, ["boring"]))


def test_files_that_are_there_are_not_replaced(run: Path, other: Path, tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text("{}")
    with pytest.raises(RunFolderError):
        run_score(run, [other], out=tmp_path)


def test_the_command_shows_each_corpus(run: Path, other: Path, relabelled: Path) -> None:
    words = ["score", str(run), str(other), str(relabelled), "--merge", "hot=anger", "--leave-out", "boredom"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    for word in ("foreign", "relabelled", "true class by row", "mean recall of 3 of 4 classes"):
        assert word in done.output


def test_unknown_speakers_are_people_of_their_own() -> None:
    table = pd.DataFrame(
        {"fold": 0, "seed": 1, "file": list("abcd"), "speaker": "", "emotion": list("xxyy"), "predicted": list("xyyy")}
    )
    figures = corpus_figures(table, ["x", "y"])
    assert figures["speakers"] == 4
    assert figures["test_uar_interval"][0] < figures["test_uar_interval"][1]
    one = corpus_figures(table.assign(speaker="s"), ["x", "y"])
    assert (one["speakers"], one["test_uar_interval"], one["test_uar"]) == (1, None, 0.75)


def test_corpora_are_called_after_their_file_or_folder() -> None:
    paths = [Path("/data/ravdess/manifest.csv"), Path("/x/b.csv"), Path("/y/b.csv")]
    assert corpus_names(paths) == ["ravdess", "b", "b_2"]
