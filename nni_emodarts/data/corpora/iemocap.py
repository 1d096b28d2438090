"""IEMOCAP: five pairs of actors in improvised and scripted dialogues; listeners' majority labels, turn by turn."""

import re
from pathlib import Path

import pandas as pd

from nni_emodarts.data.corpora.card import CorpusCard
from nni_emodarts.data.corpora.files import (
    Fault,
    Utterance,
    as_table,
    raise_faults,
    read_lines,
    shown,
    with_notes,
    wrong_root,
)
from nni_emodarts.data.corpora.polls import TURNS, Answer, Poll, split_words

CARD = CorpusCard(
    name="iemocap",
    title="IEMOCAP (Interactive Emotional Dyadic Motion Capture)",
    citation="C. Busso, M. Bulut, C.-C. Lee, A. Kazemzadeh, E. Mower, S. Kim, J. N. Chang, S. Lee, S. S. Narayanan, "
    "IEMOCAP: Interactive emotional dyadic motion capture database, Language Resources and Evaluation 42(4), 2008, "
    "335-359",
    licence="for research, after a signed release form",
    url="https://sail.usc.edu/iemocap/",
    language="English",
    emotions=(
        "anger",
        "disgust",
        "excitement",
        "fear",
        "frustration",
        "happiness",
        "neutral",
        "other",
        "sadness",
        "surprise",
    ),
    layout="Session1/dialog/EmoEvaluation/Ses01F_impro01.txt and the other sessions', or "
    "IEMOCAP_full_release around them",
    protocol="session",
    speakers=10,
    utterances=10039,
    hours=12,
    default_emotions=("anger", "happiness", "neutral", "sadness"),
    scale=(1.0, 5.0),
    options={"part": ("improvised", "scripted", "all"), "turns": TURNS, "raters": ("listeners", "all")},
    notes="Turns on which the listeners did not agree are left out unless turns=all. Each category that a listener "
    "names is a vote; the actors' answers of themselves are votes where raters=all. Much published work merges "
    "excitement into happiness: merge it so, and say it.",
)

EMOTIONS = {
    "ang": "anger",
    "dis": "disgust",
    "exc": "excitement",
    "fea": "fear",
    "fru": "frustration",
    "hap": "happiness",
    "neu": "neutral",
    "oth": "other",
    "sad": "sadness",
    "sur": "surprise",
}
NO_AGREEMENT = "xxx"
WORDS = {
    "anger": "anger",
    "disgust": "disgust",
    "excited": "excitement",
    "fear": "fear",
    "frustration": "frustration",
    "happiness": "happiness",
    "neutral": "neutral",
    "neutral state": "neutral",
    "other": "other",
    "sadness": "sadness",
    "surprise": "surprise",
}
"""What listeners call a category -> the class."""
PARTS = {"improvised": "impro", "scripted": "script", "all": ""}
"""Option -> how the dialogue's kind begins."""
GENDERS = {"F": "female", "M": "male"}
LINE = re.compile(
    r"\[[\d.]+ - [\d.]+\]\s+(?P<turn>(?P<dialogue>(?P<session>Ses0(?P<number>[1-5]))[FM]_(?P<kind>\w+))_"
    rf"(?P<gender>[FM])\w*)\s+(?P<emotion>{'|'.join((*EMOTIONS, NO_AGREEMENT))})\s+"
    r"\[(?P<valence>[\d.]+),\s*(?P<arousal>[\d.]+),\s*(?P<dominance>[\d.]+)\]\s*"
)
"""[start - end], turn, emotion, [valence, activation, dominance]. The letter after `Ses01` says who wore the markers;
the letter of the turn itself says who speaks."""
CATEGORIES = re.compile(r"C-(?P<rater>(?P<kind>[EFM])\w*):\s*(?P<words>[^(]*)(\(.*)?")
"""A rater, E being a listener and F or M an actor about the own turn; the categories; and a remark in brackets."""


def read(root: Path, part: str = "improvised", turns: str = "agreed", raters: str = "listeners") -> pd.DataFrame:
    """Read the corpus.

    Args:
        root: the folder of the sessions, or the one that holds IEMOCAP_full_release.
        part: `improvised`, `scripted` or `all` dialogues.
        turns: `agreed`, or `all`, those on which listeners did not agree without an emotion.
        raters: whose categories are votes: the `listeners`', or `all`, the actors' of themselves too.

    Returns:
        The turns; `session` is the pair of actors, `text` the dialogue.
    """
    for option, value in (("part", part), ("turns", turns), ("raters", raters)):
        CARD.check_option(option, value)
    pattern = "Session[1-5]/dialog/EmoEvaluation/*.txt"
    files = sorted(root.glob(pattern)) or sorted(root.glob(f"IEMOCAP_full_release/{pattern}"))
    evaluations = [path for path in files if not path.name.startswith(".")]
    if not evaluations:
        raise wrong_root(CARD, root)
    poll, kinds = Poll(WORDS), "E" if raters == "listeners" else "EFM"
    rows: list[tuple[re.Match[str], Path]] = []
    strange: list[str] = []
    for path in evaluations:
        found = _read_dialogue(path, PARTS[part], poll, kinds)
        strange += (f"{shown(path, root)}:{number}" for number, turn in found if turn is None)
        rows += ((turn, path.parents[2]) for _, turn in found if turn is not None)
    what = "lines that are not like `[6.2901 - 8.2357] Ses01F_impro01_F000 neu [2.5000, 2.5000, 2.5000]`"
    raise_faults(CARD, root, Fault(what, strange, "restore the files"))
    open_ = turns == "all"
    kept = [each for each in rows if each[0]["emotion"] != NO_AGREEMENT or (open_ and poll.votes(each[0]["turn"]))]
    table = as_table([_utterance(turn, path, poll.votes(turn["turn"])) for turn, path in kept])
    return with_notes(table, poll.notes([turn["turn"] for turn, _ in (rows if open_ else kept)]))


def _read_dialogue(path: Path, kind: str, poll: Poll, raters: str) -> list[tuple[int, re.Match[str] | None]]:
    """Number and match of the line of each turn in dialogues of a kind; the answers below it are counted."""
    found: list[tuple[int, re.Match[str] | None]] = []
    turn = None
    for number, line in enumerate(read_lines(path), start=1):
        if line.startswith("["):
            turn = LINE.fullmatch(line)
            if turn is None or turn["kind"].startswith(kind):
                found.append((number, turn))
        elif turn is not None and turn["kind"].startswith(kind) and (answer := _answer(line, raters)) is not None:
            poll.add(turn["turn"], answer)
    return found


def _answer(line: str, kinds: str) -> Answer | None:
    """A rater's categories, each of which counts alike."""
    found = CATEGORIES.fullmatch(line)
    if found is None or found["kind"] not in kinds:
        return None
    words = split_words(found["words"])
    return Answer(found["rater"], words) if words else None


def _utterance(turn: re.Match[str], session: Path, votes: str) -> Utterance:
    file = session / "sentences" / "wav" / turn["dialogue"] / f"{turn['turn']}.wav"
    return Utterance(
        file,
        EMOTIONS.get(turn["emotion"], ""),
        speaker=turn["session"] + turn["gender"],
        session=turn["number"],
        gender=GENDERS[turn["gender"]],
        text=turn["dialogue"],
        arousal=turn["arousal"],
        valence=turn["valence"],
        dominance=turn["dominance"],
        votes=votes,
    )
