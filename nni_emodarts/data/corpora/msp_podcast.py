"""MSP-Podcast: turns from podcasts with listeners' labels and official partitions, release by release."""

from pathlib import Path

import pandas as pd

from nni_emodarts.data.corpora.card import CorpusCard
from nni_emodarts.data.corpora.files import (
    Fault,
    NamedRecordings,
    Utterance,
    as_table,
    find_file,
    raise_faults,
    read_table,
    require_columns,
    wrong_root,
)
from nni_emodarts.errors import ManifestError

CARD = CorpusCard(
    name="msp_podcast",
    title="MSP-Podcast",
    citation="R. Lotfian, C. Busso, Building Naturalistic Emotionally Balanced Speech Corpus by Retrieving Emotional "
    "Speech From Existing Podcast Recordings, IEEE Transactions on Affective Computing 10(4), 2019, 471-483",
    licence="for research, after a signed agreement",
    url="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html",
    language="English",
    emotions=("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"),
    layout="Labels/labels_consensus.csv, and recordings named like Audios/MSP-PODCAST_0001_0008.wav",
    protocol="official",
    utterances=207136,
    hours=324,
    default_emotions=("anger", "happiness", "neutral", "sadness"),
    options={"test": ("test1", "test2", "test3")},
    notes="Counts are those of release 1.12; name your release beside every figure. The test sets share speakers with "
    "each other, so that one of them tests and the others are left out; the labels of Test3 are not published. Turns "
    "labelled other, or without agreement, are left out. Not every speaker is known.",
)

EMOTIONS = {
    "A": "anger",
    "C": "contempt",
    "D": "disgust",
    "F": "fear",
    "H": "happiness",
    "N": "neutral",
    "S": "sadness",
    "U": "surprise",
}
LEFT_OUT = ("O", "X")
"""Other, and no agreement."""
GENDERS = ("female", "male")
SPLITS = {"train": "train", "development": "validation", "validation": "validation"}
TESTS = CARD.options["test"]
COLUMNS = ("FileName", "EmoClass", "SpkrID", "Gender", "Split_Set")


def read(root: Path, test: str = "test1") -> pd.DataFrame:
    """Read the corpus.

    Args:
        root: folder that holds Labels and Audios.
        test: the test set that tests, `test1`, `test2` or `test3`.

    Returns:
        The turns, `split` as published.
    """
    CARD.check_option("test", test)
    labels = find_file(root, "labels_consensus.csv", "labels_concensus.csv")  # older releases spell it so
    if labels is None:
        raise wrong_root(CARD, root)
    table = read_table(labels)
    require_columns(table, labels, COLUMNS)
    recordings = NamedRecordings(root, lambda path: path.name)
    splits = {**SPLITS, test: "test"}
    rows: list[Utterance] = []
    strange: list[str] = []
    absent: list[str] = []
    for file, emotion, speaker, gender, part in zip(*(table[name] for name in COLUMNS), strict=True):
        if emotion in LEFT_OUT or (part.lower() in TESTS and part.lower() != test):
            continue
        if emotion not in EMOTIONS or part.lower() not in splits:
            strange.append(f"{file} ({emotion}, {part})")
        elif (path := recordings.get(file)) is None:
            absent.append(file)
        else:
            rows.append(_utterance(path, EMOTIONS[emotion], speaker, gender, splits[part.lower()]))
    raise_faults(
        CARD,
        root,
        Fault("turns of an unknown EmoClass or Split_Set", strange, f"restore {labels.name}"),
        Fault("labelled turns without a recording", absent, "unpack all of Audios below the root"),
    )
    if not any(row.split == "test" for row in rows):
        raise ManifestError(f"{labels} has no labels for {test}; choose another by --option test=…: {', '.join(TESTS)}")
    return as_table(rows)


def _utterance(file: Path, emotion: str, speaker: str, gender: str, split: str) -> Utterance:
    speaker = "" if speaker.lower() == "unknown" else speaker
    gender = gender.lower() if gender.lower() in GENDERS else ""
    return Utterance(file, emotion, speaker, gender=gender, split=split)
