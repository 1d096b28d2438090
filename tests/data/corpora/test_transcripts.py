"""Transcripts of ESD."""

import os
from pathlib import Path

from corpus_trees import (
    record,
    write,
)

from nni_emodarts.data.corpora import prepare


def make_esd_with(root, speaker, lines):
    """A speaker with two angry and two sad recordings, and transcripts."""
    names = [f"{speaker}_{number:06d}" for number in (1, 2, 3, 4)]
    for name, folder in zip(names, ("Angry", "Angry", "Sad", "Sad"), strict=True):
        record(root / speaker / folder / f"{name}.wav")
    write(root / speaker / f"{speaker}.txt", "\n".join(lines) + "\n")
    return root


def texts_of(root, out, **options):
    manifest = prepare("esd", root, out, overwrite=True, **options)
    return dict(
        zip((Path(file).stem for file in manifest.table["file"]), manifest.table["text"], strict=True)
    ), manifest


def test_transcripts_of_esd_by_spaces(tmp_path):
    lines = ["0013_000001 I say it.  Angry", "0013_000002\tTabs too\tAngry", "0013_000003   I am so sad sad",
             "0013_000004, He is  happy Sad"]  # fmt: skip
    texts, manifest = texts_of(make_esd_with(tmp_path / "esd", "0013", lines), tmp_path / "m.csv")
    assert list(texts.values()) == ["I say it.", "Tabs too", "I am so sad", "He is happy"]
    assert manifest.notes == ()
    make_esd_with(tmp_path / "esd", "0003", ["0003_000001 他打远一看， 生气", "0003_000003 二 伤心"])
    texts, manifest = texts_of(tmp_path / "esd", tmp_path / "m.csv", language="mandarin")
    assert [texts["0003_000001"], texts["0003_000003"]] == ["他打远一看，", "二"]


def test_transcripts_of_esd_that_cannot_be_read_are_reported_with_their_lines(tmp_path):
    lines = ["0013_000001\tFine.\tAngry", "", "what is this", "0013_000002 no emotion behind it", "0013_000004\t\tSad"]
    root = make_esd_with(tmp_path / "esd", "0013", lines)
    texts, manifest = texts_of(root, tmp_path / "m.csv")
    assert list(texts.values()) == ["Fine.", "", "", ""]
    (note,) = manifest.notes
    assert note.startswith("0013/0013.txt: no transcript of 0013_000002, 0013_000003, 0013_000004 (lines 3, 4, 5: ")
    assert note.endswith("text stays blank")
    make_esd_with(root, "0014", [])
    (root / "0014/0014.txt").unlink()
    os.mkfifo(root / "0014/0014.txt")
    assert any("0014/0014.txt: no transcript" in note for note in texts_of(root, tmp_path / "m.csv")[1].notes)
    (root / "0013/0013.txt").unlink()
    assert texts_of(root, tmp_path / "m.csv")[1].notes == (), "a copy without any transcript lacks none"
