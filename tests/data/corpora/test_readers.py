"""Every reader on a tiny tree in the corpus's real on-disk format, and on the real recordings that are at hand."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from corpus_trees import (
    CASES,
    Case,
    make_crema_d,
    make_csv,
    make_emodb,
    make_esd,
    make_iemocap,
    make_msp_improv,
    make_msp_podcast,
    make_nemo,
    message,
    record,
    record_all,
)

from nni_emodarts.config import DIMENSIONS, SCALE_COLUMN
from nni_emodarts.data.corpora import CorpusCard, corpus_names, corpus_reader, prepare
from nni_emodarts.data.dimensions import Wanted
from nni_emodarts.data.manifest import COLUMNS, GENDERS, read_manifest
from nni_emodarts.data.protocols import PROTOCOLS, make_fold
from nni_emodarts.data.votes import VOTES
from nni_emodarts.errors import ConfigError, ManifestError, RunFolderError

DATA = Path(os.environ.get("EMODARTS_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data")
FOLDERS = [name for name in corpus_names() if name != "csv"]


def rows_of(table: pd.DataFrame, folder: Path) -> set[tuple[str, ...]]:
    """Rows of a manifest's table as `Case.rows` has them."""
    files = [Path(file).relative_to(folder).as_posix() for file in table["file"]]
    columns = [table[name] for name in ("emotion", "speaker", "session", "gender", "split")]
    return {tuple(value or "-" for value in row) for row in zip(files, *columns, strict=True)}


def expected_rows(case: Case) -> set[tuple[str, ...]]:
    return {tuple(line.split()) for line in case.rows.splitlines()}


def check_numbers(case: Case, card: CorpusCard, out: Path, folder: Path) -> None:
    """Votes and dimensions as the manifest was written, where the corpus has any."""
    names = [name for name in DIMENSIONS if name in pd.read_csv(out).columns]
    assert bool(names) == bool(case.dimensions)
    wanted = Wanted(tuple(names), learnt=False) if names else None
    manifest = read_manifest(out, dimensions=wanted)
    rows = {file: row for row, file in enumerate(manifest.table["file"])}
    assert (manifest.votes is not None) == bool(case.votes)
    if names:
        assert manifest.scale == card.scale
        values = manifest.table.reindex(columns=list(DIMENSIONS)).to_numpy(float)
        for file, expected in case.dimensions.items():
            np.testing.assert_array_equal(values[rows[str(folder / file)]], expected)
    if manifest.votes is not None:
        cast = [{name: votes for name, votes in row.items() if votes} for row in manifest.votes.to_dict("records")]
        assert {file: cast[rows[str(folder / file)]] for file in case.votes} == case.votes


def test_every_corpus_has_a_case():
    assert set(CASES) == set(corpus_names())


@pytest.mark.parametrize("name", CASES)
def test_contract(name, tmp_path):
    """What holds for every reader: exact rows, a valid manifest, a complete card, hidden files, overwriting."""
    case, reader, card = CASES[name], corpus_reader(name), corpus_reader(name).CARD
    top = tmp_path / "corpus"
    root = case.make(top)
    folder = top / case.folder
    out = top / "manifest.csv"
    manifest = prepare(name, root, out)
    assert rows_of(manifest.table, folder) == expected_rows(case)
    texts = dict(zip(manifest.table["file"], manifest.table["text"], strict=True))
    assert {file: texts[str(folder / file)] for file in case.texts} == case.texts
    check_numbers(case, card, out, folder)

    # The file itself: valid, complete and relative, so that it moves with the recordings.
    written = pd.read_csv(out, dtype=str, keep_default_na=False)
    assert set(written.columns) <= {*COLUMNS, *DIMENSIONS, SCALE_COLUMN, VOTES}
    assert not written["file"].str.startswith("/").any()
    moved = top.rename(tmp_path / "moved")
    assert read_manifest(moved / "manifest.csv").digest == manifest.digest
    top, root, out = moved, moved / root.relative_to(top), moved / "manifest.csv"

    assert card.name == name
    assert all((card.title, card.citation, card.licence, card.url, card.language, card.layout, card.protocol))
    assert list(card.emotions) == sorted(card.emotions)
    assert set(card.default_emotions) <= set(card.emotions)
    if name != "csv":
        assert card.url.startswith(("https://", "http://"))
        assert card.utterances
        assert card.hours
    assert set(manifest.table["gender"]) - {""} <= set(GENDERS.values())
    assert (manifest.table[manifest.table["speaker"] != ""].groupby("speaker")["gender"].nunique() == 1).all()

    # Another system's leavings.
    before = reader.read(root)
    for path in [path for path in top.rglob("*") if path.is_file()]:
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\26\7")
        copy = path.parent / ".ipynb_checkpoints" / path.name
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(path, copy)
    pd.testing.assert_frame_equal(reader.read(root), before)

    content = out.read_bytes()
    with pytest.raises(RunFolderError, match="--overwrite"):
        prepare(name, root, out)
    assert out.read_bytes() == content
    prepare(name, root, out, overwrite=True)
    assert out.read_bytes() == content


