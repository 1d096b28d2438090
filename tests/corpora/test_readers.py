"""Every reader on a tiny tree in the corpus's real on-disk format, and on the real recordings that are at hand."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from nni_emodarts.corpora import corpus_names, load_corpus, prepare
from nni_emodarts.errors import ConfigError, ManifestError, RunFolderError
from nni_emodarts.manifest import COLUMNS, GENDERS, read_manifest
from nni_emodarts.protocols import PROTOCOLS, make_fold

DATA = Path(os.environ.get("EMODARTS_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
RATE = 16000


def record(path: Path) -> None:
    """0.2 s of noise, of its own for every name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(path.name.encode()))
    soundfile.write(path, rng.normal(0, 0.1, RATE // 5), RATE)


def record_all(root: Path, names: str) -> None:
    for name in names.split():
        record(root / name)


def write(path: Path, text: str, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))


def make_iemocap(root: Path) -> Path:
    """Two sessions; the letter after Ses01 (who wears the markers) often differs from the turn's, which speaks."""
    turns = {
        "Ses01F_impro01": [("F000", "neu"), ("M003", "ang"), ("M004", "xxx"), ("F005", "exc")],
        "Ses01M_impro02": [("F001", "sad"), ("M001", "hap")],
        "Ses01F_script01_1": [("M012", "fru")],
        "Ses02M_script01_1b": [("F000", "oth"), ("M001", "sur")],
        "Ses02F_impro08": [("M000", "fea"), ("M001", "dis")],
    }
    for dialogue, labels in turns.items():
        session = root / "IEMOCAP_full_release" / f"Session{int(dialogue[4])}"
        lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
        for turn, emotion in labels:
            lines += [
                f"[6.2901 - 8.2357]\t{dialogue}_{turn}\t{emotion}\t[2.5000, 2.5000, 2.5000]",
                "C-E2:\tNeutral;\t()",
                "C-F1:\tAnger; Sadness;\t(tired)",
                "A-E3:\tval 3; act 2; dom  2;\t()",
                "",
            ]
            record(session / "sentences" / "wav" / dialogue / f"{dialogue}_{turn}.wav")
        write(session / "dialog" / "EmoEvaluation" / f"{dialogue}.txt", "\n".join(lines))
        write(session / "dialog" / "EmoEvaluation" / "Categorical" / f"{dialogue}_e1_cat.txt", "F000 :Neutral; ()\n")
    return root


def make_msp_improv(root: Path) -> Path:
    labels = {
        "S01A-F01-P-FM01": "N; A:2.500000; V:3.000000; D:3.000000; N:4.000000;",
        "S01A-M01-S-MF02": "A; A:4.0; V:1.5; D:4.0; N:3.5;",
        "S13H-F02-R-FF01": "H; A:4.0; V:4.5; D:4.0; N:3.5;",
        "S20S-M06-T-MM11": "S; A:2.0; V:1.5; D:2.0; N:3.5;",
        "S20S-M06-T-MM12": "X; A:2.0; V:1.5; D:2.0; N:3.5;",
        "S20N-F06-P-FM12": "O; A:2.0; V:1.5; D:2.0; N:3.5;",
    }
    blocks = [f"UTD-IMPROV-{turn}.avi; {values}\nWORKER00000001_20; {values}\n" for turn, values in labels.items()]
    write(root / "Evalution.txt", "\n".join(blocks))
    for turn in labels:
        scenario, speaker, condition, _ = turn.split("-")
        record(root / f"session{int(speaker[1:])}" / scenario / condition / f"MSP-IMPROV-{turn}.wav")
    return root


def make_msp_podcast(root: Path) -> Path:
    rows = [
        ("MSP-PODCAST_0001_0008.wav", "N", "127", "Male", "Train"),
        ("MSP-PODCAST_0001_0019.wav", "A", "Unknown", "Unknown", "Train"),
        ("MSP-PODCAST_0002_0033.wav", "S", "8", "Female", "Development"),
        ("MSP-PODCAST_0003_0001.wav", "C", "22", "Female", "Test1"),
        ("MSP-PODCAST_0003_0002.wav", "X", "22", "Female", "Test1"),
        ("MSP-PODCAST_0003_0003.wav", "O", "22", "Female", "Train"),
        ("MSP-PODCAST_0004_0001.wav", "U", "22", "Female", "Test2"),
        ("MSP-PODCAST_0005_0001.wav", "D", "31", "Male", "Train"),
        ("MSP-PODCAST_0005_0002.wav", "F", "31", "Male", "Train"),
        ("MSP-PODCAST_0005_0003.wav", "H", "31", "Male", "Train"),
    ]
    lines = ["FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"]
    lines += [
        f"{file},{emotion},4.2,3.0,4.4,{speaker},{gender},{part}" for file, emotion, speaker, gender, part in rows
    ]
    write(root / "Labels" / "labels_consensus.csv", "\n".join(lines) + "\n")
    write(root / "Labels" / "labels_detailed.csv", "FileName,EmoClass_Major\n")
    for file, *_ in rows:
        record(root / "Audios" / file)
    return root


def make_emodb(root: Path) -> Path:
    names = "03a01Fa 03a01Nc 03a01Wa 08a02La 09b10Ec 10a05Ab 11b09Td 12a04Wc 13a07Na 14b01Fa 15b02La 16b03Ea"
    record_all(root / "wav", " ".join(f"{name}.wav" for name in names.split()))
    write(root / "erkennung.txt", "Satz  erkannt\n")
    return root


def make_ravdess(root: Path) -> Path:
    names = [f"Actor_01/03-01-0{emotion}-01-01-01-01.wav" for emotion in range(1, 9)]
    names += ["Actor_24/03-01-05-02-02-02-24.wav", "Actor_12/03-02-05-02-02-02-12.wav"]  # the last one sings
    record_all(root, " ".join(names))
    return root


def make_crema_d(root: Path) -> Path:
    names = "1001_DFA_ANG_XX 1001_IEO_HAP_HI 1002_TIE_DIS_XX 1002_IEO_FEA_LO 1040_ITH_SAD_X 1091_WSI_NEU_MD"
    record_all(root / "AudioWAV", " ".join(f"{name}.wav" for name in names.split()))
    rows = ['1001,51,"Male","Caucasian","Not Hispanic"', '1002,21,"Female","Caucasian","Not Hispanic"']
    rows += ['1040,42,"Male","Caucasian","Not Hispanic"']
    header = '"ActorID","Age","Sex","Race","Ethnicity"'
    write(root / "VideoDemographics.csv", "\n".join([header, *rows, ""]))
    return root


def make_tess(root: Path) -> Path:
    names = "OAF_angry/OAF_back_angry OAF_Pleasant_surprise/OAF_back_ps OAF_neutral/OA_bite_neutral"
    names += " OAF_Sad/OAF_back_sad YAF_fear/YAF_door_fear YAF_happy/YAF_door_happy YAF_disgust/YAF_door_disgust"
    names += " YAF_pleasant_surprised/YAF_door_ps YAF_pleasant_surprised/YAF_pool_pleasant_surprised"
    record_all(root, " ".join(f"{name}.wav" for name in names.split()))
    return root


def make_nemo(root: Path) -> Path:
    rows = [
        ("KD0_happiness_3.wav", "happiness", "Chodźmy w tango.", "KD0", "female", "28"),
        ("WR0_surprised_41.wav", "surprised", 'To "ogromne" drzewo, "o.', "WR0", "male", "23"),
        ("EB0_neutral_22.wav", "neutral", "Piesek wszedł do rzeki.", "EB0", "female", "27"),
        ("MP0_sadness_48.wav", "sadness", "Moja sobota.", "MP0", "male", "24"),
        ("EB0_anger_6.wav", "anger", "Dziunia, nie.", "EB0", "female", "27"),
        ("EB0_fear_10.wav", "fear", "Nowa szafa.", "EB0", "female", "27"),
    ]
    lines = ["file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"]
    for file, emotion, text, speaker, gender, age in rows:
        lines.append("\t".join([file, emotion, text, text.lower(), f"        {speaker}", gender, age]))
        record(root / "samples" / file)
    write(root / "data.tsv", "\n".join(lines) + "\n")
    return root


def make_savee(root: Path) -> Path:
    names = "DC/a01 DC/sa01 DC/su01 JE/a01 JE/d15 JK/f02 KL/h03 KL/n30"
    record_all(root / "AudioData", " ".join(f"{name}.wav" for name in names.split()))
    return root


def make_esd(root: Path) -> Path:
    """Split folders for one speaker, none for the other; transcripts in the three encodings of the corpus."""
    names = "0011/Angry/train/0011_000351 0011/Happy/evaluation/0011_000701 0011/Neutral/test/0011_000001"
    names += " 0012/Sad/0012_001051 0012/Surprise/0012_001401 0015/Neutral/0015_000001 0001/Neutral/train/0001_000001"
    record_all(root, " ".join(f"{name}.wav" for name in names.split()))
    write(
        root / "0011/0011.txt", "0011_000001\tThe nine the eggs, I keep.\tNeutral\n0011_000351\tThe  eggs.\tAngry\n\n"
    )
    write(root / "0012/0012.txt", "0012_001051\tThe fisherman.\tSad\n0012_001401 broken line\n", encoding="utf-16")
    write(root / "0015/0015.txt", "0015_000001\tIt’s café.\tNeutral\n".replace("’", "'"), encoding="latin-1")
    write(root / "0001/0001.txt", "0001_000001\t打远一看。\t中立\n", encoding="gb2312")
    return root


def make_csv(root: Path) -> Path:
    record_all(root, "clips/a.wav clips/b.wav clips/c.wav clips/d.wav")
    table = root / "my data.csv"
    text = "Wav-Path;Label;Speaker_ID;Sex;Subset;Start time;End time;room\nclips/a.wav;happy;03;F;dev;;1.5;1\n"
    text += (
        ";;;;;;;\nclips/b.wav;NA;04;M;train;0.1;;2\nclips/c.wav;NA;unknown;;test;;;2\nclips/d.wav;happy;3;f;test;;;2\n"
    )
    write(table, text)
    return table


@dataclass(frozen=True)
class Case:
    """A tree, and what its reader must make of it: file -> emotion, speaker, session, gender, split."""

    make: Callable[[Path], Path]
    rows: str
    folder: str = ""
    """Of the files in `rows`."""
    texts: dict[str, str] = field(default_factory=dict)


CASES = {
    "iemocap": Case(
        make_iemocap,
        """Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav neutral Ses01F 1 female -
        Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M003.wav anger Ses01M 1 male -
        Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F005.wav excitement Ses01F 1 female -
        Session1/sentences/wav/Ses01M_impro02/Ses01M_impro02_F001.wav sadness Ses01F 1 female -
        Session1/sentences/wav/Ses01M_impro02/Ses01M_impro02_M001.wav happiness Ses01M 1 male -
        Session2/sentences/wav/Ses02F_impro08/Ses02F_impro08_M000.wav fear Ses02M 2 male -
        Session2/sentences/wav/Ses02F_impro08/Ses02F_impro08_M001.wav disgust Ses02M 2 male -""",
        "IEMOCAP_full_release",
        {"Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M003.wav": "Ses01F_impro01"},
    ),
    "msp_improv": Case(
        make_msp_improv,
        """session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav neutral F01 1 female -
        session1/S01A/S/MSP-IMPROV-S01A-M01-S-MF02.wav anger M01 1 male -
        session2/S13H/R/MSP-IMPROV-S13H-F02-R-FF01.wav happiness F02 2 female -
        session6/S20S/T/MSP-IMPROV-S20S-M06-T-MM11.wav sadness M06 6 male -""",
        texts={"session2/S13H/R/MSP-IMPROV-S13H-F02-R-FF01.wav": "S13H"},
    ),
    "msp_podcast": Case(
        make_msp_podcast,
        """MSP-PODCAST_0001_0008.wav neutral 127 - male train
        MSP-PODCAST_0001_0019.wav anger - - - train
        MSP-PODCAST_0002_0033.wav sadness 8 - female validation
        MSP-PODCAST_0003_0001.wav contempt 22 - female test
        MSP-PODCAST_0005_0001.wav disgust 31 - male train
        MSP-PODCAST_0005_0002.wav fear 31 - male train
        MSP-PODCAST_0005_0003.wav happiness 31 - male train""",
        "Audios",
    ),
    "emodb": Case(
        make_emodb,
        """03a01Fa.wav happiness 03 - male -
        03a01Nc.wav neutral 03 - male -
        03a01Wa.wav anger 03 - male -
        08a02La.wav boredom 08 - female -
        09b10Ec.wav disgust 09 - female -
        10a05Ab.wav fear 10 - male -
        11b09Td.wav sadness 11 - male -
        12a04Wc.wav anger 12 - male -
        13a07Na.wav neutral 13 - female -
        14b01Fa.wav happiness 14 - female -
        15b02La.wav boredom 15 - male -
        16b03Ea.wav disgust 16 - female -""",
        "wav",
        {"09b10Ec.wav": "b10"},
    ),
    "ravdess": Case(
        make_ravdess,
        """Actor_01/03-01-01-01-01-01-01.wav neutral 01 - male -
        Actor_01/03-01-02-01-01-01-01.wav calm 01 - male -
        Actor_01/03-01-03-01-01-01-01.wav happiness 01 - male -
        Actor_01/03-01-04-01-01-01-01.wav sadness 01 - male -
        Actor_01/03-01-05-01-01-01-01.wav anger 01 - male -
        Actor_01/03-01-06-01-01-01-01.wav fear 01 - male -
        Actor_01/03-01-07-01-01-01-01.wav disgust 01 - male -
        Actor_01/03-01-08-01-01-01-01.wav surprise 01 - male -
        Actor_24/03-01-05-02-02-02-24.wav anger 24 - female -""",
        texts={"Actor_24/03-01-05-02-02-02-24.wav": "02"},
    ),
    "crema_d": Case(
        make_crema_d,
        """1001_DFA_ANG_XX.wav anger 1001 - male -
        1001_IEO_HAP_HI.wav happiness 1001 - male -
        1002_TIE_DIS_XX.wav disgust 1002 - female -
        1002_IEO_FEA_LO.wav fear 1002 - female -
        1040_ITH_SAD_X.wav sadness 1040 - male -
        1091_WSI_NEU_MD.wav neutral 1091 - - -""",
        "AudioWAV",
        {"1002_TIE_DIS_XX.wav": "TIE"},
    ),
    "tess": Case(
        make_tess,
        """OAF_angry/OAF_back_angry.wav anger OAF - female -
        OAF_Pleasant_surprise/OAF_back_ps.wav surprise OAF - female -
        OAF_neutral/OA_bite_neutral.wav neutral OAF - female -
        OAF_Sad/OAF_back_sad.wav sadness OAF - female -
        YAF_fear/YAF_door_fear.wav fear YAF - female -
        YAF_happy/YAF_door_happy.wav happiness YAF - female -
        YAF_disgust/YAF_door_disgust.wav disgust YAF - female -
        YAF_pleasant_surprised/YAF_door_ps.wav surprise YAF - female -
        YAF_pleasant_surprised/YAF_pool_pleasant_surprised.wav surprise YAF - female -""",
        texts={"OAF_neutral/OA_bite_neutral.wav": "bite"},
    ),
    "nemo": Case(
        make_nemo,
        """KD0_happiness_3.wav happiness KD0 - female -
        WR0_surprised_41.wav surprise WR0 - male -
        EB0_neutral_22.wav neutral EB0 - female -
        MP0_sadness_48.wav sadness MP0 - male -
        EB0_anger_6.wav anger EB0 - female -
        EB0_fear_10.wav fear EB0 - female -""",
        "samples",
        {"WR0_surprised_41.wav": 'To "ogromne" drzewo, "o.'},
    ),
    "savee": Case(
        make_savee,
        """DC/a01.wav anger DC - male -
        DC/sa01.wav sadness DC - male -
        DC/su01.wav surprise DC - male -
        JE/a01.wav anger JE - male -
        JE/d15.wav disgust JE - male -
        JK/f02.wav fear JK - male -
        KL/h03.wav happiness KL - male -
        KL/n30.wav neutral KL - male -""",
        "AudioData",
        {"DC/sa01.wav": "sa01"},
    ),
    "esd": Case(
        make_esd,
        """0011/Angry/train/0011_000351.wav anger 0011 - male -
        0011/Happy/evaluation/0011_000701.wav happiness 0011 - male -
        0011/Neutral/test/0011_000001.wav neutral 0011 - male -
        0012/Sad/0012_001051.wav sadness 0012 - male -
        0012/Surprise/0012_001401.wav surprise 0012 - male -
        0015/Neutral/0015_000001.wav neutral 0015 - female -""",
        texts={
            "0011/Angry/train/0011_000351.wav": "The eggs.",
            "0011/Happy/evaluation/0011_000701.wav": "",
            "0012/Sad/0012_001051.wav": "The fisherman.",
            "0012/Surprise/0012_001401.wav": "",
            "0015/Neutral/0015_000001.wav": "It's café.",
        },
    ),
    "csv": Case(
        make_csv,
        """clips/a.wav happy 03 - female dev
        clips/b.wav NA 04 - male train
        clips/c.wav NA - - - test
        clips/d.wav happy 3 - female test""",
    ),
}
FOLDERS = [name for name in corpus_names() if name != "csv"]


def rows_of(table: pd.DataFrame, folder: Path) -> set[tuple[str, ...]]:
    """Rows of a manifest's table as `Case.rows` has them."""
    files = [Path(file).relative_to(folder).as_posix() for file in table["file"]]
    columns = [table[name] for name in ("emotion", "speaker", "session", "gender", "split")]
    return {tuple(value or "-" for value in row) for row in zip(files, *columns, strict=True)}


def expected_rows(case: Case) -> set[tuple[str, ...]]:
    return {tuple(line.split()) for line in case.rows.splitlines()}


def message(name: str, root: Path, out: Path, **options: str) -> str:
    with pytest.raises(ManifestError) as error:
        prepare(name, root, out, **options)
    assert not out.exists()
    return str(error.value)


def test_every_corpus_has_a_case():
    assert set(CASES) == set(corpus_names())


@pytest.mark.parametrize("name", CASES)
def test_contract(name, tmp_path):
    """What holds for every reader: exact rows, a valid manifest, a complete card, hidden files, overwriting."""
    case, reader, card = CASES[name], load_corpus(name), load_corpus(name).CARD
    top = tmp_path / "corpus"
    root = case.make(top)
    folder = top / case.folder
    out = top / "manifest.csv"
    manifest = prepare(name, root, out)
    assert rows_of(manifest.table, folder) == expected_rows(case)
    texts = dict(zip(manifest.table["file"], manifest.table["text"], strict=True))
    assert {file: texts[str(folder / file)] for file in case.texts} == case.texts

    # The file itself: valid, complete and relative, so that it moves with the recordings.
    written = pd.read_csv(out, dtype=str, keep_default_na=False)
    assert set(written.columns) <= set(COLUMNS)
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
    card = load_corpus(name).CARD
    root = CASES[name].make(tmp_path)
    tables = [load_corpus(name).read(root)]
    for option, values in card.options.items():
        tables += [load_corpus(name).read(root, **{option: value}) for value in values if value not in ("test3",)]
    if name != "csv":
        assert {emotion for table in tables for emotion in table["emotion"]} == set(card.emotions)


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_root_is_refused_with_the_remedy(name, tmp_path):
    card = load_corpus(name).CARD
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
def test_strange_names_and_doubles_are_told_together(name, tmp_path):
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
    assert len(load_corpus("emodb").read(tmp_path / "corpus")) == 12


def test_the_iemocap_experiment_of_the_paper(tmp_path):
    root = make_iemocap(tmp_path)
    emotions = load_corpus("iemocap").CARD.default_emotions
    four = prepare("iemocap", root, tmp_path / "four.csv", emotions=emotions)
    assert four.classes == ("anger", "happiness", "neutral", "sadness")
    assert len(four) == 4
    merged = prepare("iemocap", root, tmp_path / "merged.csv", emotions=emotions, merge={"excitement": "happiness"})
    assert len(merged) == 5
    # What was picked is what the file holds, under the merged names.
    assert set(read_manifest(tmp_path / "merged.csv").table["emotion"]) == set(emotions)
    reader = load_corpus("iemocap")
    kinds = {part: reader.read(root / "IEMOCAP_full_release", part=part) for part in ("scripted", "all")}
    assert kinds["scripted"]["emotion"].tolist() == ["frustration", "other", "surprise"]
    assert kinds["scripted"]["speaker"].tolist() == ["Ses01M", "Ses02F", "Ses02M"]
    assert len(kinds["all"]) == 10


def test_partners_of_a_session_validate_each_other(tmp_path):
    root = make_iemocap(tmp_path)
    emotions = load_corpus("iemocap").CARD.emotions
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
    assert "Ses01F_impro01.txt:22" in text
    assert "Ses01F_impro01.txt:23" in text
    labels = improv / "Evalution.txt"
    labels.write_text(labels.read_text() + "UTD-IMPROV-S01A-F01-P-FM02.avi; Q; A:1;\nUTD-IMPROV-S01A-F09\n")
    next(improv.rglob("*FF01.wav")).unlink()
    text = message("msp_improv", improv, tmp_path / "manifest.csv")
    assert "Evalution.txt:18, Evalution.txt:19" in text
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
    assert set(load_corpus("msp_podcast").read(root)["split"]) == {"train", "validation", "test"}


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
    mandarin = load_corpus("esd").read(root, language="mandarin")
    assert mandarin[["speaker", "gender", "text"]].to_numpy().tolist() == [["0001", "female", "打远一看。"]]
    assert len(load_corpus("esd").read(root, language="all")) == 7


def test_other_layouts(tmp_path):
    record_all(tmp_path / "savee", "ALL/DC_a01.wav ALL/JE_sa15.wav ALL/KL_su03.wav")
    savee = load_corpus("savee").read(tmp_path / "savee")
    assert savee[["emotion", "speaker"]].to_numpy().tolist() == [["anger", "DC"], ["sadness", "JE"], ["surprise", "KL"]]
    make_crema_d(tmp_path / "crema_d")
    assert set(load_corpus("crema_d").read(tmp_path / "crema_d" / "AudioWAV")["gender"]) == {"male", "female", ""}
    (tmp_path / "crema_d" / "VideoDemographics.csv").unlink()
    assert set(load_corpus("crema_d").read(tmp_path / "crema_d")["gender"]) == {""}
    record_all(tmp_path / "flat", "03-01-05-02-02-02-24.WAV 03-01-05-02-02-02-23.flac")
    assert load_corpus("ravdess").read(tmp_path / "flat")["gender"].tolist() == ["male", "female"]


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
        load_corpus("emo-db")


def test_protocols_of_the_cards_exist():
    known = [name.split(":")[0] for name in PROTOCOLS]
    for name in FOLDERS:
        protocol = load_corpus(name).CARD.protocol
        assert protocol.split(":")[0] in known or (name == "tess" and load_corpus(name).CARD.speakers == 2)


def test_documentation_names_every_corpus_and_option():
    text = (Path(__file__).resolve().parents[2] / "docs" / "corpora.md").read_text()
    for name in corpus_names():
        card = load_corpus(name).CARD
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
