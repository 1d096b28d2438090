"""Annotators' answers as the corpora hold them: every form, whose answers count, and what is said of the rest."""

import csv
from pathlib import Path

import pytest
from corpus_trees import (
    MSP_PODCAST_ANSWERS,
    detailed_labels,
    make_iemocap,
    make_msp_improv,
    make_msp_podcast,
    message,
)

from nni_emodarts.data.corpora import prepare
from nni_emodarts.data.corpora.msp_detailed import FORMS
from nni_emodarts.data.manifest import Manifest
from nni_emodarts.errors import ConfigError

RELEASES = {"1.6": "1.6", "1.11": "1.7 to 1.12", "2.0": "2.0"}


def votes_of(manifest: Manifest, name: str) -> dict[str, float]:
    assert manifest.votes is not None
    row = next(row for row, file in enumerate(manifest.table["file"]) if Path(file).name == name)
    return {key: votes for key, votes in manifest.votes.iloc[row].items() if votes}


@pytest.mark.parametrize("release", RELEASES)
def test_all_forms_of_msp_podcast_give_the_same_votes(release: str, tmp_path: Path) -> None:
    manifest = prepare("msp_podcast", make_msp_podcast(tmp_path, release), tmp_path / "m.csv")
    name = "MSP-PODCAST_0001_0008.wav"
    assert votes_of(manifest, name) == {"anger": 1, "neutral": 2, "other": 1}
    assert f"labels_detailed.csv: in the form of release {RELEASES[release]}" in manifest.notes
    assert "Split_Set: Development 1, Test1 2, Test2 1, Train 6" in manifest.notes
    # A secondary label counts as is said, and one that is the primary one as well does not count twice.
    half = prepare("msp_podcast", tmp_path, tmp_path / "half.csv", secondary="0.5")
    assert votes_of(half, name) == {"anger": 1, "happiness": 0.5, "neutral": 2, "other": 1, "sadness": 0.5}
    assert any("a secondary label counts 0.5" in note for note in half.notes)
    with pytest.raises(ConfigError, match="'2'; give the weight of a secondary label, from 0"):
        prepare("msp_podcast", tmp_path, tmp_path / "two.csv", secondary="2")


def test_all_turns_of_msp_podcast(tmp_path: Path) -> None:
    root = make_msp_podcast(tmp_path)
    agreed = prepare("msp_podcast", root, tmp_path / "agreed.csv").table
    whole = prepare("msp_podcast", root, tmp_path / "all.csv", turns="all").table
    assert set(whole["file"]) - set(agreed["file"]) == {
        str(root / "Audios" / f"MSP-PODCAST_0003_000{number}.wav") for number in (2, 3)
    }
    added = whole[~whole["file"].isin(agreed["file"])].set_index("split")["emotion"]
    assert added.to_dict() == {"test": "", "train": "other"}
    (root / "Labels" / "labels_detailed.csv").rename(root / "Labels" / "labels_detailed.json")
    assert any("labels_detailed.json, which is not read" in note for note in
               prepare("msp_podcast", root, tmp_path / "none.csv").notes)  # fmt: skip
    assert "choose --option turns=agreed" in message("msp_podcast", root, tmp_path / "no.csv", turns="all")


def test_forms_of_other_releases_are_refused_by_name(tmp_path: Path) -> None:
    root = make_msp_podcast(tmp_path)
    labels = root / "Labels" / "labels_detailed.csv"
    labels.write_text("FileName,Annotator,Emotion\na.wav,1,Happy\n")
    text = message("msp_podcast", root, tmp_path / "m.csv")
    assert "FileName, Annotator, Emotion" in text
    assert all(form.releases in text for form in FORMS)
    labels.write_text("")
    assert "its columns are none" in message("msp_podcast", root, tmp_path / "m.csv")


def test_lines_that_are_no_answers_are_counted(tmp_path: Path) -> None:
    root = make_msp_podcast(tmp_path)
    labels = root / "Labels" / "labels_detailed.csv"
    file = "MSP-PODCAST_0001_0008.wav"
    with labels.open("a", newline="") as opened:
        writer = csv.writer(opened)
        for detail in (
            "WORKER00000001; Other-Proud; calm, but why; Happy; A:1; V:2; D:NaN;",  # text of one's own
            "WORKER00000002; Sadness; ; A:1; V:2; D:3;",
            "WORKER00000325; Angry; Angry; A:1; V:2; D:3;",  # who has answered already
            "nothing of this kind",
        ):
            writer.writerow([file, detail])
    manifest = prepare("msp_podcast", root, tmp_path / "m.csv")
    assert votes_of(manifest, file) == {"anger": 1, "neutral": 2, "other": 3}
    notes = "\n".join(manifest.notes)
    assert "lines that hold no answer do not count, 1 in all: 45" in notes
    assert "answers that name no known class count as other, 1 in all: 'Sadness' (1)" in notes
    assert "second answers of one annotator to one turn do not count: 1" in notes


def test_raters_of_iemocap(tmp_path: Path) -> None:
    root = make_iemocap(tmp_path)
    listeners = prepare("iemocap", root, tmp_path / "listeners.csv", turns="all")
    assert votes_of(listeners, "Ses01F_impro01_F000.wav") == {"frustration": 1, "neutral": 2, "sadness": 1}
    undecided = listeners.table["file"].map(lambda file: Path(file).name)[listeners.labels < 0]
    assert undecided.tolist() == ["Ses01F_impro01_M004.wav"]
    assert votes_of(listeners, undecided.iloc[0]) == {"excitement": 1, "happiness": 1, "neutral": 1}
    everyone = prepare("iemocap", root, tmp_path / "all.csv", raters="all")
    assert votes_of(everyone, "Ses01F_impro01_F000.wav")["anger"] == 1
    merged = prepare("iemocap", root, tmp_path / "m.csv", merge={"excitement": "happiness"}, turns="all")
    assert votes_of(merged, undecided.iloc[0]) == {"happiness": 2, "neutral": 1}


def test_listeners_of_msp_improv(tmp_path: Path) -> None:
    root = make_msp_improv(tmp_path)
    manifest = prepare("msp_improv", root, tmp_path / "m.csv", turns="all", secondary="0.25")
    assert any(note.endswith("to one turn do not count: 6") for note in manifest.notes)
    assert not any(note.startswith("arousal: turns") for note in manifest.notes)
    votes = votes_of(manifest, "MSP-IMPROV-S01A-M01-S-MF02.wav")
    assert votes == {"anger": 2.25, "happiness": 1, "neutral": 0.25, "sadness": 0.25}
    assert manifest.table.set_index("file")["emotion"].tolist().count("") == 1
    turned = prepare("msp_improv", root, tmp_path / "t.csv", activation="turned")
    assert "turns of anger have 2.00 on average, of sadness 4.00" in "\n".join(turned.notes)
    text = (tmp_path / "t.csv").read_text().splitlines()
    assert text[0].split(",")[-5:] == ["arousal", "valence", "dominance", "scale", "votes"]
    assert "3.5,3.0,3.0,1..5" in text[1]


def test_the_form_of_each_answer_is_one_of_the_corpus() -> None:
    """The trees hold what the readers are tested with: each release has all answers."""
    for release in RELEASES:
        assert detailed_labels(["a.wav"], release).count("a.wav") == len(MSP_PODCAST_ANSWERS)
