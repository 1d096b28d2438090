"""Columns of numbers of a manifest."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nni_emodarts.config import load_config, parse_scale
from nni_emodarts.data.corpora import write_manifest
from nni_emodarts.data.dimensions import Wanted, written
from nni_emodarts.data.manifest import read_manifest
from nni_emodarts.data.votes import PREFIX, VOTES
from nni_emodarts.errors import ConfigError, ManifestError
from nni_emodarts.metrics.dimensions import PREDICTED
from nni_emodarts.metrics.distributions import ANSWER, SHARE
from nni_emodarts.metrics.enrolment import COUNTED
from nni_emodarts.metrics.other_corpora import CORPUS_COLUMN

HEAD = "file,emotion,speaker,arousal,valence,scale\n"


def write(folder: Path, text: str, recordings: int = 6) -> Path:
    for number in range(recordings):
        (folder / f"{number}.wav").touch()
    path = folder / "manifest.csv"
    path.write_text(text, encoding="utf-8")
    return path


def message(path: Path, wanted: Wanted) -> str:
    with pytest.raises(ManifestError) as error:
        read_manifest(path, dimensions=wanted)
    return str(error.value)


def test_values_are_read_and_missing_ones_are_no_numbers(tmp_path):
    path = write(tmp_path, HEAD + "0.wav,joy,a,1,7,1..7\n1.wav,anger,b,,2.5,1..7\n2.wav,anger,b,3,,1..7\n")
    manifest = read_manifest(path, dimensions=Wanted())
    assert manifest.dimensions == ("arousal", "valence")
    assert manifest.scale == (1.0, 7.0)
    np.testing.assert_array_equal(manifest.values, [[1, 7], [np.nan, 2.5], [3, np.nan]])
    assert any(note.startswith("arousal: missing on 1 of 3 lines") and "line 3" in note for note in manifest.notes)
    np.testing.assert_array_equal(manifest.pick(np.array([2, 0])).values, [[3, np.nan], [1, 7]])


def test_names_are_anyones_and_in_the_order_that_is_asked_for(tmp_path):
    path = write(tmp_path, "file,emotion,speaker,tension,arousal\n0.wav,joy,a,0.5,1\n1.wav,anger,b,-1,2\n")
    manifest = read_manifest(path, dimensions=Wanted(("arousal", "tension"), (-2, 2)))
    np.testing.assert_array_equal(manifest.values, [[1, 0.5], [2, -1]])
    assert manifest.scale == (-2, 2)


def test_a_column_that_only_case_or_blanks_keep_from_being_a_dimension_is_noted_once(tmp_path):
    rows = "0.wav,joy,a,0.5,1,3\n1.wav,anger,b,-1,2,4\n"
    path = write(tmp_path, "file,emotion,speaker,Valence,arousal,do minance\n" + rows)
    notes = [note for note in read_manifest(path, dimensions=Wanted()).notes if "looks like" in note]
    assert notes == [
        f"column {column!r} looks like {name}; call it so, or name it by data.targets"
        for column, name in (("Valence", "valence"), ("do minance", "dominance"))
    ]
    assert "looks like" not in str(read_manifest(path, dimensions=Wanted(("Valence",))).notes)
    path = write(tmp_path, "file,emotion,speaker,Arousal,arousal,mine\n" + rows)
    assert "looks like" not in str(read_manifest(path, dimensions=Wanted()).notes)


def test_who_learns_emotions_alone_sees_no_dimensions_and_no_faults_of_them(tmp_path):
    text = HEAD + "0.wav,joy,a,much,7,1..7\n1.wav,anger,b,900,7,0..1\n"
    bare = write(tmp_path, "file,emotion,speaker\n0.wav,joy,a\n1.wav,anger,b\n")
    digest = read_manifest(bare).digest
    manifest = read_manifest(write(tmp_path, text))
    assert manifest.digest == digest
    assert manifest.dimensions == ()
    assert "arousal" not in manifest.table


def test_values_and_scale_are_part_of_what_a_corpus_of_dimensions_is(tmp_path):
    rows = "0.wav,joy,a,1,7,1..7\n1.wav,anger,b,2,2,1..7\n2.wav,anger,b,4,4,1..7\n"
    digests = {
        read_manifest(write(tmp_path, HEAD + text), dimensions=Wanted()).digest
        for text in (rows, rows.replace("b,2,2", "b,2,3"), rows.replace("b,2,2", "b,,2"), rows.replace("1..7", "1..9"))
    }
    assert len(digests) == 4
    again = read_manifest(write(tmp_path, HEAD + rows), dimensions=Wanted()).digest
    assert again in digests


@pytest.mark.parametrize(
    ("rows", "wanted", "said"),
    [
        ("0.wav,joy,a,1,7,1..7\n1.wav,anger,b,9.5,2,1..7\n", Wanted(), ["line 3 (9.5)", "outside the scale 1 to 7"]),
        ("0.wav,joy,a,1,7,\n1.wav,anger,b,5,2,\n", Wanted(scale=(1, 5)), ["line 2 (7)", "valence", "data.scale"]),
        ("0.wav,joy,a,high,7,1..7\n1.wav,anger,b,nan,2,\n", Wanted(), ["lines 2 (high), 3 (nan)", "no number"]),
        ("0.wav,joy,a,3,7,1..7\n1.wav,anger,b,3,2,\n", Wanted(), ["'arousal' is 3 on every line"]),
        ("0.wav,joy,a,,7,1..7\n1.wav,anger,b,,2,\n", Wanted(), ["'arousal' has no value on any line"]),
        ("0.wav,joy,a,1,7,1..7\n1.wav,anger,b,2,2,1..5\n", Wanted(), ["column 'scale' holds '1..5', '1..7'"]),
        ("0.wav,joy,a,1,7,7\n1.wav,anger,b,2,2,\n", Wanted(), ["column 'scale' holds '7'"]),
        ("0.wav,joy,a,1,7,\n1.wav,anger,b,2,2,\n", Wanted(("arousel",)), ["'arousel'", "did you mean arousal"]),
    ],
)
def test_faults_are_named_with_their_lines(tmp_path, rows, wanted, said):
    found = message(write(tmp_path, HEAD + rows), wanted)
    for words in said:
        assert words in found


def test_a_manifest_without_dimensions_is_refused_where_they_are_wanted(tmp_path):
    path = write(tmp_path, "file,emotion,speaker,loudness\n0.wav,joy,a,1\n1.wav,anger,b,2\n")
    assert "no column of a dimension" in message(path, Wanted())


def test_dimensions_alone_need_no_emotion_and_leave_out_what_has_no_value(tmp_path):
    path = write(tmp_path, "file,speaker,arousal,valence\n0.wav,a,1,2\n1.wav,b,2,\n2.wav,b,,\n3.wav,b,,4\n")
    manifest = read_manifest(path, dimensions=Wanted(alone=True))
    assert manifest.classes == ()
    assert manifest.scale is None
    assert manifest.names == ["0.wav", "1.wav", "3.wav"]
    assert any("1 lines have no value in any dimension and are left out: 4" in note for note in manifest.notes)
    assert any("scale: none is stated" in note for note in manifest.notes)
    assert "column 'emotion' is missing" in message(path, Wanted())


def test_dimensions_alone_of_some_emotions(tmp_path):
    path = write(tmp_path, "file,emotion,speaker,arousal\n0.wav,joy,a,1\n1.wav,,b,2\n2.wav,anger,b,3\n3.wav,joy,b,3\n")
    assert len(read_manifest(path, dimensions=Wanted(alone=True))) == 4
    manifest = read_manifest(path, ["joy"], dimensions=Wanted(alone=True))
    assert manifest.names == ["0.wav", "3.wav"]
    assert manifest.classes == ()


@given(st.floats(-1000, 1000), st.floats(-1000, 1000))
@settings(max_examples=50)
def test_a_scale_that_was_written_is_read_again(low, high):
    low, high = float(f"{low:g}"), float(f"{high:g}")
    found = parse_scale(written((low, high)))
    if "e" in written((low, high)):
        return
    assert found == ((low, high) if low < high else None)


@pytest.mark.parametrize("text", ["1 to 7", "1,7", "1 7", "1..7", "+1..7.0"])
def test_spellings_of_a_scale(text):
    assert parse_scale(text) == (1.0, 7.0)


def test_a_table_with_other_names_becomes_a_manifest_with_dimensions(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.wav").touch()
    table = tmp_path / "labels.csv"
    table.write_text(
        "FileName,EmoClass,SpkrID,EmoAct,EmoVal,scale\n"
        "0.wav,A,1,5.2,,1 to 7\n1.wav,H,2,2,6,1 to 7\n2.wav,H,2,2,1,1 to 7\n"
    )
    made = write_manifest("csv", table, tmp_path / "manifest.csv")
    assert made.dimensions == ()  # which it has for those that ask
    manifest = read_manifest(tmp_path / "manifest.csv", dimensions=Wanted())
    np.testing.assert_array_equal(manifest.values, [[5.2, math.nan], [2, 6], [2, 1]])
    assert manifest.scale == (1, 7)
    assert (tmp_path / "manifest.csv").read_text().splitlines()[0] == "file,emotion,speaker,arousal,valence,scale"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"data.targets": ["arousal"]}, "task emotion does not learn"),
        ({"data.scale": [1, 7]}, "task emotion does not learn"),
        ({"data.task": "both", "data.scale": [7, 1]}, "no range"),
        ({"data.task": "both", "data.targets": ["arousal", "arousal"]}, "named twice"),
        ({"data.task": "dimensions", "data.targets": ["speaker"]}, "no column of numbers"),
        ({"data.task": "both", "data.scale": "7..1"}, r"data\.scale: '7\.\.1' is not allowed: .* like 1\.\.7"),
    ],
)
def test_settings_that_cannot_be(options, said):
    with pytest.raises(ConfigError, match=said):
        load_config("tiny", options=options)


@pytest.mark.parametrize(
    "name",
    [*("fold", "seed", "predicted", "track", CORPUS_COLUMN, VOTES)]
    + [f"{prefix}x" for prefix in (PREDICTED, SHARE, ANSWER, COUNTED, PREFIX)],
)
def test_what_tables_of_answers_call_something_else_is_no_target(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"data\.targets: '{name}' is what tables of answers"):
        load_config("tiny", options={"data.task": "dimensions", "data.targets": ["arousal", name]})


def test_lines_without_a_value_are_named(tmp_path: Path) -> None:
    rows = [f"{number}.wav,anger,a,{value},{number + 1},1..7" for number, value in enumerate(["", "2", "", "5"])]
    notes = read_manifest(write(tmp_path, HEAD + "\n".join(rows)), dimensions=Wanted(alone=True)).notes
    assert any(note.endswith("neither train nor count there: lines 2, 4") for note in notes)


def test_targets_and_a_scale_may_be_words() -> None:
    plain = load_config("tiny", settings=["data.task=both", "data.targets=arousal,valence", "data.scale=1..7"])
    listed = load_config("tiny", settings=["data.task=both", "data.targets=[arousal, valence]", "data.scale=[1,7]"])
    assert plain == listed
    assert load_config("tiny", settings=["data.task=both", "data.targets=arousal"]).data.targets == ("arousal",)
