import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nni_emodarts.data.manifest import COLUMNS, read_manifest
from nni_emodarts.errors import ManifestError

DATA = Path(os.environ.get("EMODARTS_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")

# Text that spreadsheets, shells and parsers of missing values like to change.
LABELS = st.one_of(
    st.sampled_from(["NA", "null", "nan", "None", "03", "1e5", "True", "-", "a,b", 'say "no"', "été", "N/A", "#1"]),
    st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=8),
)


def write(folder: Path, text: str, recordings: int = 9) -> Path:
    """A manifest beside the empty recordings 0.wav, 1.wav, ..."""
    for number in range(recordings):
        (folder / f"{number}.wav").touch()
    path = folder / "manifest.csv"
    path.write_text(text, encoding="utf-8")
    return path


def message(path: Path, **choice: object) -> str:
    with pytest.raises(ManifestError) as error:
        read_manifest(path, **choice)  # type: ignore[arg-type]
    return str(error.value)


@settings(deadline=None, max_examples=50)
@given(rows=st.lists(st.tuples(LABELS, LABELS, LABELS), min_size=2, max_size=6))
def test_labels_are_text_and_stay_as_they_are(tmp_path_factory, rows):
    rows = [*rows, ("one class", "a", "b"), ("another", "a", "b")]
    folder = tmp_path_factory.mktemp("corpus")
    written = pd.DataFrame(rows, columns=["emotion", "speaker", "text"])
    written.insert(0, "file", [f"{number}.wav" for number in range(len(rows))])
    path = write(folder, written.to_csv(index=False))
    manifest = read_manifest(path)
    assert manifest.table["emotion"].tolist() == [emotion for emotion, _, _ in rows]
    assert manifest.table["text"].tolist() == [text for _, _, text in rows]
    assert [manifest.classes[label] for label in manifest.labels] == [emotion for emotion, _, _ in rows]
    assert list(manifest.classes) == sorted({emotion for emotion, _, _ in rows})


def test_table_has_every_column_normalised(tmp_path):
    text = (
        "\ufefffile,emotion,speaker,gender,session,end,start,volume\n"
        "0.wav,anger,03,M,1,,,9\n"
        "\n"
        "./1.wav , joy,Unknown,female,,2.5,1,9\n"
        f"{tmp_path}/2.wav,joy,,F,,,0.5,9\n"
        "2.wav,anger,x,other\n"
        ",,,,,,,\n"
    )
    manifest = read_manifest(write(tmp_path, text))
    table = manifest.table
    assert list(table.columns) == list(COLUMNS)
    assert list(table.index) == [0, 1, 2, 3]
    assert len(manifest) == 4
    assert table["file"].tolist() == [str(tmp_path / name) for name in ("0.wav", "1.wav", "2.wav", "2.wav")]
    assert table["speaker"].tolist() == ["03", "", "", "x"]
    assert table["gender"].tolist() == ["male", "female", "female", ""]
    assert table["session"].tolist() == ["1", "", "", ""]
    assert table["split"].tolist() == [""] * 4
    np.testing.assert_array_equal(table["start"], [np.nan, 1.0, 0.5, np.nan])
    np.testing.assert_array_equal(table["end"], [np.nan, 2.5, np.nan, np.nan])
    assert manifest.labels.dtype == np.int64


def test_picking_follows_merging_and_keeps_the_given_order(tmp_path):
    text = "file,emotion,speaker\n0.wav,joy,a\n1.wav,excited,a\n2.wav,anger,a\n3.wav,boredom,a\n"
    manifest = read_manifest(write(tmp_path, text), emotions=["joy", "anger"], merge={"excited": "joy"})
    assert manifest.classes == ("joy", "anger")
    assert manifest.labels.tolist() == [0, 0, 1]
    # Merging is not chained: joy becomes boredom, and what was boredom becomes anger.
    swapped = read_manifest(write(tmp_path, text), merge={"joy": "boredom", "boredom": "anger"})
    assert swapped.table["emotion"].tolist() == ["boredom", "excited", "anger", "anger"]


