"""IEMOCAP: five pairs of actors in improvised and scripted dialogues; listeners' majority labels, turn by turn."""

import re
from pathlib import Path

import pandas as pd

from nni_emodarts.data.corpora.card import CorpusCard
from nni_emodarts.data.corpora.files import Fault, Utterance, as_table, raise_faults, read_lines, shown, wrong_root

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
    options={"part": ("improvised", "scripted", "all")},
    notes="Turns on which the listeners did not agree are left out. Much published work merges excitement into "
    "happiness: merge it so, and say it.",
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
PARTS = {"improvised": "impro", "scripted": "script", "all": ""}
"""Option -> how the dialogue's kind begins."""
GENDERS = {"F": "female", "M": "male"}
LINE = re.compile(
    r"\[[\d.]+ - [\d.]+\]\s+(?P<turn>(?P<dialogue>(?P<session>Ses0(?P<number>[1-5]))[FM]_(?P<kind>\w+))_"
    rf"(?P<gender>[FM])\w*)\s+(?P<emotion>{'|'.join((*EMOTIONS, NO_AGREEMENT))})\s.*"
)
"""[start - end], turn, emotion, [valence, activation, dominance]. The letter after `Ses01` says who wore the markers;
the letter of the turn itself says who speaks."""


def read(root: Path, part: str = "improvised") -> pd.DataFrame:
    """Read the corpus.

    Args:
        root: the folder of the sessions, or the one that holds IEMOCAP_full_release.
        part: `improvised`, `scripted` or `all` dialogues.

    Returns:
        The turns; `session` is the pair of actors, `text` the dialogue.
    """
    CARD.check_option("part", part)
    pattern = "Session[1-5]/dialog/EmoEvaluation/*.txt"
    found = sorted(root.glob(pattern)) or sorted(root.glob(f"IEMOCAP_full_release/{pattern}"))
    evaluations = [path for path in found if not path.name.startswith(".")]
    if not evaluations:
        raise wrong_root(CARD, root)
    rows: list[Utterance] = []
    strange: list[str] = []
    for path in evaluations:
        for number, line in enumerate(read_lines(path), start=1):
            if not line.startswith("["):
                continue
            turn = LINE.fullmatch(line)
            if turn is None:
                strange.append(f"{shown(path, root)}:{number}")
            elif turn["kind"].startswith(PARTS[part]) and turn["emotion"] != NO_AGREEMENT:
                rows.append(_utterance(turn, path.parents[2]))
    what = "lines that are not like `[6.2901 - 8.2357] Ses01F_impro01_F000 neu [2.5000, 2.5000, 2.5000]`"
    raise_faults(CARD, root, Fault(what, strange, "restore the files"))
    return as_table(rows)


def _utterance(turn: re.Match[str], session: Path) -> Utterance:
    file = session / "sentences" / "wav" / turn["dialogue"] / f"{turn['turn']}.wav"
    return Utterance(
        file,
        EMOTIONS[turn["emotion"]],
        speaker=turn["session"] + turn["gender"],
        session=turn["number"],
        gender=GENDERS[turn["gender"]],
        text=turn["dialogue"],
    )