@pytest.mark.parametrize("name", CASES)
def test_every_documented_class_can_be_read(name, tmp_path):
    """The tree of a corpus holds every class of its card."""
    card = corpus_reader(name).CARD
    root = CASES[name].make(tmp_path)
    tables = [corpus_reader(name).read(root)]
    for option, values in card.options.items():
        tables += [corpus_reader(name).read(root, **{option: value}) for value in values if value not in ("test3",)]
    if name != "csv":
        assert {emotion for table in tables for emotion in table["emotion"]} - {""} == set(card.emotions)


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_root_is_refused_with_the_remedy(name, tmp_path):
    card = corpus_reader(name).CARD
    out, other, empty = tmp_path / "manifest.csv", tmp_path / "other", tmp_path / "empty"
    record(other / "hello.wav")
    empty.mkdir()
    roots = {tmp_path / "absent": "no such file or folder", other: "hello.wav", empty: "an empty folder"}
    for root, found in roots.items():
        text = message(name, root, out)
        assert str(root) in text
        assert found in text
        assert card.layout in text
        assert card.url in text


@pytest.mark.parametrize("name", FOLDERS)
def test_a_file_is_no_root(name, tmp_path):
    path = tmp_path / "file.wav"
    record(path)
    assert "found a file" in message(name, path, tmp_path / "manifest.csv")


NAMED = ["emodb", "ravdess", "crema_d", "tess", "savee", "esd"]


@pytest.mark.parametrize("name", NAMED)
def test_strange_names_and_doubles_are_reported_together(name, tmp_path):
    root = CASES[name].make(tmp_path / "corpus")
    first = next(path for path in sorted(root.rglob("*.wav")) if "0001" not in path.parts)
    copy = root / "again" / first.relative_to(root)
    copy.parent.mkdir(parents=True)
    shutil.copy(first, copy)
    record_all(root, "notes.wav deep/take 2.flac".replace(" 2", "2"))
    text = message(name, root, tmp_path / "manifest.csv")
    assert "notes.wav" in text
    assert "deep/take2.flac" in text
    assert "there twice" in text
    assert f"again/{first.relative_to(root).as_posix()}" in text


def test_folders_are_followed_through_links_and_never_for_ever(tmp_path):
    make_emodb(tmp_path / "disk")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "wav").symlink_to(tmp_path / "disk" / "wav")
    (tmp_path / "disk" / "wav" / "loop").symlink_to(tmp_path / "disk" / "wav")
    assert len(corpus_reader("emodb").read(tmp_path / "corpus")) == 12


