"""EmoBox's folds: by rule, and read from lists in the form of its repository."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from corpus_trees import record, record_all
from typer.testing import CliRunner

from nni_emodarts.cli.main import app
from nni_emodarts.data.corpora.emobox import FOLDERS, RAVDESS_ACTORS, emobox_folds
from nni_emodarts.data.corpora.preparation import folds_beside, write_manifest
from nni_emodarts.data.manifest import COLUMNS, Manifest, read_manifest
from nni_emodarts.data.protocols import make_folds
from nni_emodarts.errors import ConfigError, ProtocolError

EMODB = [
    f"{speaker}a0{text}{emotion}a" for speaker in ("03", "08", "09", "10") for text in (1, 2, 4) for emotion in "WN"
]


def build(rows: list[dict[str, str]]) -> Manifest:
    """A manifest of rows that need no recordings."""
    table = pd.DataFrame([{name: row.get(name, "") for name in COLUMNS} for row in rows])
    return Manifest(table, tuple(sorted(set(table["emotion"]))), "digest")


def ravdess(root: Path) -> Path:
    for actor in range(1, 25):
        for emotion in ("01", "05"):
            record(root / f"Actor_{actor:02d}" / f"03-01-{emotion}-01-01-01-{actor:02d}.wav")
    return root


def emodb(root: Path) -> Path:
    for name in EMODB:
        record(root / "wav" / f"{name}.wav")
    return root


def checkout(root: Path, corpus: str, wavs: dict[str, str], folds: int, line: str = "_") -> Path:
    """Lists as EmoBox has them: of each fold one that trains and one that tests, a JSON object a line."""
    for number in range(1, folds + 1):
        folder = root / "data" / corpus / f"fold_{number}"
        folder.mkdir(parents=True)
        for part in ("train", "test"):
            own = [wav for wav, fold in wavs.items() if (fold == str(number)) == (part == "test")]
            lines = [{"key": f"{corpus}-{Path(wav).stem}", "dataset": corpus, "wav": wav, "emo": "x"} for wav in own]
            text = "".join(json.dumps(each) + "\n" for each in lines)
            (folder / f"{corpus}_{part}_fold{line}{number}.jsonl").write_text(text)
    return root


def emodb_lists(root: Path, folds: int = 5, line: str = "_", lost: int = 0) -> Path:
    wavs = {f"downloads/emodb/wav/{name}.wav": str(place % folds + 1) for place, name in enumerate(EMODB[lost:])}
    return checkout(root, "emodb", {**wavs, "downloads/emodb/wav/16a01La.wav": "1"}, folds, line)


def test_ravdess_is_written_as_six_groups_of_actors(tmp_path: Path) -> None:
    assert sorted(actor for actors in RAVDESS_ACTORS for actor in actors) == [f"{n:02d}" for n in range(1, 25)]
    out = tmp_path / "ravdess.csv"
    done = CliRunner().invoke(
        app, ["prepare", "ravdess", str(ravdess(tmp_path / "tree")), "--out", str(out), "--folds", "emobox"]
    )
    assert done.exit_code == 0, done.output
    assert "MIT licence" in done.output
    manifest = read_manifest(out)
    folds = make_folds(manifest, f"file:{folds_beside(out)}")
    tested = [tuple(sorted(set(manifest.table["speaker"].iloc[fold.test]))) for fold in folds]
    assert tested == list(RAVDESS_ACTORS)


def corpus_of(speakers: list[str], sessions: list[str]) -> Manifest:
    return build(
        [
            {"speaker": speaker, "session": session, "emotion": emotion, "file": f"/{speaker}_{emotion}.wav"}
            for speaker, session in zip(speakers, sessions, strict=True)
            for emotion in ("a", "b")
        ]
    )


def test_savee_is_by_speaker_and_iemocap_by_session() -> None:
    manifest = corpus_of(["DC", "JE", "JK", "KL"], [""] * 4)
    found = emobox_folds("savee", manifest, None)
    assert dict(zip(found["file"].str[1:3], found["fold"], strict=True)) == {"DC": "1", "JE": "2", "JK": "3", "KL": "4"}
    names = [f"Ses0{number}{gender}" for number in range(1, 6) for gender in "FM"]
    manifest = corpus_of(names, [name[:5] for name in names])
    found = emobox_folds("iemocap", manifest, None)
    assert (found["fold"] == found["file"].str[5]).all()
    assert sorted(set(found["fold"])) == list("12345")


def test_the_lists_of_a_checkout_are_read_and_marked(tmp_path: Path) -> None:
    root, lists, out = emodb(tmp_path / "tree"), emodb_lists(tmp_path / "box"), tmp_path / "emodb.csv"
    with pytest.raises(ProtocolError, match=r"every speaker is learnt from and tested.*--allow-overlap"):
        write_manifest("emodb", root, out, folds=f"emobox:{lists}")
    assert not out.exists()
    write_manifest("emodb", root, out, folds=f"emobox:{lists}", allow_overlap=True)
    table = pd.read_csv(folds_beside(out), dtype=str)
    stems = table["file"].map(lambda name: Path(name).stem)
    assert dict(zip(stems, table["fold"], strict=True)) == {n: str(p % 5 + 1) for p, n in enumerate(EMODB)}
    with pytest.raises(ProtocolError, match="--allow-overlap"):
        make_folds(read_manifest(out), f"file:{folds_beside(out)}")


def test_lists_of_earlier_versions_are_read(tmp_path: Path) -> None:
    manifest = write_manifest("emodb", emodb(tmp_path / "tree"), tmp_path / "emodb.csv")
    newer, older = (
        emobox_folds("emodb", manifest, emodb_lists(tmp_path / f"box{line}", line=line)) for line in ("_", "")
    )
    pd.testing.assert_frame_equal(newer, older)


def test_of_a_single_fold_every_fifth_training_recording_of_an_emotion_validates(tmp_path: Path) -> None:
    names = [f"1001_TIE_{emotion}_{number:02d}" for emotion in ("ANG", "SAD") for number in range(20)]
    rows = [{"speaker": "1001", "emotion": name[9:12], "file": f"/AudioWAV/{name}.wav"} for name in names]
    manifest = replace(build(rows), folder=Path("/"))
    wavs = {f"downloads/cremad/AudioWAV/{name}.wav": "1" if name.endswith("9") else "0" for name in names}
    found = emobox_folds("crema_d", manifest, checkout(tmp_path, "cremad", wavs, 1))
    assert list(found.columns) == ["file", "fold", "split"]
    counts = found.groupby([found["file"].str[18:21], "split"]).size()
    assert counts.xs("test", level=1).tolist() == [2, 2]
    assert counts.xs("validation", level=1).tolist() == [3, 3]
    assert counts.xs("train", level=1).tolist() == [15, 15]


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        ("DC/a01 DC/sa01 JE/a01 JE/sa01", "list of EmoBox's folds of savee has a fault:\n  it has 2 folds"),
        (
            "DC/a01 JE/a01 JK/a01 KL/sa01",
            "fold 2 of file:emobox (train 2, validation 1, test 1 utterances): no",
        ),
    ],
)
def test_folds_of_a_part_of_a_corpus_are_refused_with_a_remedy(tmp_path: Path, names: str, fault: str) -> None:
    record_all(tmp_path / "savee" / "AudioData", " ".join(f"{name}.wav" for name in names.split()))
    with pytest.raises(ProtocolError) as caught:
        write_manifest("savee", tmp_path / "savee", tmp_path / "savee.csv", folds="emobox")
    message = str(caught.value)
    assert fault in message
    assert message.endswith("name its whole folder, or leave --folds out and take a protocol such as loso or kfold:K")
    assert "another protocol or K" not in message


def test_short_names_of_savee_are_told_apart_by_the_speaker(tmp_path: Path) -> None:
    speakers = ["DC", "JE", "JK", "KL"]
    rows = [{"speaker": s, "emotion": e, "file": f"/{s}/{e}01.wav"} for s in speakers for e in ("a", "sa")]
    wavs = {f"downloads/savee/{s}_{e}01.wav": str(n) for n, s in enumerate(speakers, 1) for e in ("a", "sa")}
    found = emobox_folds("savee", replace(build(rows), folder=Path("/")), checkout(tmp_path, "savee", wavs, 4))
    assert dict(zip(found["file"], found["fold"], strict=True)) == {
        f"{s}/{e}01.wav": str(n) for n, s in enumerate(speakers, 1) for e in ("a", "sa")
    }


def test_faults_are_named(tmp_path: Path) -> None:
    root = emodb(tmp_path / "tree")
    manifest = write_manifest("emodb", root, tmp_path / "emodb.csv")
    with pytest.raises(ConfigError, match="clone github"):
        emobox_folds("esd", manifest, None)
    with pytest.raises(ConfigError, match=f"no folds of nemo are known here; known: {', '.join(sorted(FOLDERS))}"):
        emobox_folds("nemo", manifest, tmp_path)
    with pytest.raises(ProtocolError, match="holds no folder fold_1"):
        emobox_folds("emodb", manifest, tmp_path)
    with pytest.raises(ProtocolError, match=r"2 of 24 recordings are in no list .*03a01Na.*03a01Wa"):
        emobox_folds("emodb", manifest, emodb_lists(tmp_path / "lost", lost=2))
    broken = emodb_lists(tmp_path / "broken")
    (broken / "data/emodb/fold_2/emodb_test_fold_2.jsonl").write_text('{"key": 1}\n')
    with pytest.raises(ProtocolError, match="is no list of recordings"):
        emobox_folds("emodb", manifest, broken)
    (broken / "data/emodb/fold_2/emodb_test_fold_2.jsonl").unlink()
    with pytest.raises(ProtocolError, match=r"lacks emodb_test_fold_2.jsonl"):
        emobox_folds("emodb", manifest, broken)
    with pytest.raises(ConfigError, match="'emo' is unknown; known: emobox"):
        write_manifest("emodb", root, tmp_path / "other.csv", folds="emo")
