import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_manifests import build, who

from nni_emodarts.benchmark import Method, settings_digest
from nni_emodarts.config import DataConfig, ExperimentConfig, load_config
from nni_emodarts.data.describe_folds import describe_folds
from nni_emodarts.data.fold_lists import attached, read_folds
from nni_emodarts.data.manifest import Manifest, read_manifest
from nni_emodarts.data.protocols import count_folds, make_folds
from nni_emodarts.data.speaker_overlap import settle_overlap
from nni_emodarts.errors import ProtocolError

PARTS = ("train", "validation", "test")
SPEAKERS = [f"s{number}" for number in range(8)]


def corpus(sessions: bool = False) -> Manifest:
    """Eight speakers who each show two emotions; two share a session."""
    rows = [
        {
            "speaker": name,
            "emotion": emotion,
            "file": f"/corpus/{name}/{emotion}.wav",
            "session": f"S{place // 2}" if sessions else "",
        }
        for place, name in enumerate(SPEAKERS)
        for emotion in ("anger", "joy")
    ]
    return replace(build(rows), folder=Path("/corpus"))


def write(path: Path, rows: list[tuple[str, ...]], split: bool = False) -> Path:
    header = "file,fold,split" if split else "file,fold"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n")
    return path


def by_speaker(manifest: Manifest, count: int) -> list[tuple[str, ...]]:
    return [
        (name, str(SPEAKERS.index(speaker) % count))
        for name, speaker in zip(manifest.names, manifest.table["speaker"], strict=True)
    ]


@settings(deadline=None, max_examples=50)
@given(st.integers(3, 6), st.randoms(use_true_random=False))
def test_each_fold_tests_once_and_the_next_one_validates(tmp_path_factory, count, rng):
    manifest = corpus()
    places = {name: str(place) for place, name in enumerate(SPEAKERS[:count])}
    places |= {name: str(rng.randrange(count)) for name in SPEAKERS[count:]}
    rows = [(name, places[name.split("/")[0]]) for name in manifest.names]
    file = write(tmp_path_factory.mktemp("list") / "folds.csv", rows)
    folds = make_folds(manifest, f"file:{file}")
    assert len(folds) == count_folds(manifest, f"file:{file}") == count
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(manifest)))
    for fold in folds:
        assert {places[name] for name in who(manifest, fold.test)} == {str(fold.index)}
        assert (fold.validation == folds[(fold.index + 1) % count].test).all()
        rest = np.setdiff1d(np.arange(len(manifest)), [*fold.test, *fold.validation])
        assert (fold.train == rest).all()


def test_folds_are_numbered_by_their_names_order_where_they_are_numbers(tmp_path):
    manifest = corpus()
    names = dict(zip(SPEAKERS, ["9", "10", "11", "12", "13", "14", "15", "16"], strict=True))
    file = write(tmp_path / "folds.csv", [(name, names[name.split("/")[0]]) for name in manifest.names])
    assert [who(manifest, fold.test)[0] for fold in make_folds(manifest, f"file:{file}")] == SPEAKERS


def test_a_column_split_says_what_a_recording_is(tmp_path):
    manifest = corpus()
    roles = ["train", "Training", "train", "train", "dev", "validation", "test", "Test1"]
    file = write(tmp_path / "folds.csv", [(name, "all", roles[int(name[1])]) for name in manifest.names], split=True)
    (fold,) = make_folds(manifest, f"file:{file}")
    assert [sorted(set(who(manifest, getattr(fold, part)))) for part in PARTS] == [
        ["s0", "s1", "s2", "s3"],
        ["s4", "s5"],
        ["s6", "s7"],
    ]