def test_the_iemocap_experiment_of_the_paper(tmp_path):
    root = make_iemocap(tmp_path)
    emotions = corpus_reader("iemocap").CARD.default_emotions
    four = prepare("iemocap", root, tmp_path / "four.csv", emotions=emotions)
    assert four.classes == ("anger", "happiness", "neutral", "sadness")
    assert len(four) == 4
    merged = prepare("iemocap", root, tmp_path / "merged.csv", emotions=emotions, merge={"excitement": "happiness"})
    assert len(merged) == 5
    # What was picked is what the file holds, under the merged names.
    assert set(read_manifest(tmp_path / "merged.csv").table["emotion"]) == set(emotions)
    reader = corpus_reader("iemocap")
    kinds = {part: reader.read(root / "IEMOCAP_full_release", part=part) for part in ("scripted", "all")}
    assert kinds["scripted"]["emotion"].tolist() == ["frustration", "other", "surprise"]
    assert kinds["scripted"]["speaker"].tolist() == ["Ses01M", "Ses02F", "Ses02M"]
    assert len(kinds["all"]) == 10


def test_partners_of_a_session_validate_each_other(tmp_path):
    root = make_iemocap(tmp_path)
    emotions = corpus_reader("iemocap").CARD.emotions
    halves = dict.fromkeys(("anger", "fear", "neutral", "other", "sadness"), "one half")
    merge = {name: halves.get(name, "other half") for name in emotions}
    manifest = prepare("iemocap", root, tmp_path / "all.csv", merge=merge, part="all")
    fold = make_fold(manifest, "session", 0)
    speakers = manifest.table["speaker"]
    assert set(speakers[fold.test]) == {"Ses01F"}
    assert set(speakers[fold.validation]) == {"Ses01M"}


def test_lines_that_a_label_file_should_not_have(tmp_path):
    iemocap, improv = make_iemocap(tmp_path / "iemocap"), make_msp_improv(tmp_path / "improv")
    labels = next(iemocap.rglob("Ses01F_impro01.txt"))
    labels.write_text(labels.read_text() + "[1.0 - 2.0]\tSes01F_impro01_F009\thappy\t[1, 1, 1]\n[cut\n")
    text = message("iemocap", iemocap, tmp_path / "manifest.csv")
    assert "Ses01F_impro01.txt:30" in text
    assert "Ses01F_impro01.txt:31" in text
    labels = improv / "Evalution.txt"
    labels.write_text(labels.read_text() + "UTD-IMPROV-S01A-F01-P-FM02.avi; Q; A:1;\nUTD-IMPROV-S01A-F09\n")
    next(improv.rglob("*FF01.wav")).unlink()
    text = message("msp_improv", improv, tmp_path / "manifest.csv")
    assert "Evalution.txt:36, Evalution.txt:37" in text
    assert "MSP-IMPROV-S13H-F02-R-FF01.wav" in text


def test_recordings_that_labels_name_and_that_are_absent(tmp_path):
    roots = {name: CASES[name].make(tmp_path / name) for name in ("iemocap", "msp_podcast", "nemo")}
    gone = ["Ses01F_impro01_M003.wav", "MSP-PODCAST_0001_0008.wav", "EB0_fear_10.wav"]
    for (name, root), file in zip(roots.items(), gone, strict=True):
        next(root.rglob(file)).unlink()
        assert file in message(name, root, tmp_path / "manifest.csv")


def test_the_test_set_of_msp_podcast_is_chosen(tmp_path):
    root = make_msp_podcast(tmp_path)
    second = prepare("msp_podcast", root, tmp_path / "second.csv", test="test2").table
    assert second.loc[second["split"] == "test", "emotion"].tolist() == ["surprise"]
    assert "no labels for test3" in message("msp_podcast", root, tmp_path / "third.csv", test="test3")
    with pytest.raises(ConfigError, match="test1, test2, test3"):
        prepare("msp_podcast", root, tmp_path / "fourth.csv", test="Test1")


def test_older_labels_of_msp_podcast(tmp_path):
    root = make_msp_podcast(tmp_path)
    labels = root / "Labels" / "labels_consensus.csv"
    labels.rename(labels.with_name("labels_concensus.csv"))
    (root / "Labels" / "labels_concensus.csv").write_text(
        (root / "Labels" / "labels_concensus.csv").read_text().replace("Development", "Validation")
    )
    assert set(corpus_reader("msp_podcast").read(root)["split"]) == {"train", "validation", "test"}


