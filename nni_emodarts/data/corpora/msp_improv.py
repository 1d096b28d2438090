"""MSP-IMPROV: six pairs of actors in improvised dialogues around target sentences; listeners' labels in one file."""

import re
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
    read_lines,
    wrong_root,
)

CARD = CorpusCard(
    name="msp_improv",
    title="MSP-IMPROV",
    citation="C. Busso, S. Parthasarathy, A. Burmania, M. AbdelWahab, N. Sadoughi, E. Mower Provost, MSP-IMPROV: An "
    "Acted Corpus of Dyadic Interactions to Study Emotion Perception, IEEE Transactions on Affective Computing 8(1), "
    "2017, 67-80",
    licence="for research, after a signed agreement",
    url="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Improv.html",
    language="English",
    emotions=("anger", "happiness", "neutral", "sadness"),
    layout="Evalution.txt (so spelled), and recordings named like session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav",
    protocol="session",
    speakers=12,
    utterances=8438,
    hours=9,
    notes="Labels are those that the listeners gave, not those that the scenario aims at. Turns labelled other, or "
    "without agreement, are left out.",
)

EMOTIONS = {"A": "anger", "H": "happiness", "N": "neutral", "S": "sadness"}
LEFT_OUT = ("O", "X")
"""Other, and no agreement."""
GENDERS = {"F": "female", "M": "male"}
START = re.compile(r"(?:UTD|MSP)-IMPROV-")
"""How the line of a turn begins; the lines of single listeners, which follow it, begin otherwise."""
LINE = re.compile(
    r"(?:UTD|MSP)-IMPROV-(?P<turn>(?P<scenario>S\d\d[AHNS])-(?P<speaker>(?P<gender>[FM])0(?P<session>[1-6]))-"
    r"[A-Z]-[FM]{2}\d+)\.(?:avi|wav)\s*;\s*(?P<emotion>[A-Z])\s*;.*"
)
"""Scenario, speaker and his session, condition, turn; emotion, then the mean attributes."""


def read(root: Path) -> pd.DataFrame:
    """Read the corpus; `session` is the pair of actors, `text` the scenario."""
    labels = find_file(root, "Evalution.txt", "Evaluation.txt")
    if labels is None:
        raise wrong_root(CARD, root)
    # The labels name videos (UTD-IMPROV-….avi), the recordings begin otherwise.
    recordings = NamedRecordings(root, lambda path: START.sub("", path.stem))
    rows: list[Utterance] = []
    strange: list[str] = []
    absent: list[str] = []
    for number, line in enumerate(read_lines(labels), start=1):
        line = line.strip()
        if not START.match(line):
            continue
        turn = LINE.fullmatch(line)
        if turn is None or turn["emotion"] not in (*EMOTIONS, *LEFT_OUT):
            strange.append(f"{labels.name}:{number}")
        elif turn["emotion"] in LEFT_OUT:
            continue
        elif (path := recordings.get(turn["turn"])) is None:
            absent.append(f"MSP-IMPROV-{turn['turn']}.wav")
        else:
            rows.append(_utterance(turn, path))
    scheme = "lines that are not like `UTD-IMPROV-S01A-F01-P-FM01.avi; N; A:2.5; V:3.0; D:3.0;`"
    raise_faults(
        CARD,
        root,
        Fault(scheme, strange, "restore the file"),
        Fault("labelled turns without a recording", absent, "unpack all sessions below the root"),
    )
    return as_table(rows)


def _utterance(turn: re.Match[str], file: Path) -> Utterance:
    return Utterance(
        file,
        EMOTIONS[turn["emotion"]],
        speaker=turn["speaker"],
        session=turn["session"],
        gender=GENDERS[turn["gender"]],
        text=turn["scenario"],
    )