def test_recordings_of_emotions_that_are_left_out_need_not_exist(tmp_path):
    path = write(tmp_path, "file,emotion,speaker\n0.wav,joy,a\n1.wav,anger,a\nlost.wav,boredom,a\n")
    assert len(read_manifest(path, emotions=["joy", "anger"])) == 2
    assert "1 audio file does not exist" in message(path)


def test_digest_follows_the_meaning_and_not_the_place(tmp_path):
    text = "file,emotion,speaker,gender,text_id\n0.wav,joy,03,m,5\n1.wav,anger,04,f,5\n"
    (tmp_path / "one").mkdir()
    digest = read_manifest(write(tmp_path / "one", text)).digest
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    assert read_manifest(tmp_path / "two" / "manifest.csv").digest == digest
    same = text.replace("m,5", "male,6").replace("0.wav", str(tmp_path / "one" / "0.wav"))
    assert read_manifest(write(tmp_path / "one", same)).digest == digest
    for old, new in (("0.wav", "2.wav"), ("joy", "calm"), ("03", "3"), ("m,", "f,"), ("text_id", "end")):
        assert read_manifest(write(tmp_path / "one", text.replace(old, new))).digest != digest, (old, new)
    picked = read_manifest(write(tmp_path / "one", text), emotions=["joy", "anger"])
    assert picked.digest == digest, "it is the same corpus"
    assert int(digest, 16) > 0


def test_all_faults_are_told_together(tmp_path):
    text = (
        "file,emotion,Speaker,start,end\n"
        "0.wav,,a,,\n"
        ",joy,a,,\n"
        "1.wav,anger,a,late,inf\n"
        "1.wav,anger,a,3,2\n"
        "2.wav,joy,a,,1.5\n"
        "./2.wav,anger,a,0,1.5\n"
        "lost.wav,joy,a,-1,\n"
    )
    told = message(write(tmp_path, text), emotions=["joy", "angr"], merge={"jol": "joy"}).splitlines()
    expected = [
        f"manifest {tmp_path}/manifest.csv has 10 faults:",
        "column 'speaker' is missing; did you mean Speaker? known: Speaker, emotion, end, file, start",
        "line 3: file is blank",
        "line 2: emotion is blank",
        "lines 4 (late), 8 (-1): start is no number of seconds",
        "line 4 (inf): end is no number of seconds",
        "line 5 (2.0): end must be greater than start",
        "line 7: the same file, start and end stood on an earlier line",
        "merge: no utterance is 'jol'; did you mean joy? known: anger, joy",
        "emotions: no utterance is 'angr'; did you mean anger? known: anger, joy",
        "1 audio file does not exist",
    ]
    assert len(told) == len(expected)
    for line, start in zip(told, expected, strict=True):
        assert line.strip().startswith(start)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_are_counted_through_quoted_line_breaks(tmp_path, end):
    lines = [
        "file,emotion,speaker,text",
        '0.wav,joy,a,"one',
        "",
        'three"',
        "1.wav,anger,a,",
        "2.wav,,b,x",
        "3.wav,,b,x",
    ]
    path = write(tmp_path, "")
    path.write_bytes(end.join(lines).encode())
    told = message(path)
    assert [line.split(":")[0] for line in told.splitlines()[1:]] == ["  lines 6, 7"]
    path.write_bytes(end.join([*lines[:5], "2.wav,joy,b,x"]).encode())
    assert read_manifest(path).table["text"].tolist() == [end.join(["one", "", "three"]), "", "x"]