def test_unknown_codes_of_tables(tmp_path):
    podcast, nemo = make_msp_podcast(tmp_path / "podcast"), make_nemo(tmp_path / "nemo")
    labels = podcast / "Labels" / "labels_consensus.csv"
    labels.write_text(labels.read_text().replace("_0008.wav,N,", "_0008.wav,Q,"))
    assert "MSP-PODCAST_0001_0008.wav (Q, Train)" in message("msp_podcast", podcast, tmp_path / "manifest.csv")
    labels.write_text(labels.read_text().replace("SpkrID", "Speaker"))
    assert "'SpkrID'" in message("msp_podcast", podcast, tmp_path / "manifest.csv")
    table = nemo / "data.tsv"
    table.write_text(table.read_text().replace("\tsurprised\t", "\tbored\t"))
    assert "WR0_surprised_41.wav (bored)" in message("nemo", nemo, tmp_path / "manifest.csv")


def test_languages_of_esd(tmp_path):
    root = make_esd(tmp_path)
    mandarin = corpus_reader("esd").read(root, language="mandarin")
    assert mandarin[["speaker", "gender", "text"]].to_numpy().tolist() == [["0001", "female", "打远一看。"]]
    assert len(corpus_reader("esd").read(root, language="all")) == 7


def test_other_layouts(tmp_path):
    record_all(tmp_path / "savee", "ALL/DC_a01.wav ALL/JE_sa15.wav ALL/KL_su03.wav")
    savee = corpus_reader("savee").read(tmp_path / "savee")
    assert savee[["emotion", "speaker"]].to_numpy().tolist() == [["anger", "DC"], ["sadness", "JE"], ["surprise", "KL"]]
    make_crema_d(tmp_path / "crema_d")
    assert set(corpus_reader("crema_d").read(tmp_path / "crema_d" / "AudioWAV")["gender"]) == {"male", "female", ""}
    (tmp_path / "crema_d" / "VideoDemographics.csv").unlink()
    assert set(corpus_reader("crema_d").read(tmp_path / "crema_d")["gender"]) == {""}
    record_all(tmp_path / "flat", "03-01-05-02-02-02-24.WAV 03-01-05-02-02-02-23.flac")
    assert corpus_reader("ravdess").read(tmp_path / "flat")["gender"].tolist() == ["male", "female"]


def test_outputs_that_are_refused(tmp_path):
    table = make_csv(tmp_path)
    with pytest.raises(RunFolderError, match="the corpus itself"):
        prepare("csv", table, table, overwrite=True)
    with pytest.raises(RunFolderError, match="is a folder"):
        prepare("csv", table, tmp_path)
    with pytest.raises(RunFolderError, match="name another"):
        prepare("csv", table, table / "manifest.csv")


def test_recordings_outside_the_manifest_are_named_absolutely(tmp_path, monkeypatch):
    make_emodb(tmp_path / "corpus")
    monkeypatch.chdir(tmp_path)
    manifest = prepare("emodb", "corpus", "lists/manifest.csv")
    assert all(name.startswith(str(tmp_path / "corpus")) for name in manifest.names)


def test_an_unknown_corpus_names_the_known_ones():
    with pytest.raises(ConfigError, match="did you mean emodb"):
        corpus_reader("emo-db")


def test_protocols_of_the_cards_exist():
    known = [name.split(":")[0] for name in PROTOCOLS]
    for name in FOLDERS:
        protocol = corpus_reader(name).CARD.protocol
        assert protocol.split(":")[0] in known or (name == "tess" and corpus_reader(name).CARD.speakers == 2)


def test_documentation_names_every_corpus_and_option():
    text = (Path(__file__).resolve().parents[3] / "docs" / "corpora.md").read_text()
    for name in corpus_names():
        card = corpus_reader(name).CARD
        assert f"| `{name}` |" in text
        assert card.url in text
        if name != "csv":
            assert all(f"{option}={value}" in text for option, values in card.options.items() for value in values[1:])


