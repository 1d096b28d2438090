"""Other corpora in the terms of networks: classes, dimensions and their scales."""

from pathlib import Path

import numpy as np
import pytest
from made_up_ratings import changed, rescaled, without

from nni_emodarts.data.corpora.synthetic import make_corpus
from nni_emodarts.data.other_corpora import LabelChoice, Terms, read_others
from nni_emodarts.errors import ManifestError

CLASSES = ("anger", "happiness", "neutral", "sadness")
NAMES = ("arousal", "valence", "dominance")
BOTH = Terms(CLASSES, NAMES, (1.0, 7.0))
RATED = Terms((), NAMES, (1.0, 7.0))
UNSTATED = Terms((), NAMES)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("other") / "b", speakers=2, utterances=1, seed=7)


def test_ratings_stay_on_the_corpus_s_own_scale_which_is_said(other: Path) -> None:
    (same,) = read_others([other], BOTH, LabelChoice())
    assert same.manifest.scale == (1, 7)
    assert same.notes == []
    (moved,) = read_others([rescaled(other, "five", 1, 5)], BOTH, LabelChoice())
    assert moved.manifest.scale == (1, 5)
    np.testing.assert_allclose(moved.manifest.values, 1 + (same.manifest.values - 1) * 4 / 6)
    assert moved.notes == ["five: answers are brought linearly from 1..7 to 1..5, its own scale"]
    assert moved.manifest.digest != same.manifest.digest


def test_where_no_scale_is_stated_what_is_taken_is_said_and_values_outside_are_refused(other: Path) -> None:
    silent = without(other, "silent", ["scale"])
    (found,) = read_others([silent], BOTH, LabelChoice())
    assert found.manifest.scale == (1, 7)
    assert any("none is stated; ratings are taken to be on 1..7 (the networks')" in note for note in found.notes)
    (found,) = read_others([silent], BOTH, LabelChoice(scale=(1, 9)))
    assert found.manifest.scale == (1, 9)
    said = "\n".join(found.notes)
    assert "silent: scale: none is stated; ratings are taken to be on 1..9 (--scale)" in said
    assert "brought linearly from 1..7 to 1..9" in said
    wide = without(rescaled(other, "wide", 0, 100), "wide", ["scale"])
    with pytest.raises(ManifestError, match=r"outside the scale 1 to 7 \(the networks'\)"):
        read_others([wide], BOTH, LabelChoice())
    with pytest.raises(ManifestError, match=r"outside the scale 1 to 50 \(--scale\)"):
        read_others([wide], BOTH, LabelChoice(scale=(1, 50)))
    with pytest.raises(ManifestError, match=r"scale: 1\.\.9 is of ratings that state none, but each of them states"):
        read_others([other], BOTH, LabelChoice(scale=(1, 9)))
    with pytest.raises(ManifestError, match="but the networks answer in no dimension"):
        read_others([other], Terms(CLASSES), LabelChoice(scale=(1, 9)))


def test_networks_whose_training_stated_no_scale_answer_in_its_unit_alone(other: Path) -> None:
    silent = without(rescaled(other, "hundred", 0, 100), "hundred", ["scale"])
    (found,) = read_others([silent], UNSTATED, LabelChoice())
    assert found.manifest.scale is None
    assert found.manifest.values.max() > 7
    assert any("taken to be in the training's unit" in note for note in found.notes)
    with pytest.raises(ManifestError, match=r"on 1\.\.7, but the networks' training stated no\s+scale.*data.scale="):
        read_others([other], UNSTATED, LabelChoice())


def test_dimensions_that_a_corpus_lacks_are_left_out_by_name(other: Path) -> None:
    (found,) = read_others([without(other, "less", ["valence"])], RATED, LabelChoice())
    assert found.manifest.dimensions == NAMES
    assert np.isnan(found.manifest.values).all(0).tolist() == [False, True, False]
    assert found.notes == ["less: no utterance is rated in valence; CCC is the mean of 2 of 3 dimensions"]
    blank = changed(other, "blank", lambda table: table.assign(arousal="", dominance=""))
    (found,) = read_others([blank], RATED, LabelChoice())
    assert any("rated in arousal or dominance; CCC is the mean of 1 of 3" in note for note in found.notes)
    with pytest.raises(ManifestError, match="no value of arousal or valence or dominance on any line"):
        read_others([without(other, "none", NAMES)], RATED, LabelChoice())
    constant = changed(other, "constant", lambda table: table.assign(arousal="4"))
    (found,) = read_others([constant], RATED, LabelChoice())
    assert set(found.manifest.values[:, 0]) == {4}


def test_a_dimension_that_is_constant_there_is_named(other: Path) -> None:
    (found,) = read_others([changed(other, "flat", lambda table: table.assign(arousal="4"))], BOTH, LabelChoice())
    assert found.notes == [
        "flat: arousal is 4 on every line that has a value: its CCC, which counts, cannot be above 0"
    ]


def test_which_utterances_count_is_as_in_the_training(other: Path) -> None:
    """Of dimensions alone those with a value, whatever their emotion; of both those with an emotion."""

    def blank_some(table):
        table.loc[0, list(NAMES)] = ""
        table.loc[1, "emotion"] = ""
        return table

    some = changed(other, "some", blank_some)
    (found,) = read_others([some], RATED, LabelChoice())
    assert found.manifest.classes == ()
    assert len(found.manifest) == 7
    assert "1 lines have no value in any dimension and are left out: 2" in found.notes[-1]
    with pytest.raises(ManifestError, match="line 3: emotion is blank"):
        read_others([some], BOTH, LabelChoice())
    bare = without(other, "bare", ["emotion"])
    assert len(read_others([bare], RATED, LabelChoice())[0].manifest) == 8
    with pytest.raises(ManifestError, match="column 'emotion' is missing"):
        read_others([bare], BOTH, LabelChoice())
    (unrated,) = read_others([changed(other, "unrated", lambda t: t.assign(arousal=["", *t["arousal"][1:]]))], BOTH,
                             LabelChoice())  # fmt: skip
    assert len(unrated.manifest) == 8
    assert np.isnan(unrated.manifest.values[:, 0]).sum() == 1


def test_emotions_are_left_out_of_dimensions_and_merged_with_none(other: Path) -> None:
    (found,) = read_others([other], RATED, LabelChoice(leave_out=["anger"]))
    assert len(found.manifest) == 6
    assert "2 utterances are left out: anger (2)" in found.notes[0]
    rated = changed(
        other, "angry", lambda t: t.assign(**{name: t[name].where(t["emotion"] == "anger", "") for name in NAMES})
    )
    with pytest.raises(ManifestError, match="none of the utterances that are left is rated"):
        read_others([rated], BOTH, LabelChoice(leave_out=["anger"]))
    with pytest.raises(ManifestError, match="answer in dimensions alone, and tell no classes"):
        read_others([other], RATED, LabelChoice({"anger": "rage"}))
    with pytest.raises(ManifestError, match="leave-out: no utterance is 'rage'"):
        read_others([other], RATED, LabelChoice(leave_out=["rage"]))
