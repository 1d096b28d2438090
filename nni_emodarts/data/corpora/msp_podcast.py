"""MSP-Podcast: turns from podcasts with listeners' labels and official partitions, release by release."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

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
    with_notes,
    wrong_root,
)
from nni_emodarts.data.corpora.msp_detailed import count_answers
from nni_emodarts.data.corpora.polls import OTHER, TURNS, Poll, secondary_weight
from nni_emodarts.errors import ManifestError

CARD = CorpusCard(
    name="msp_podcast",
    title="MSP-Podcast",
    citation="R. Lotfian, C. Busso, Building Naturalistic Emotionally Balanced Speech Corpus by Retrieving Emotional "
    "Speech From Existing Podcast Recordings, IEEE Transactions on Affective Computing 10(4), 2019, 471-483",
    licence="for research, after a signed agreement",
    url="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html",
    language="English",
    emotions=("anger", "contempt", "disgust", "fear", "happiness", "neutral", "other", "sadness", "surprise"),
    layout="Labels/labels_consensus.csv, Labels/labels_detailed.csv for the votes, and recordings named like "
    "Audios/MSP-PODCAST_0001_0008.wav",
    protocol="official",
    utterances=207136,
    hours=324,
    default_emotions=("anger", "happiness", "neutral", "sadness"),
    scale=(1.0, 7.0),
    options={"test": ("test1", "test2", "test3"), "turns": TURNS, "secondary": ()},
    notes="Counts are those of release 1.12; name your release beside every figure. The test sets share speakers with "
    "each other, so that one of them tests and the others are left out; the labels of Test3 are not published. Turns "
    "labelled other, or without agreement, are left out unless turns=all. Not every speaker is known. A secondary "
    "label counts as secondary says, 0 where absent.",
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
LEFT_OUT = {"O": OTHER, "X": ""}
"""Other, and no agreement, which has no emotion."""
WORDS = {
    "angry": "anger",
    "contempt": "contempt",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "surprise": "surprise",
}
"""What annotators call a class -> the class."""
GENDERS = ("female", "male")
SPLITS = {"train": "train", "development": "validation", "validation": "validation"}
TESTS = CARD.options["test"]
COLUMNS = ("FileName", "EmoClass", "SpkrID", "Gender", "Split_Set")
DIMENSIONS = ("EmoAct", "EmoVal", "EmoDom")


def read(root: Path, test: str = "test1", turns: str = "agreed", secondary: str = "0") -> pd.DataFrame:
    """Read the corpus.

    Args:
        root: folder that holds Labels and Audios.
        test: the test set that tests, `test1`, `test2` or `test3`.
        turns: `agreed`, or `all`, other ones and, without an emotion, those on which annotators did not agree.
        secondary: weight of a secondary label, 0 to 1.

    Returns:
        The turns, `split` as published.
    """
    for option, value in (("test", test), ("turns", turns)):
        CARD.check_option(option, value)
    poll = Poll(WORDS, secondary_weight(CARD, secondary))
    labels = find_file(root, "labels_consensus.csv", "labels_concensus.csv")  # older releases spell it so
    if labels is None:
        raise wrong_root(CARD, root)
    table = read_table(labels)
    require_columns(table, labels, [*COLUMNS, *DIMENSIONS])
    notes = [*_partitions(table), *_count(root, poll, turns == "all")]
    recordings = NamedRecordings(root, lambda path: path.name)
    splits = {**SPLITS, test: "test"}
    rows: list[Utterance] = []
    strange: list[str] = []
    absent: list[str] = []
    for turn in map(Turn._make, table[[*COLUMNS, *DIMENSIONS]].itertuples(index=False)):
        part = turn.split.lower()
        if (part in TESTS and part != test) or _is_left_out(turn, turns, poll):
            continue
        if turn.emotion not in (*EMOTIONS, *LEFT_OUT) or part not in splits:
            strange.append(f"{turn.file} ({turn.emotion}, {turn.split})")
        elif (path := recordings.get(turn.file)) is None:
            absent.append(turn.file)
        else:
            rows.append(_utterance(turn, path, splits[part], poll.votes(turn.file)))
    raise_faults(
        CARD,
        root,
        Fault("turns of an unknown EmoClass or Split_Set", strange, f"restore {labels.name}"),
        Fault("labelled turns without a recording", absent, "unpack all of Audios below the root"),
    )
    if not any(row.split == "test" for row in rows):
        raise ManifestError(f"{labels} has no labels for {test}; choose another by --option test=…: {', '.join(TESTS)}")
    heard = poll.notes([row.file.name for row in rows]) if any(row.votes for row in rows) else ()
    return with_notes(as_table(rows), [*notes, *heard])


class Turn(NamedTuple):
    """A line of the consensus."""

    file: str
    emotion: str
    speaker: str
    gender: str
    split: str
    arousal: str
    valence: str
    dominance: str


def _is_left_out(turn: Turn, turns: str, poll: Poll) -> bool:
    """Whether a turn is another one than is wanted, or has neither emotion nor votes."""
    if turn.emotion not in LEFT_OUT:
        return False
    return turns == "agreed" or not (LEFT_OUT[turn.emotion] or poll.votes(turn.file))


def _partitions(table: pd.DataFrame) -> Iterator[str]:
    """Which partitions a release has."""
    counts = table["Split_Set"].value_counts().sort_index()
    yield "Split_Set: " + ", ".join(f"{name} {count}" for name, count in counts.items())


def _count(root: Path, poll: Poll, wanted: bool) -> list[str]:
    """Count the answers of `labels_detailed.csv`, where it is there.

    Raises:
        ManifestError: it is wanted and absent, or of a release that is not known.
    """
    detailed = find_file(root, "labels_detailed.csv")
    if detailed is not None:
        return count_answers(detailed, poll)
    others = find_file(root, "labels_detailed.json")
    there = f", but {others.name}, which is not read" if others is not None else ""
    if wanted:
        raise ManifestError(f"{root} holds no labels_detailed.csv{there}; without votes choose --option turns=agreed")
    return [f"votes: no labels_detailed.csv{there}; the manifest goes without votes"]


def _utterance(turn: Turn, file: Path, split: str, votes: str) -> Utterance:
    return Utterance(
        file,
        EMOTIONS.get(turn.emotion) or LEFT_OUT[turn.emotion],
        speaker="" if turn.speaker.lower() == "unknown" else turn.speaker,
        gender=turn.gender.lower() if turn.gender.lower() in GENDERS else "",
        split=split,
        arousal=turn.arousal,
        valence=turn.valence,
        dominance=turn.dominance,
        votes=votes,
    )
