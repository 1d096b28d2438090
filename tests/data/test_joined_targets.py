"""Dimensions and votes of several manifests as one corpus."""

import json
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import load_manifest
from nni_emodarts.data.dimensions import Wanted, rescale
from nni_emodarts.data.joined import join_manifests
from nni_emodarts.data.picking import Choice
from nni_emodarts.data.protocols import make_folds
from nni_emodarts.errors import ManifestError

BOTH = Choice(dimensions=Wanted())
ALONE = Choice(dimensions=Wanted(alone=True))


def write(folder: Path, columns: Mapping[str, list[str]], speakers: int = 6) -> Path:
    """A manifest of anger and joy of each speaker, with further columns, whose cells start over."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [",".join(["file", "emotion", "speaker", "gender", *columns])]
    for row in range(2 * speakers):
        (folder / f"{row:02d}.wav").touch()
        speaker, emotion = row // 2, ("anger", "joy")[row % 2]
        cells = ['"' + cells[row % len(cells)].replace('"', '""') + '"' for cells in columns.values()]
        lines.append(",".join([f"{row:02d}.wav", emotion, f"{speaker:02d}", "mf"[speaker % 2], *cells]))
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder / "manifest.csv"


@pytest.fixture
def rated(tmp_path: Path) -> list[Path]:
    return [
        write(tmp_path / "b", {"arousal": ["1", "5", "3", "", "2"], "valence": ["1", "2", "4"], "scale": ["1..5"]}),
        write(tmp_path / "a", {"arousal": ["1", "7"], "valence": ["3", "6.5"], "dominance": ["2"], "scale": ["1..7"]}),
        write(tmp_path / "c", {"arousal": ["-1", "0", "1"], "valence": ["", "0.5"], "scale": ["-1 to 1"]}),
    ]  # fmt: skip


bounds = st.tuples(st.floats(-50, 50), st.floats(0.1, 50)).map(lambda each: (each[0], each[0] + each[1]))


@given(bounds, bounds, st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_scales_are_mapped_linearly_and_their_ends_exactly(own, other, places):
    values = own[0] + np.array(places) * (own[1] - own[0])
    assert rescale(own, own, other).tolist() == list(other)
    moved = rescale(values, own, other)
    np.testing.assert_allclose(moved, other[0] + np.array(places) * (other[1] - other[0]), rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(rescale(moved, other, own), values, rtol=1e-9, atol=1e-6)
    assert rescale(values, own, own).tolist() == values.tolist()


def test_ratings_are_brought_to_the_widest_scale_and_dimensions_are_those_of_all(rated: list[Path]) -> None:
    manifest = join_manifests(rated, "intersection", BOTH)
    assert manifest.dimensions == ("arousal", "valence")
    assert manifest.scale == (1, 7)
    assert "dominance" not in manifest.table
    first = {name: manifest.values[np.flatnonzero(manifest.table["corpus"] == name)] for name in "abc"}
    np.testing.assert_array_equal(first["a"][:2], [[1, 3], [7, 6.5]])
    np.testing.assert_array_equal(first["b"][:4], [[1, 1], [7, 2.5], [4, 5.5], [np.nan, 1]])
    np.testing.assert_array_equal(first["c"][:3], [[1, np.nan], [4, 5.5], [7, np.nan]])
    said = "\n".join(manifest.notes)
    assert "ratings of b (1..5), c (-1..1) are brought linearly to 1..7, the widest scale" in said
    assert "left out: dominance of a" in said
    assert "c: valence: missing on 6 of 12 lines" in said
    assert manifest.classes == ("anger", "joy")


def test_the_order_of_the_manifests_makes_no_difference(rated: list[Path], tmp_path: Path) -> None:
    twin = write(tmp_path / "further" / "b", {"arousal": ["1", "2"], "valence": ["1", "2"], "scale": ["1..7"]})
    found = [join_manifests(list(each), "union", BOTH) for each in permutations([*rated, twin])]
    for other in found[1:]:
        assert other.digest == found[0].digest
        assert other.table.equals(found[0].table)
        assert other.notes == found[0].notes
    assert {name.split("/")[0] for name in found[0].table["speaker"]} == {"a", "b", "b_2", "c"}
    assert join_manifests(rated, "union", BOTH).digest != join_manifests(rated, "union", ALONE_TO_9).digest


ALONE_TO_9 = Choice(dimensions=Wanted(scale=(1, 9), alone=True))


def test_a_scale_that_is_named_is_the_common_one_and_that_of_those_that_state_none(
    rated: list[Path], tmp_path: Path
) -> None:
    silent = write(tmp_path / "d", {"arousal": ["1", "9"], "valence": ["5", "2"]})
    with pytest.raises(ManifestError, match=r"d states no scale of its ratings.*column 'scale' like 1\.\.7"):
        join_manifests([*rated, silent], "intersection", BOTH)
    manifest = join_manifests([*rated, silent], "intersection", ALONE_TO_9)
    assert manifest.scale == (1, 9)
    assert manifest.classes == ()
    for name, expected in {"a": [1, 9], "b": [1, 9], "c": [1, 5], "d": [1, 9]}.items():
        own = manifest.values[np.flatnonzero(manifest.table["corpus"] == name)]
        assert own[:2, 0].tolist() == expected
    said = "\n".join(manifest.notes)
    assert "d: scale: none is stated; ratings are taken to be on 1..9 (data.scale)" in said
    assert "a (1..7), b (1..5), c (-1..1) are brought linearly to 1..9, data.scale" in said
    with pytest.raises(ManifestError, match=r"lines 3 \(9\).*: arousal is outside the scale 1 to 7 \(data.scale\)"):
        join_manifests([*rated, silent], "intersection", Choice(dimensions=Wanted(scale=(1, 7))))


def test_what_has_nothing_in_common_is_refused(rated: list[Path], tmp_path: Path) -> None:
    odd = write(tmp_path / "d", {"dominance": ["1", "2"], "scale": ["1..7"]})
    with pytest.raises(ManifestError, match=r"no dimension in common \(b: arousal, valence; d: dominance\)"):
        join_manifests([rated[0], odd], "union", BOTH)
    bare = write(tmp_path / "e", {"arousal": [""], "scale": ["1..7"]})
    with pytest.raises(ManifestError, match=r"e/manifest.csv(.|\n)*no column of a dimension"):
        join_manifests([rated[0], bare], "union", BOTH)
    with pytest.raises(ManifestError, match=r"'dominance' of data.targets is missing"):
        join_manifests(rated, "union", Choice(dimensions=Wanted(("arousal", "dominance"))))


def test_dimensions_alone_leave_out_what_has_no_value_in_a_common_one(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "a", {"arousal": ["1", "", "3"], "dominance": ["2"], "scale": ["1..7"]}),
        write(tmp_path / "b", {"arousal": ["1", "2", "3"], "scale": ["1..7"]}),
    ]
    manifest = join_manifests(paths, "intersection", ALONE)
    assert len(manifest) == 8 + 12
    assert not np.isnan(manifest.values).any()
    assert any("4 utterances have no value in these dimensions" in note for note in manifest.notes)
    assert join_manifests(paths, "intersection", BOTH).table["arousal"].isna().sum() == 4


@pytest.mark.parametrize("task", ["dimensions", "both"])
def test_loco_shares_no_corpus(rated: list[Path], task: str) -> None:
    options = {"data.manifest": ",".join(map(str, rated)), "data.task": task, "data.protocol": "loco"}
    manifest = load_manifest(load_config("tiny", options=options))
    corpora = manifest.table["corpus"].to_numpy()
    folds = make_folds(manifest, "loco")
    assert len(folds) == 3
    for fold in folds:
        assert set(corpora[fold.test]) == {"abc"[fold.index]}
        assert set(corpora[fold.train]) == set(corpora[fold.validation]) == set("abc") - set(corpora[fold.test])


def voted(folder: Path, cells: list[dict[str, float]]) -> Path:
    return write(folder, {"votes": [json.dumps(each) if each else "" for each in cells]})


def undecide(path: Path, row: int, emotion: str = "") -> None:
    """Leave a line without its emotion, or give it another."""
    lines = path.read_text().splitlines()
    cells = lines[row + 1].split(",")
    lines[row + 1] = ",".join([cells[0], emotion, *cells[2:]])
    path.write_text("\n".join(lines) + "\n")


def config_of(paths: list[Path], classes: str = "intersection", **options: object) -> ExperimentConfig:
    given = {"data.manifest": ",".join(map(str, paths)), "retrain.targets": "votes", "data.classes": classes}
    return load_config("tiny", options={**given, **options})


def test_votes_for_what_is_left_out_do_not_count(tmp_path: Path) -> None:
    a = voted(tmp_path / "a", [{"anger": 2, "fear": 1}, {"joy": 3}])
    b = voted(tmp_path / "b", [{"anger": 1, "joy": 1}, {"joy": 1, "fear": 3}])
    c = write(tmp_path / "c", {})
    undecide(a, 2)  # two for anger, one for fear
    undecide(b, 4, "fear")
    found = load_manifest(config_of([c, b, a]))
    assert found.classes == ("anger", "joy")
    assert len(found) == 36 - 1
    by_corpus = {name: found.shares[np.flatnonzero(found.table["corpus"] == name)] for name in "abc"}
    np.testing.assert_array_equal(by_corpus["a"][:3], [[1, 0], [0, 1], [1, 0]])
    np.testing.assert_array_equal(by_corpus["b"][:2], [[0.5, 0.5], [0, 1]])
    np.testing.assert_array_equal(by_corpus["c"][:2], [[1, 0], [0, 1]])
    assert found.labels[2] == -1
    said = "\n".join(found.notes)
    assert "left out: fear (1)" in said
    assert "votes: 24 for 'fear' in 12 utterances are for none of the classes and do not count" in said
    assert "votes: 12 utterances have none for the classes; each counts as one vote for its emotion" in said
    wide = load_manifest(config_of([a, b, c], "union"))
    assert wide.classes == ("anger", "fear", "joy")
    assert len(wide) == 36
    np.testing.assert_allclose(wide.shares[0], [2 / 3, 1 / 3, 0])
    picked = load_manifest(config_of([a, b, c], "union", **{"data.emotions": ["joy", "anger"]}))
    assert (picked.shares == found.shares[:, ::-1]).all()
    merged = load_manifest(config_of([a, b, c], **{"data.merge": {"fear": "anger"}}))
    np.testing.assert_array_equal(merged.shares[0], [1, 0])
    np.testing.assert_array_equal(merged.shares[13], [0.75, 0.25])
    assert len({load_manifest(config_of(list(each))).digest for each in permutations([a, b, c])}) == 1
    assert found.digest != load_manifest(config_of([a, b, c], **{"retrain.targets": "majority"})).digest


def test_an_utterance_with_votes_for_another_corpus_s_class_is_kept(tmp_path: Path) -> None:
    a = voted(tmp_path / "a", [{"anger": 2}, {"joy": 3}, {"calm": 1}])
    b = write(tmp_path / "b", {})
    undecide(a, 2)
    undecide(b, 0, "calm")
    assert load_manifest(config_of([a, b], "union")).classes == ("anger", "calm", "joy")
    assert load_manifest(config_of([a, b], "union")).shares[2].tolist() == [0, 1, 0]
    narrow = load_manifest(config_of([a, b]))
    assert len(narrow) == 24 - 2
    assert any("1 utterance without an emotion has votes for none" in note for note in narrow.notes)


def test_where_nobody_voted_votes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="holds none"):
        load_manifest(config_of([write(tmp_path / "a", {}), write(tmp_path / "b", {})]))