@pytest.mark.parametrize(("pack", "name"), [("emodb4", "emodb"), ("ravdess", "ravdess")])
def test_real_recordings(pack, name, tmp_path):
    """The labels of two packs of real recordings, which were written by others."""
    truth = DATA / pack / "manifest.csv"
    if not truth.exists():
        pytest.skip(f"{truth} is absent; set EMODARTS_DATA to the folder of the recordings")
    manifest = prepare(name, truth.parent, tmp_path / "manifest.csv")
    columns = ["file", "emotion", "speaker", "gender"]
    expected = read_manifest(truth).table[columns].sort_values("file", ignore_index=True)
    pd.testing.assert_frame_equal(manifest.table[columns].sort_values("file", ignore_index=True), expected)
    assert manifest.table["text"].tolist() == pd.read_csv(truth, dtype=str)["text_id"].tolist()


def test_names_that_a_manifest_cannot_hold_are_refused(tmp_path):
    folder = tmp_path / os.fsdecode(b"Aufn\xe4hme")
    folder.mkdir()
    (folder / "03a01Fa.wav").touch()
    with pytest.raises(ManifestError, match=r"Aufn\\xe4hme' is no UTF-8; rename it"):
        prepare("emodb", tmp_path, tmp_path / "m.csv")


def test_genders_that_are_not_understood_are_reported(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.wav").touch()
    (tmp_path / "mine.csv").write_text("wav,label,spk,sex\na.wav,x,1,weiblich\nb.wav,y,2,W\n")
    manifest = prepare("csv", tmp_path / "mine.csv", tmp_path / "m.csv")
    assert "'weiblich' (1 line), 'W' (1 line) count as unknown" in manifest.notes[0]


def test_throat_signals_of_emodb_are_left_out(tmp_path):
    root = make_emodb(tmp_path / "emodb")
    spoken = [path.name for path in sorted((root / "wav").iterdir())]
    record_all(root / "laryngo", " ".join(spoken))
    manifest = prepare("emodb", root, tmp_path / "m.csv")
    assert sorted(manifest.table["file"]) == [str(root / "wav" / name) for name in spoken]
    (note,) = manifest.notes
    assert note == f"left out {len(spoken)} files in laryngo: signals of the throat (a laryngograph's), no speech"
    for wrong in (root / "laryngo", shutil.copytree(root / "laryngo", tmp_path / "Laryngo")):
        assert "no speech; name the folder wav" in message("emodb", wrong, tmp_path / "other.csv")
    shutil.rmtree(root / "wav")
    assert "expected recordings named like wav/03a01Fa.wav" in message("emodb", root, tmp_path / "other.csv")
    assert prepare("emodb", make_emodb(tmp_path / "old"), tmp_path / "old.csv").notes == ()


def test_recordings_that_were_not_fetched_are_reported_before_a_manifest_is_written(tmp_path):
    root = make_emodb(tmp_path / "emodb")
    files = sorted((root / "wav").iterdir())
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 72862\n"
    files[0].write_bytes(b"")
    files[1].write_text("<!DOCTYPE html><html>404</html>")
    notes = prepare("emodb", root, tmp_path / "m.csv").notes
    assert f"1 of 12 files are no recordings (wav/{files[0].name}): each is empty (0 bytes); copy it" in notes[0]
    assert f"(wav/{files[1].name}): each is a web page" in notes[1]
    for file in files[2:]:
        file.write_text(pointer)
    text = message("emodb", root, tmp_path / "other.csv")
    assert "10 of 12 files are no recordings" in text
    assert "fetch what it points to by git lfs pull" in text
    assert not (tmp_path / "other.csv").exists()


def test_labels_in_a_pipe_are_not_waited_for(tmp_path):
    root = make_iemocap(tmp_path / "iemocap")
    labels = next(root.rglob("EmoEvaluation/Ses01F_impro01.txt"))
    labels.unlink()
    os.mkfifo(labels)
    assert f"{labels} is a pipe" in message("iemocap", root, tmp_path / "m.csv")