def test_missing_recordings_are_counted_and_the_first_ten_named(tmp_path):
    rows = "".join(f"gone_{number:02d}.wav,{'joy' if number % 2 else 'anger'},a\n" for number in range(14))
    told = message(write(tmp_path, "file,emotion,speaker\n" + rows))
    assert "14 audio files do not exist" in told
    assert told.endswith("gone_09.wav and 4 more")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty; its first line must name file, emotion, speaker"),
        ("file,emotion,speaker\n", "holds no utterance"),
        ("file;emotion;speaker\n0.wav;joy;a\n", "known: file;emotion;speaker; separate the columns by commas"),
        ("file,emotion,speaker\n0.wav,joy,a,b\n", "no comma-separated file"),
        ("file,emotion,speaker,emotion\n0.wav,joy,a,anger\n", "column 'emotion' is there 2 times"),
        ("file,emotion,speaker\n0.wav,joy,a\n1.wav,joy,a\n", "only the class 'joy' is left"),
        ("file,emotion,speaker\n0.wav,joy,a\n1.wav,anger,a\n0.wav,anger,a\n", "line 4: the same file"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused(tmp_path, text, expected):
    assert expected in message(write(tmp_path, text))


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"emotions": ["joy"]}, "only the class 'joy' is left of anger, joy; a recogniser needs at least two"),
        ({"emotions": []}, "no class is left"),
        ({"emotions": ["joy", "anger", "joy"]}, "names one twice"),
        ({"merge": {"anger": "joy"}}, "only the class 'joy' is left"),
        ({"merge": {"anger": ""}}, "'anger' counts as nothing"),
    ],
)
def test_a_choice_that_leaves_no_task_is_refused(tmp_path, choice, expected):
    path = write(tmp_path, "file,emotion,speaker\n0.wav,joy,a\n1.wav,anger,a\n")
    assert expected in message(path, **choice)


def test_a_path_that_cannot_be_read_is_named(tmp_path):
    assert message(tmp_path / "no.csv").endswith("no.csv: No such file or directory; name an existing CSV file")
    assert "Is a directory" in message(tmp_path)
    (tmp_path / "sound.csv").write_bytes(b"RIFF\xff\xfe\x00\x00WAVE")
    assert "no comma-separated file in UTF-8" in message(tmp_path / "sound.csv")


def test_a_hundred_thousand_lines(tmp_path):
    rows = "".join(f"0.wav,e{n % 4},s{n % 2000},{n}.25,{n}.75\n" for n in range(100_000))
    path = write(tmp_path, "file,emotion,speaker,start,end\n" + rows)
    assert len(read_manifest(path)) == 100_000


# Counts of SOURCE.txt beside the corpora.
@pytest.mark.parametrize(
    ("corpus", "utterances", "classes", "speakers"), [("emodb4", 339, 4, 10), ("ravdess", 1440, 8, 24)]
)
def test_real_corpora(corpus, utterances, classes, speakers):
    path = DATA / corpus / "manifest.csv"
    if not path.exists():
        pytest.skip(f"{path} is absent; set EMODARTS_DATA")
    manifest = read_manifest(path)
    assert (len(manifest), len(manifest.classes)) == (utterances, classes)
    assert manifest.table["speaker"].nunique() == speakers
    assert "03" in set(manifest.table["speaker"])
    assert set(manifest.table["gender"]) == {"male", "female"}


def test_genders_that_are_not_understood_are_noted(tmp_path):
    path = write(
        tmp_path,
        "file,emotion,speaker,gender\n0.wav,a,1,weiblich\n1.wav,b,2,Woman\n2.wav,a,3,weiblich\n3.wav,b,4,x\n4.wav,a,5,\n",
    )
    manifest = read_manifest(path)
    assert manifest.table["gender"].tolist() == ["", "female", "", "", ""]
    (note,) = manifest.notes
    assert note.startswith("gender: 'weiblich' (2 lines), 'x' (1 line) count as unknown; male, man or m")
    assert manifest.pick(np.arange(2)).notes == manifest.notes
    assert read_manifest(write(tmp_path, "file,emotion,speaker\n0.wav,a,1\n1.wav,b,2\n")).notes == ()
