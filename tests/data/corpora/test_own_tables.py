"""Tables of one's own as a corpus."""

import pytest
from corpus_trees import (
    make_csv,
    make_emodb,
    make_msp_improv,
    make_msp_podcast,
    message,
    record_all,
)

from nni_emodarts.data.corpora import prepare
from nni_emodarts.data.manifest import read_manifest
from nni_emodarts.errors import ConfigError, ManifestError


def test_own_names_of_columns(tmp_path):
    record_all(tmp_path, "a.wav b.wav")
    table = tmp_path / "table.csv"
    table.write_text("clip_name,annotator1,annotator2,who\na.wav,calm,x,1\nb.wav,upset,y,2\n")
    text = message("csv", table, tmp_path / "manifest.csv")
    assert all(f"no column for {column}" in text for column in ("file", "emotion", "speaker"))
    named = {"file": "clip_name", "emotion": "annotator1", "speaker": "who"}
    assert prepare("csv", table, tmp_path / "manifest.csv", **named).classes == ("calm", "upset")
    with pytest.raises(ManifestError, match="did you mean annotator"):
        prepare("csv", table, tmp_path / "other.csv", **{**named, "emotion": "annotator"})
    table.write_text("path,wav,label,speaker\na.wav,b.wav,calm,1\n")
    assert "--option file=path or --option file=wav" in message("csv", table, tmp_path / "other.csv")
    with pytest.raises(ConfigError, match="no option 'colour'"):
        prepare("csv", table, tmp_path / "other.csv", colour="red")


def test_columns_to_choose_from_are_quoted_for_the_shell(tmp_path):
    record_all(tmp_path, "a.wav b.wav")
    table = tmp_path / "table.csv"
    table.write_text("File Name,wav path,label,speaker\na.wav,b.wav,calm,1\n")
    text = message("csv", table, tmp_path / "other.csv")
    assert "--option 'file=File Name' or --option 'file=wav path'" in text


def test_faults_of_a_table_have_its_own_lines(tmp_path):
    record_all(tmp_path, "a.wav b.wav c.wav")
    table = tmp_path / "table.csv"
    rows = [
        "sep=;",
        "# by hand",
        "Path;Emo;Spk;Sentence",
        'a.wav;calm;1;"one',
        'two"',
        "",
        "b.wav;;2;x",
        "c.wav;upset;2;x",
    ]
    table.write_text("\n".join(rows))
    text = message("csv", table, tmp_path / "manifest.csv")
    assert "line 7: emotion is blank" in text
    assert "(not written)" in text
    table.write_text("\n".join(rows).replace("b.wav;;", "B.WAV;upset;"))
    manifest = prepare("csv", table, tmp_path / "manifest.csv")
    assert manifest.table["text"].tolist() == ["one\ntwo", "x", "x"]
    assert manifest.names == ["a.wav", "b.wav", "c.wav"]
    assert "B.WAV is b.wav" in " ".join(manifest.notes)
    assert read_manifest(tmp_path / "manifest.csv").notes == ()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_table_in_any_encoding_that_it_names(tmp_path, encoding):
    record_all(tmp_path, "a.wav b.wav")
    (tmp_path / "table.csv").write_bytes("Datei\tLabel\tSprecher\na.wav\twütend\t1\nb.wav\truhig\t2\n".encode(encoding))
    named = {"file": "Datei", "speaker": "Sprecher"}
    assert prepare("csv", tmp_path / "table.csv", tmp_path / "m.csv", **named).classes == ("ruhig", "wütend")


def test_label_files_are_read_whole_or_refused(tmp_path):
    podcast = make_msp_podcast(tmp_path / "podcast")
    labels = podcast / "Labels" / "labels_consensus.csv"
    whole = labels.read_text()
    labels.write_text(whole.replace("Male,Train", '"Male,Train', 1))
    assert "a quotation mark that opens a cell is not closed" in message("msp_podcast", podcast, tmp_path / "m.csv")
    labels.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3\n")
    assert "git lfs pull" in message("msp_podcast", podcast, tmp_path / "m.csv")
    labels.write_text(whole.replace("MSP-PODCAST_0001_0008.wav", "msp-podcast_0001_0008.WAV"))
    assert prepare("msp_podcast", podcast, tmp_path / "m.csv").table["file"].str.endswith("PODCAST_0001_0008.wav").any()
    improv = make_msp_improv(tmp_path / "improv")
    (improv / "Evalution.txt").write_text("<!DOCTYPE html><html>404</html>")
    assert "a web page" in message("msp_improv", improv, tmp_path / "improv.csv")


def test_empty_columns_of_a_spreadsheet_are_nobodys(tmp_path):
    record_all(tmp_path, "a.wav b.wav")
    table = tmp_path / "table.csv"
    table.write_text("file,emotion,speaker,,\na.wav,calm,1,,\nb.wav,upset,2,,\n")
    assert prepare("csv", table, tmp_path / "manifest.csv").classes == ("calm", "upset")
    table.write_text("file,emotion,speaker,,\na.wav,calm,1,x,\nb.wav,upset,2,,y\n")
    assert "names columns twice" in message("csv", table, tmp_path / "other.csv"), "these hold something"


def test_times_of_a_table_are_kept(tmp_path):
    table = prepare("csv", make_csv(tmp_path), tmp_path / "manifest.csv").table
    assert table["end"].tolist()[0] == 1.5
    assert table["start"].tolist()[1] == 0.1
    assert table[["start", "end"]].notna().sum().tolist() == [1, 1]


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00\x01", b"file,file\na,b\n", b'"a,b\n1,2,3\n', b"a\n1,2\n", b"file\n"]
)
def test_bytes_that_are_no_table(tmp_path, content):
    table = tmp_path / "table.csv"
    table.write_bytes(content)
    assert str(table) in message("csv", table, tmp_path / "manifest.csv")


def test_faults_name_the_manifest_that_was_not_written(tmp_path):
    record_all(tmp_path, "a.wav")
    table, out = tmp_path / "table.csv", tmp_path / "manifest.csv"
    table.write_text("path,label,speaker\na.wav,calm,1\nb.wav,,1\n")
    text = message("csv", table, out)
    assert f"{out} (not written) of {table}" in text
    assert "line 3: emotion is blank" in text
    assert str(tmp_path / "b.wav") in text
    root = make_emodb(tmp_path / "emodb")
    with pytest.raises(ManifestError, match="did you mean anger"):
        prepare("emodb", root, out, emotions=["angr", "sadness"])
    assert not out.exists()