def written_out(manifest: Manifest, rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The same division with a column split."""
    numbers = sorted({int(fold) for _, fold in rows})
    count = len(numbers)
    role = {0: "test", 1: "validation"}
    return [(name, str(fold), role.get((int(own) - fold) % count, "train")) for name, own in rows for fold in numbers]


def test_the_digest_is_of_what_the_list_says(tmp_path):
    manifest = corpus()
    rows = by_speaker(manifest, 4)
    first = read_folds(write(tmp_path / "folds.csv", rows), manifest)
    shuffled = random.Random(0).sample(rows, len(rows))
    elsewhere = write(tmp_path / "deep" / "other.csv", [(f"./{name}", fold) for name, fold in shuffled])
    assert read_folds(elsewhere, manifest).digest == first.digest
    spelled = write(tmp_path / "s.csv", written_out(manifest, rows), split=True)
    assert read_folds(spelled, manifest).digest == first.digest
    moved = [(name, "3" if name.startswith("s0") else fold) for name, fold in rows]
    assert read_folds(write(tmp_path / "m.csv", moved), manifest).digest != first.digest


def test_files_may_be_relative_to_the_list(tmp_path):
    rows = [{"speaker": name, "emotion": emotion, "file": str(tmp_path / f"{name}{emotion}.wav")}
            for name in SPEAKERS for emotion in "ab"]  # fmt: skip
    manifest = replace(build(rows), folder=tmp_path / "manifests")
    listed = [(f"{name}{emotion}.wav", str(place % 4)) for place, name in enumerate(SPEAKERS) for emotion in "ab"]
    assert len(make_folds(manifest, f"file:{write(tmp_path / 'folds.csv', listed)}")) == 4


def test_segments_of_a_recording_stay_together(tmp_path):
    rows = [{"speaker": name, "emotion": emotion, "file": f"/{name}.wav", "start": str(start)}
            for name in SPEAKERS for start, emotion in enumerate("ab")]  # fmt: skip
    listed = [(f"/{name}.wav", str(place % 4)) for place, name in enumerate(SPEAKERS)]
    manifest = build(rows)
    folds = make_folds(manifest, f"file:{write(tmp_path / 'folds.csv', listed)}")
    assert [len(fold.test) for fold in folds] == [4, 4, 4, 4]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[2:], ["2 recordings of the manifest are not in any fold", "s0/anger.wav, s0/joy.wav"]),
        (lambda rows: [*rows, ("x.wav", "0")], ["1 file of the list is not in the manifest: x.wav"]),
        (lambda rows: [*rows, (rows[0][0], "1")], ["line 18 (s0/anger.wav)", "a recording tests in one fold"]),
        (lambda rows: [(rows[0][0], ""), *rows[1:]], ["line 2: fold is blank"]),
        (lambda rows: [("", "0"), *rows], ["line 2: file is blank"]),
        (lambda rows: [(name, "12"[int(fold) % 2]) for name, fold in rows], ["it has 2 folds", "at least 3"]),
        (lambda rows: [(name, fold.replace("3", "7")) for name, fold in rows], ["folds 3, 4, 5, 6 hold no recording"]),
        (lambda rows: [], ["it names no recording"]),
    ],
)
def test_all_faults_of_a_list_are_named(tmp_path, change, words):
    manifest = corpus()
    with pytest.raises(ProtocolError) as caught:
        read_folds(write(tmp_path / "folds.csv", change(by_speaker(manifest, 4))), manifest)
    assert all(word in str(caught.value) for word in ["folds.csv", *words])


def test_faults_of_a_column_split_are_named(tmp_path):
    manifest = corpus()
    rows = written_out(manifest, by_speaker(manifest, 4))
    odd = [(name, fold, "tset" if row == 5 else part) for row, (name, fold, part) in enumerate(rows)]
    with pytest.raises(ProtocolError, match=r"line 7 \('tset'\): split is none of train, validation and test"):
        read_folds(write(tmp_path / "odd.csv", odd, split=True), manifest)
    without = [(name, fold, "train" if part == "validation" and fold == "2" else part) for name, fold, part in rows]
    with pytest.raises(ProtocolError, match="fold 2: no recording is in validation"):
        read_folds(write(tmp_path / "without.csv", without, split=True), manifest)
    with pytest.raises(ProtocolError, match=r"1 recording of the manifest is not in fold 1 of the list: s0.anger.wav"):
        read_folds(write(tmp_path / "lost.csv", [row for row in rows if row[:2] != rows[1][:2]], split=True), manifest)
    with pytest.raises(ProtocolError, match="the same file stood on an earlier line in this fold"):
        read_folds(write(tmp_path / "twice.csv", [*rows, rows[0]], split=True), manifest)


def test_a_list_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ProtocolError, match=r"absent.csv: No such file or directory; name an existing CSV file"):
        read_folds(tmp_path / "absent.csv", corpus())
    (tmp_path / "folds.csv").write_text("file,flod\na,1\n")
    with pytest.raises(ProtocolError, match="column 'fold' is missing; did you mean flod"):
        read_folds(tmp_path / "folds.csv", corpus())


def test_emotions_that_were_not_picked_may_stand_in_a_list(tmp_path):
    manifest = corpus()
    file = write(tmp_path / "folds.csv", [*by_speaker(manifest, 4), ("s0/fear.wav", "0")])
    data = DataConfig(protocol=f"file:{file}", emotions=("anger", "joy"))
    found = attached(manifest, data)
    assert len(make_folds(found, data.protocol)) == 4
    assert "1 recordings of the list of folds" in found.notes[-1]
    with pytest.raises(ProtocolError, match=r"s0/fear.wav"):
        attached(manifest, DataConfig(protocol=f"file:{file}"))


def mixed(tmp_path: Path, manifest: Manifest) -> Path:
    """A list that has speaker s0 in the folds 0 and 1."""
    rows = by_speaker(manifest, 4)
    return write(tmp_path / "mixed.csv", [(rows[0][0], "1"), *rows[1:]])


def test_a_speaker_on_both_sides_is_refused_unless_the_figures_are_marked(tmp_path):
    manifest = corpus()
    protocol = f"file:{mixed(tmp_path, manifest)}"
    with pytest.raises(ProtocolError, match=r"speakers are in validation and test \(s0\).*--allow-overlap"):
        make_folds(manifest, protocol, [0])
    assert make_folds(manifest, protocol, [2])  # whose parts share nobody: s0 trains
    allowed = attached(manifest, DataConfig(protocol=protocol, speaker_overlap="allow"))
    assert len(make_folds(allowed, protocol)) == 4


def test_figures_are_marked_only_where_a_fold_shares_a_speaker(tmp_path):
    manifest = corpus()
    for file, marked in (
        (mixed(tmp_path, manifest), True),
        (write(tmp_path / "a.csv", by_speaker(manifest, 4)), False),
    ):
        config = load_config("tiny", settings=["data.speaker_overlap=allow"], options={"data.protocol": f"file:{file}"})
        assert config.tracks["speaker_dependent"]
        settled = settle_overlap(config, attached(manifest, config.data))
        assert settled.tracks.get("speaker_dependent", False) == marked
    config = load_config("tiny", settings=["data.speaker_overlap=allow"], options={"data.protocol": "loso"})
    assert "speaker_dependent" not in settle_overlap(config, manifest).tracks


def test_what_decides_figures_is_the_content_of_a_list(tmp_path):
    manifest = corpus()

    def digest(file: Path) -> str:
        config = load_config("tiny", options={"data.protocol": f"file:{file}"})
        return settings_digest(config, Method("darts"), attached(manifest, config.data).identity)

    rows = by_speaker(manifest, 4)
    first = digest(write(tmp_path / "folds.csv", rows))
    assert digest(write(tmp_path / "deep" / "moved.csv", rows)) == first
    assert digest(write(tmp_path / "other.csv", by_speaker(manifest, 3))) != first


def test_a_list_changes_no_digest_of_other_protocols():
    config = ExperimentConfig()
    assert "speaker_overlap" not in config.meaning()["data"]
    assert corpus().identity == "digest"


def test_describe_names_what_is_on_both_sides(tmp_path):
    manifest = corpus(sessions=True)
    found = describe_folds(manifest, f"file:{mixed(tmp_path, manifest)}")
    text = "\n".join(found.lines())
    assert found.protocol == "file:mixed.csv"
    assert "speakers on both sides, validation and test, in 1 of 4 folds: s0" in text
    assert "speakers on both sides, train and validation, in 1 of 4 folds: s0" in text
    assert "sessions on both sides" in text
    assert "recordings: none on both sides" in text
    apart = describe_folds(manifest, f"file:{write(tmp_path / 'apart.csv', by_speaker(manifest, 4))}")
    assert "speakers: none on both sides" in list(apart.lines())
    assert apart.sizes["test"].tolist() == [4, 4, 4, 4]


def test_describe_names_sounds_on_both_sides_under_other_names(tmp_path):
    manifest = corpus()
    digests = [bytes([number]) for number in range(len(manifest))]
    digests[2] = digests[0]  # of s1 in fold 1, and of s0 in fold 0
    found = describe_folds(manifest, f"file:{write(tmp_path / 'apart.csv', by_speaker(manifest, 4))}", digests)
    lines = list(found.lines())
    wanted = "recordings of the same samples on both sides, validation and test, in 1 of 4 folds: s0/anger.wav and s1/"
    assert any(line.startswith(wanted) for line in lines)
    assert describe_folds(manifest, "loso", digests).shared["what"].tolist()


def test_speakers_that_look_alike_are_named_by_describe_and_refused(tmp_path):
    rows = [{"speaker": name, "emotion": emotion, "file": f"/{name}{emotion}.wav"}
            for name in ("1", "01", "2", "3", "4") for emotion in "ab"]  # fmt: skip
    manifest = build(rows)
    file = write(tmp_path / "folds.csv", [(row["file"], row["speaker"].replace("01", "5")) for row in rows])
    with pytest.raises(ProtocolError, match="look like one person"):
        make_folds(manifest, f"file:{file}")
    assert any(line.startswith("speakers that look alike") for line in describe_folds(manifest, f"file:{file}").lines())


def test_protocols_without_a_list_are_described_too():
    found = describe_folds(corpus(), "kfold:4")
    assert list(found.lines()) == ["speakers: none on both sides", "recordings: none on both sides"]


def test_the_command_line_describes_a_list(tmp_path, small_manifest):
    from typer.testing import CliRunner

    from nni_emodarts.cli.main import app

    manifest = read_manifest(small_manifest)
    speakers = sorted(set(manifest.table["speaker"]))
    rows = [
        (name, str(speakers.index(speaker)))
        for name, speaker in zip(manifest.names, manifest.table["speaker"], strict=True)
    ]
    file = write(tmp_path / "folds.csv", rows)
    done = CliRunner().invoke(app, ["describe", str(small_manifest), "--protocol", f"file:{file}"])
    assert done.exit_code == 0, done.output
    assert "speakers: none on both sides" in done.output
