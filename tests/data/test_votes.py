"""Votes of annotators in a manifest: both forms, faults, classes that are merged, picked or unknown."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nni_emodarts.config import load_config
from nni_emodarts.data.corpora import prepare
from nni_emodarts.data.corpus import load_manifest
from nni_emodarts.data.describe import describe
from nni_emodarts.data.manifest import Manifest, read_manifest
from nni_emodarts.data.votes import encode_votes, shares
from nni_emodarts.errors import ManifestError

HEAD = "file,emotion,speaker"
ROWS = [
    ("anger", '{"anger": 2, "sadness": 1}'),
    ("sadness", '{"sadness": 3}'),
    ("", '{"anger": 1, "sadness": 1, "other": 2}'),
    ("joy", ""),
]


def write(folder: Path, rows: list[tuple[str, str]]) -> Path:
    for number in range(len(rows)):
        (folder / f"{number}.wav").touch()
    table = pd.DataFrame(rows, columns=["emotion", "votes"])
    table.insert(0, "file", [f"{number}.wav" for number in range(len(rows))])
    table.assign(speaker="a").to_csv(folder / "manifest.csv", index=False)
    return folder / "manifest.csv"


def write_columns(folder: Path, lines: str, header: str) -> Path:
    rows = lines.strip().splitlines()
    for number in range(len(rows)):
        (folder / f"{number}.wav").touch()
    text = "\n".join(f"{number}.wav,{row.strip()}" for number, row in enumerate(rows))
    (folder / "manifest.csv").write_text(f"file,emotion,speaker,{header}\n{text}\n")
    return folder / "manifest.csv"


def message(path: Path) -> str:
    with pytest.raises(ManifestError) as error:
        read_manifest(path, undecided=True)
    return str(error.value)


def votes_of(manifest: Manifest) -> list[dict[str, float]]:
    assert manifest.votes is not None
    return [{name: votes for name, votes in row.items() if votes} for row in manifest.votes.to_dict("records")]


def test_votes_are_read_and_undecided_utterances_kept_where_asked(tmp_path: Path) -> None:
    path = write(tmp_path, ROWS)
    manifest = read_manifest(path, undecided=True)
    assert votes_of(manifest) == [json.loads(votes) if votes else {} for _, votes in ROWS]
    assert manifest.labels.tolist() == [0, 2, -1, 1]
    assert manifest.strata[0] == manifest.classes
    assert manifest.strata[1].tolist() == [0, 2, 0, 1]
    assert manifest.decided(np.arange(4)).tolist() == [0, 1, 3]
    expected = [[2 / 3, 0, 1 / 3], [0, 0, 1], [0.5, 0, 0.5], [0, 1, 0]]
    np.testing.assert_allclose(manifest.shares, expected)
    assert any("'other' in 1 utterance" in note for note in manifest.notes)
    assert any("1 utterance has none for the classes" in note for note in manifest.notes)
    decided = read_manifest(path)
    assert decided.table["emotion"].tolist() == ["anger", "sadness", "joy"]
    assert "did not agree on 1 utterance, which are left out" in decided.notes[0]
    picked = manifest.pick(np.array([2, 0]))
    np.testing.assert_array_equal(picked.shares, manifest.shares[[2, 0]])


def test_both_forms_say_the_same_and_the_digest_is_that_without_votes(tmp_path: Path) -> None:
    (tmp_path / "json").mkdir()
    (tmp_path / "columns").mkdir()
    (tmp_path / "none").mkdir()
    rows = [("anger", '{"anger": 2, "joy": 0.5}'), ("joy", '{"joy": 3}')]
    first = read_manifest(write(tmp_path / "json", rows))
    text = "anger,a,2,0.5\njoy,a,0,3"
    second = read_manifest(write_columns(tmp_path / "columns", text, "vote_anger,vote_joy"))
    assert first.votes is not None
    assert second.votes is not None
    pd.testing.assert_frame_equal(first.votes, second.votes)
    without = read_manifest(write_columns(tmp_path / "none", "anger,a,\njoy,a,", "room"))
    assert without.votes is None
    assert first.digest == second.digest == without.digest
    np.testing.assert_array_equal(without.shares, np.eye(2))


@settings(deadline=None, max_examples=40)
@given(
    rows=st.lists(
        st.dictionaries(st.sampled_from(["a", "b", "c,d", 'e"f']), st.sampled_from([0.5, 1, 2, 17]), max_size=4),
        min_size=1, max_size=6,
    )
)  # fmt: skip
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, float]]) -> None:
    table = [("a", json.dumps(row) if row else "") for row in rows]
    path = write(tmp_path_factory.mktemp("corpus"), [*table, ("b", '{"b": 1}')])
    manifest = read_manifest(path)
    assert votes_of(manifest)[:-1] == rows
    assert manifest.votes is not None
    cells = encode_votes(manifest.votes)
    assert [json.loads(cell) if cell else {} for cell in cells][:-1] == rows
    assert ".0" not in "".join(cells)


def test_faults_name_lines_and_counts(tmp_path: Path) -> None:
    rows = [("a", '{"a": -1}'), ("b", '{"a": "two"}'), ("a", "3"), ("b", '{"a": 1, "a": 2}'), ("b", '{"a": true}')]
    text = message(write(tmp_path, [*rows, ("a", "[1]"), ("a", '{"a": NaN}'), ("", '{"a": 0}'), ("b", "")]))
    assert "lines 2 ('{\"a\": -1}'), 3 (" in text
    assert "(4 in all)" in text
    assert "no JSON object" in text
    assert "lines 4 ('3'), 7 ('[1]')" in text
    assert "line 5" in text
    assert "twice" in text
    assert "line 9: emotion is blank" in text
    text = message(write_columns(tmp_path, "a,s,1,-2\nb,s,x,1\nb,s,,1\nb,s,,", "vote_a,vote_b"))
    assert "line 2 ('-2'): vote_b is no number" in text
    assert "line 3 ('x'): vote_a" in text
    assert "line 4: vote_a is blank beside votes for others; write 0" in text
    assert "line 5" not in text
    assert "keep one form" in message(write_columns(tmp_path, "a,s,1,\nb,s,1,", "vote_a,votes"))
    assert "'vote_a' is there 2 times" in message(write_columns(tmp_path, "a,s,1,1\nb,s,1,1", "vote_a,vote_a"))


def test_merged_and_picked_classes(tmp_path: Path) -> None:
    rows = [
        ("happy", '{"happy": 1, "excited": 1}'),
        ("sad", '{"sad": 2, "Angry": 1}'),
        ("", '{"excited": 1, "sad": 1}'),
        ("angry", '{"angry": 1}'),
        ("", '{"angry": 2}'),
    ]
    path = write(tmp_path, rows)
    # Nobody is excited by majority, but votes for it count as votes for happy.
    manifest = read_manifest(path, ["sad", "happy"], {"excited": "happy"}, undecided=True)
    assert manifest.classes == ("sad", "happy")
    np.testing.assert_allclose(manifest.shares, [[0, 1], [1, 0], [0.5, 0.5]])
    assert any("1 for 'Angry' in 1 utterance" in note for note in manifest.notes)
    assert any("1 utterance without an emotion has votes for none" in note for note in manifest.notes)


def test_votes_for_no_class_are_none(tmp_path: Path) -> None:
    rows = [("anger", '{"other": 3}'), ("joy", '{"other": 1, "joy": 2}'), ("joy", ""), ("anger", '{"other": 2}')]
    for name, lines in (("some", rows), ("none", [(emotion, '{"other": 3}') for emotion, _ in rows])):
        (tmp_path / name).mkdir()
        write(tmp_path / name, lines)
    notes = read_manifest(tmp_path / "some" / "manifest.csv").notes
    assert "votes: 3 utterances have none for the classes; each counts as one vote for its emotion" in notes
    options = {"data.manifest": str(tmp_path / "none" / "manifest.csv"), "retrain.targets": "votes"}
    with pytest.raises(ManifestError, match=r"holds none for its classes \(anger, joy\); add a column votes"):
        load_manifest(load_config("tiny", options=options))
    write(tmp_path / "none", [("", votes) for _, votes in rows])
    with pytest.raises(ManifestError, match="no utterance has an emotion"):
        load_manifest(load_config("tiny", options=options))


def test_shares_without_votes_and_without_a_label_are_no_numbers() -> None:
    found = shares(pd.DataFrame({"a": [0.0, 0.0, 3.0]}), np.array([1, -1, -1]), ["a", "b"])
    np.testing.assert_array_equal(found, [[0, 1], [np.nan, np.nan], [1, 0]])


def test_own_tables_keep_their_votes(tmp_path: Path) -> None:
    path = write_columns(tmp_path, "a,s,2,1\nb,t,0,3\n,t,2,2", "vote_a,vote_b")
    manifest = prepare("csv", path, tmp_path / "out.csv")
    assert votes_of(manifest) == [{"a": 2, "b": 1}, {"b": 3}, {"a": 2, "b": 2}]
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == "file,emotion,speaker,votes"
    lines = describe(manifest).lines()
    assert lines["votes"] == "10 in 3 utterances, 3 to 4, mean 3.33"
    assert "2 agree" not in lines["agreement"]
    assert "1 agree as one, 1 have no majority" in lines["agreement"]
    assert "(no majority)" in describe(manifest).classes.index
