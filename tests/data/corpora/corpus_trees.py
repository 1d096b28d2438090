"""A tiny tree of each corpus in its real on-disk format, and what its reader must make of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nni_emodarts.data.corpora import prepare
from nni_emodarts.errors import ManifestError

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


IEMOCAP_ANSWERS = {
    "neu": "C-E2:\tNeutral;\t()|C-E3:\tNeutral; Sadness;\t()|C-E4:\tFrustration;\t(tired)|C-F1:\tAnger;\t()",
    "ang": "C-E1:\tAnger;\t()|C-E3:\tAnger; Frustration;\t(threatening, belligerent)|C-E4:\tAnger;\t()",
    "xxx": "C-E2:\tHappiness;\t()|C-E3:\tExcited;\t()|C-E4:\tNeutral;\t()|C-M1:\tSurprise; Fear;\t()",
}
"""Emotion -> lines of the raters below a turn."""


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
                f"[6.2901 - 8.2357]\t{dialogue}_{turn}\t{emotion}\t[1.5000, 4.0000, 4.6667]",
                *IEMOCAP_ANSWERS.get(emotion, "C-E1:\tDisgust;\t()").split("|"),
                "A-E3:\tval 2; act 4; dom  4;\t()",
                "A-F1:\tval 1; act 5; dom  5;\t()",
                "",
            ]
            record(session / "sentences" / "wav" / dialogue / f"{dialogue}_{turn}.wav")
        write(session / "dialog" / "EmoEvaluation" / f"{dialogue}.txt", "\n".join(lines))
        write(session / "dialog" / "EmoEvaluation" / "Categorical" / f"{dialogue}_e1_cat.txt", "F000 :Neutral; ()\n")
    return root


def make_msp_improv(root: Path) -> Path:
    """Below each turn its listeners, one of whom stands there twice, and one who wrote something of his own."""
    labels = {
        "S01A-F01-P-FM01": "N; A:2.500000; V:3.000000; D:3.000000 ; N:4.000000;",
        "S01A-M01-S-MF02": "A; A:4.0; V:1.5; D:NaN ; N:3.5;",
        "S13H-F02-R-FF01": "H; A:4.0; V:4.5; D:4.0 ; N:3.5;",
        "S20S-M06-T-MM11": "S; A:2.0; V:1.5; D:2.0 ; N:3.5;",
        "S20S-M06-T-MM12": "X; A:2.0; V:1.5; D:2.0 ; N:3.5;",
        "S20N-F06-P-FM12": "O; A:2.0; V:1.5; D:2.0 ; N:3.5;",
    }
    words = {"N": "Neutral", "A": "Angry", "H": "Happy", "S": "Sad", "O": "Other", "X": "Neutral"}
    blocks = []
    for turn, values in labels.items():
        tail = "A:2.000000; V:3.000000; D:3.000000; N:4.000000;"
        blocks += [
            f"UTD-IMPROV-{turn}.avi; {values}",
            f"WORKER00000001_20; {words[values[0]]}; Sad,Frustrated; {tail}",
            f"WORKER00000001_20; {words[values[0]]}; Sad,Frustrated; {tail}",
            f"R-Smith_2; {words[values[0]]}; Neutral; A:2.000000; V:3.000000; D:NaN; N:NaN;",
            f"WORKER00000007_3; Happy; {words[values[0]]},Other (proud; calm); {tail}",
            "",
        ]
    write(root / "Evalution.txt", "\n".join(blocks))
    for turn in labels:
        scenario, speaker, condition, _ = turn.split("-")
        record(root / f"session{int(speaker[1:])}" / scenario / condition / f"MSP-IMPROV-{turn}.wav")
    return root


MSP_PODCAST_ANSWERS = [
    ("WORKER00000325", "Neutral", "Concerned,Neutral"),
    ("WORKER00000019", "Neutral", "Neutral,Happy"),
    ("WORKER00000201", "Angry", "Angry,Sad,Annoyed"),
    ("WORKER00000007", "Other-Curious", ""),
]
"""Of each turn: annotator, primary class, secondary ones."""


def detailed_labels(files: list[str], release: str) -> str:
    """The text of labels_detailed.csv as a release has it."""
    heads = {
        "1.6": "FileName,Workers,EmoClass_Major,EmoClass_Second,EmoAct,EmoVal,EmoDom",
        "1.11": "FileName,EmoDetail",
        "2.0": "FileName,WorkerID,EmoClass_Major,EmoClass_Second,EmoAct,EmoVal,EmoDom,Gender",
    }
    lines = [heads[release]]
    for file in files:
        for worker, major, seconds in MSP_PODCAST_ANSWERS:
            if release == "1.11":
                lines.append(f'{file},"{worker}; {major}; {seconds}; A:4.000000; V:3.000000; D:5.000000;"')
            else:
                tail = ",Male" if release == "2.0" else ""
                lines.append(f'{file},{worker},{major},"{seconds}",4,3,5{tail}')
    return "\n".join(lines) + "\n"


def make_msp_podcast(root: Path, release: str = "1.11") -> Path:
    rows = [
        ("MSP-PODCAST_0001_0008.wav", "N", "127", "Male", "Train"),
        ("MSP-PODCAST_0001_0019.wav", "A", "Unknown", "Unknown", "Train"),
        ("MSP-PODCAST_0002_0033.wav", "S", "8", "Female", "Development"),
        ("MSP-PODCAST_0003_0001.wav", "C", "22", "Female", "Test1"),
        ("MSP-PODCAST_0003_0002.wav", "X", "22", "Female", "Test1"),
        ("MSP-PODCAST_0003_0003.wav", "O", "23", "Female", "Train"),
        ("MSP-PODCAST_0004_0001.wav", "U", "22", "Female", "Test2"),
        ("MSP-PODCAST_0005_0001.wav", "D", "31", "Male", "Train"),
        ("MSP-PODCAST_0005_0002.wav", "F", "31", "Male", "Train"),
        ("MSP-PODCAST_0005_0003.wav", "H", "31", "Male", "Train"),
    ]
    lines = ["FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"]
    lines += [
        f"{file},{emotion},4.2,3.142857,4.4,{speaker},{gender},{part}" for file, emotion, speaker, gender, part in rows
    ]
    write(root / "Labels" / "labels_consensus.csv", "\n".join(lines) + "\n")
    write(root / "Labels" / "labels_detailed.csv", detailed_labels([file for file, *_ in rows], release))
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
    text = "Wav-Path;Label;Speaker_ID;Sex;Subset;Start time;End time;room;EmoAct;vote_happy;vote_NA\n"
    text += "clips/a.wav;happy;03;F;dev;;1.5;1;2.5;2;1\n;;;;;;;;;;\nclips/b.wav;NA;04;M;train;0.1;;2;;0;3\n"
    text += "clips/c.wav;NA;unknown;;test;;;2;-1;1;2\nclips/d.wav;happy;3;f;test;;;2;0;1.5;0\n"
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
    votes: dict[str, dict[str, float]] = field(default_factory=dict)
    """File -> votes; of a corpus that has none, nothing."""
    dimensions: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    """File -> arousal, valence, dominance, NaN where missing."""


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
        votes={
            "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav": {
                "frustration": 1,
                "neutral": 2,
                "sadness": 1,
            },
            "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M003.wav": {"anger": 3, "frustration": 1},
        },
        dimensions={"Session2/sentences/wav/Ses02F_impro08/Ses02F_impro08_M001.wav": (4.0, 1.5, 4.6667)},
    ),
    "msp_improv": Case(
        make_msp_improv,
        """session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav neutral F01 1 female -
        session1/S01A/S/MSP-IMPROV-S01A-M01-S-MF02.wav anger M01 1 male -
        session2/S13H/R/MSP-IMPROV-S13H-F02-R-FF01.wav happiness F02 2 female -
        session6/S20S/T/MSP-IMPROV-S20S-M06-T-MM11.wav sadness M06 6 male -""",
        texts={"session2/S13H/R/MSP-IMPROV-S13H-F02-R-FF01.wav": "S13H"},
        votes={
            "session1/S01A/S/MSP-IMPROV-S01A-M01-S-MF02.wav": {"anger": 2, "happiness": 1},
            "session2/S13H/R/MSP-IMPROV-S13H-F02-R-FF01.wav": {"happiness": 3},
        },
        dimensions={
            "session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav": (2.5, 3.0, 3.0),
            "session1/S01A/S/MSP-IMPROV-S01A-M01-S-MF02.wav": (4.0, 1.5, np.nan),
        },
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
        votes={"MSP-PODCAST_0001_0008.wav": {"anger": 1, "neutral": 2, "other": 1}},
        dimensions={"MSP-PODCAST_0005_0001.wav": (4.2, 3.142857, 4.4)},
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
        votes={"clips/a.wav": {"happy": 2, "NA": 1}, "clips/d.wav": {"happy": 1.5}},
        dimensions={"clips/a.wav": (2.5, np.nan, np.nan), "clips/b.wav": (np.nan, np.nan, np.nan)},
    ),
}


def message(name: str, root: Path, out: Path, **options: str) -> str:
    with pytest.raises(ManifestError) as error:
        prepare(name, root, out, **options)
    assert not out.exists()
    return str(error.value)
