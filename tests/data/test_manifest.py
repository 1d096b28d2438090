import os
import shutil
import unicodedata
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


def test_all_faults_are_reported_together(tmp_path):
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
    reported = message(write(tmp_path, text), emotions=["joy", "angr"], merge={"jol": "joy"}).splitlines()
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
    assert len(reported) == len(expected)
    for line, start in zip(reported, expected, strict=True):
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
    reported = message(path)
    assert [line.split(":")[0] for line in reported.splitlines()[1:]] == ["  lines 6, 7"]
    path.write_bytes(end.join([*lines[:5], "2.wav,joy,b,x"]).encode())
    assert read_manifest(path).table["text"].tolist() == [end.join(["one", "", "three"]), "", "x"]


def test_missing_recordings_are_counted_and_the_first_ten_named(tmp_path):
    rows = "".join(f"gone_{number:02d}.wav,{'joy' if number % 2 else 'anger'},a\n" for number in range(14))
    reported = message(write(tmp_path, "file,emotion,speaker\n" + rows))
    assert "14 audio files do not exist" in reported
    assert reported.endswith("gone_09.wav and 4 more")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty; its first line must name file, emotion, speaker"),
        ("file,emotion,speaker\n", "holds no utterance"),
        ("file|emotion|speaker\n0.wav|joy|a\n", "known: file|emotion|speaker; separate the columns by commas"),
        ("file,emotion,speaker\n0.wav,joy,a,b\n", "more cells than the header's 3: line 2 (4 cells)"),
        (
            'file,emotion,speaker\n0.wav,joy,"a\n1.wav,anger,b\n',
            "is not closed, and the cell swallows what follows: line",
        ),
        ("file,emotion,speaker\n0.wav,joy,a\n# 1.wav,anger,a\n2.wav,anger,a\n", "line 3: # begins no comment here"),
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
    assert "is a recording; name the text file" in message(tmp_path / "sound.csv")
    (tmp_path / "sound.csv").write_bytes("file,emotion,speaker\nwütend.wav,a,b\n".encode("latin-1"))
    assert "is no UTF-8: line 2 would be 'wütend.wav,a,b' in Windows-1252" in message(tmp_path / "sound.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    assert "pipe.csv is a pipe and no file" in message(tmp_path / "pipe.csv")


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


NFC, NFD = (unicodedata.normalize(form, "wütend") for form in ("NFC", "NFD"))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("above", ["", "sep={}\n", "# made by hand; 2024\n"])
def test_a_table_is_the_same_however_a_spreadsheet_saves_it(tmp_path: Path, separator: str, above: str) -> None:
    text = "file,emotion,speaker,start\n0.wav,joy,a,1.5\n1.wav,anger,b,\n"
    expected = read_manifest(write(tmp_path, text))
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path = tmp_path / "other.csv"
        data = (above.format(separator) + text.replace(",", separator)).replace("\n", "\r\n")
        path.write_bytes(data.encode(encoding))
        manifest = read_manifest(path)
        pd.testing.assert_frame_equal(manifest.table, expected.table)
        assert manifest.digest == expected.digest
        assert manifest.notes == ()


def test_labels_of_one_look_are_one_class(tmp_path: Path) -> None:
    lines = [f"{number}.wav,{(NFC, NFD)[number % 2]},a {(number % 3) * chr(0x200B)}" for number in range(6)]
    path = write(tmp_path, "\n".join(["file,emotion,speaker", *lines, "6.wav,calm,b"]))
    manifest = read_manifest(path)
    assert manifest.classes == ("calm", NFC)
    assert manifest.table["emotion"].tolist() == [NFC] * 6 + ["calm"]
    assert set(manifest.table["speaker"]) == {"a", "b"}
    emotion, speaker = manifest.notes
    assert emotion.startswith("emotion: 'wütend' in 2 forms ('wu\\u0308tend': 3, 'w\\xfctend': 3) counts as one")
    assert speaker.startswith("speaker: 'a' in 3 forms")
    for name in (NFC, NFD):
        assert read_manifest(path, emotions=[name, "calm"]).classes == (NFC, "calm")
        assert read_manifest(path, merge={name: "upset"}).classes == ("calm", "upset")
    assert "merge: 'wütend' is there in several spellings" in message(path, merge={NFC: "a", NFD: "b"})


def test_labels_in_one_form_throughout_stay_in_it(tmp_path: Path) -> None:
    path = write(tmp_path, f"file,emotion,speaker\n0.wav,{NFD},a\n1.wav,calm,a\n2.wav,sad,a\n")
    assert read_manifest(path).classes == ("calm", "sad", NFD)
    assert read_manifest(path).notes == ()
    assert read_manifest(path, emotions=[NFC, "calm"]).classes == (NFD, "calm"), "asked for in another form"
    assert read_manifest(path, merge={"sad": NFC}).classes == ("calm", NFD)


def test_labels_that_look_alike_are_named_and_stay_apart(tmp_path: Path) -> None:
    lines = ["0.wav,Anger,01,s1", "1.wav,anger,1,S1", "2.wav,anger,2,s2", "3.wav,calm,2.0,s2"]
    manifest = read_manifest(write(tmp_path, "\n".join(["file,emotion,speaker,session", *lines])))
    assert manifest.classes == ("Anger", "anger", "calm")
    assert manifest.table["speaker"].tolist() == ["01", "1", "2", "2.0"]
    emotion, speaker, session = manifest.notes
    assert "'Anger' (1 line) and 'anger' (2 lines) look alike and count as different; where they are one" in emotion
    assert "'01' (1 line) and '1' (1 line), '2' (1 line) and '2.0' (1 line)" in speaker
    assert "'S1' (1 line) and 's1' (1 line)" in session


def test_recordings_under_another_spelling_are_found(tmp_path: Path) -> None:
    (tmp_path / "wavs").mkdir()
    for name in (f"wavs/{NFD}.wav", "wavs/B.WAV", "c.wav", "D.wav", "d.WAV"):
        (tmp_path / name).touch()
    head = "file,emotion,speaker\n"
    path = write(tmp_path, head + f"wavs/{NFC}.wav,joy,a\nwavs\\b.wav,anger,b\nC.wav,anger,b\n", recordings=0)
    manifest = read_manifest(path)
    assert manifest.names == [f"wavs/{NFD}.wav", "wavs/B.WAV", "c.wav"]
    (note,) = manifest.notes
    assert note.startswith("file: 3 spelled otherwise than the recordings there: wavs/")
    assert "C.wav is c.wav" in note
    path = write(tmp_path, head + "d.wav,joy,a\nc.flac,anger,a\nc.wav,anger,a\n", recordings=0)
    text = message(path)
    assert "d.wav (did you mean D.wav or d.WAV?)" in text
    assert "c.flac (did you mean c.wav?)" in text
    path = write(tmp_path, head + "c.wav,joy,a\nC.wav,anger,b\n", recordings=0)
    assert "lines 2, 3: one recording in several spellings of its name" in message(path)


def test_the_digest_is_that_of_what_stands_in_the_file(tmp_path: Path) -> None:
    """A corpus that moves to a system with other names stays the corpus that it was."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    text = "file,emotion,speaker\nA.wav,joy,a\nb.wav,anger,b\n"
    for folder, names in (("one", ["A.wav", "b.wav"]), ("two", ["a.WAV", "B.wav"])):
        for name in names:
            (tmp_path / folder / name).touch()
    digests = {read_manifest(write(tmp_path / folder, text, recordings=0)).digest for folder in ("one", "two")}
    assert len(digests) == 1


def test_more_classes_than_a_network_can_tell_apart(tmp_path: Path) -> None:
    rows = "".join(f"0.wav,e{number},a,{number},{number}.5\n" for number in range(1001))
    path = write(tmp_path, "file,emotion,speaker,start,end\n" + rows)
    assert "holds 1,001 classes, more than the 1,000" in message(path)
    assert read_manifest(path, emotions=["e1", "e2"]).classes == ("e1", "e2")
    many = [f"x{number}" for number in range(2000)]
    assert "emotions: and 1990 more that no utterance is" in message(path, emotions=many)
