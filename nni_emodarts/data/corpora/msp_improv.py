"""MSP-IMPROV: six pairs of actors in improvised dialogues around target sentences; listeners' labels in one file."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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
    with_notes,
    wrong_root,
)
from nni_emodarts.data.corpora.polls import OTHER, TURNS, Poll, parse_answer, secondary_weight
from nni_emodarts.data.table import enumerate_some

SCALE = (1.0, 5.0)
CARD = CorpusCard(
    name="msp_improv",
    title="MSP-IMPROV",
    citation="C. Busso, S. Parthasarathy, A. Burmania, M. AbdelWahab, N. Sadoughi, E. Mower Provost, MSP-IMPROV: An "
    "Acted Corpus of Dyadic Interactions to Study Emotion Perception, IEEE Transactions on Affective Computing 8(1), "
    "2017, 67-80",
    licence="for research, after a signed agreement",
    url="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Improv.html",
    language="English",
    emotions=("anger", "happiness", "neutral", "other", "sadness"),
    layout="Evalution.txt (so spelled), and recordings named like session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav",
    protocol="session",
    speakers=12,
    utterances=8438,
    hours=9,
    scale=SCALE,
    options={"turns": TURNS, "activation": ("published", "turned"), "secondary": ()},
    notes="Labels are those that the listeners gave, not those that the scenario aims at. Turns labelled other, or "
    "without agreement, are left out unless turns=all. A secondary label counts as secondary says, 0 where absent.",
)

EMOTIONS = {"A": "anger", "H": "happiness", "N": "neutral", "S": "sadness"}
LEFT_OUT = {"O": OTHER, "X": ""}
"""Other, and no agreement, which has no emotion."""
WORDS = {"angry": "anger", "happy": "happiness", "neutral": "neutral", "sad": "sadness"}
"""What listeners call a class -> the class."""
GENDERS = {"F": "female", "M": "male"}
START = re.compile(r"(?:UTD|MSP)-IMPROV-")
"""How the line of a turn begins; the lines of single listeners, which follow it, begin otherwise."""
LINE = re.compile(
    r"(?:UTD|MSP)-IMPROV-(?P<turn>(?P<scenario>S\d\d[AHNS])-(?P<speaker>(?P<gender>[FM])0(?P<session>[1-6]))-"
    r"[A-Z]-[FM]{2}\d+)\.(?:avi|wav)\s*;\s*(?P<emotion>[A-Z])\s*;(?P<attributes>.*)"
)
"""Scenario, speaker and his session, condition, turn; emotion, then the mean attributes."""
ATTRIBUTE = re.compile(r"\b(?P<name>[AVD]):\s*(?P<value>[\d.]+)")
"""Activation, valence or dominance; `NaN` is none."""


def read(root: Path, turns: str = "agreed", activation: str = "published", secondary: str = "0") -> pd.DataFrame:
    """Read the corpus; `session` is the pair of actors, `text` the scenario.

    Args:
        root: folder that holds the labels and the sessions.
        turns: `agreed`, or `all`, other ones and, without an emotion, those on which listeners did not agree.
        activation: as `published`, or `turned`: 6 less the value.
        secondary: weight of a secondary label, 0 to 1.
    """
    for option, value in (("turns", turns), ("activation", activation)):
        CARD.check_option(option, value)
    poll = Poll(WORDS, secondary_weight(CARD, secondary))
    labels = find_file(root, "Evalution.txt", "Evaluation.txt")
    if labels is None:
        raise wrong_root(CARD, root)
    lines = _read_labels(labels, poll)
    # The labels name videos (UTD-IMPROV-….avi), the recordings begin otherwise.
    recordings = NamedRecordings(root, lambda path: START.sub("", path.stem))
    rows: list[Utterance] = []
    absent: list[str] = []
    for turn in lines.turns:
        known = turn["emotion"] in EMOTIONS
        if not known and (turns == "agreed" or not (LEFT_OUT[turn["emotion"]] or poll.votes(turn["turn"]))):
            continue
        if (path := recordings.get(turn["turn"])) is None:
            absent.append(f"MSP-IMPROV-{turn['turn']}.wav")
        else:
            rows.append(_utterance(turn, path, poll, activation == "turned"))
    scheme = "lines that are not like `UTD-IMPROV-S01A-F01-P-FM01.avi; N; A:2.5; V:3.0; D:3.0;`"
    raise_faults(
        CARD,
        root,
        Fault(scheme, lines.strange, "restore the file"),
        Fault("labelled turns without a recording", absent, "unpack all sessions below the root"),
    )
    heard = [START.sub("", row.file.stem) for row in rows]
    return with_notes(as_table(rows), [*lines.notes(labels), *poll.notes(heard), *_direction(rows)])


@dataclass
class _Labels:
    """What the label file holds besides answers."""

    turns: list[re.Match[str]] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def notes(self, path: Path) -> list[str]:
        """Lines that are no answer."""
        if not self.ignored:
            return []
        count, some = len(self.ignored), enumerate_some(self.ignored)
        return [f"{path.name}: lines below a turn that hold no answer do not count, {count} in all: {some}"]


def _read_labels(path: Path, poll: Poll) -> _Labels:
    """The lines of turns; the answers below each are counted."""
    found, turn = _Labels(), None
    for number, line in enumerate(read_lines(path), start=1):
        line = line.strip()
        if START.match(line):
            turn = LINE.fullmatch(line)
            if turn is None or turn["emotion"] not in (*EMOTIONS, *LEFT_OUT):
                found.strange.append(f"{path.name}:{number}")
            else:
                found.turns.append(turn)
        elif line and turn is not None:
            answer = parse_answer(line)
            if answer is None:
                found.ignored.append(str(number))
            else:
                poll.add(turn["turn"], answer)
    return found


def _direction(rows: Sequence[Utterance]) -> Iterator[str]:
    """A note where angry turns are calmer than sad ones: the scale then seems to run from excited to calm."""
    means = []
    for emotion in ("anger", "sadness"):
        values = [float(row.arousal) for row in rows if row.emotion == emotion and row.arousal]
        means.append(sum(values) / len(values) if values else math.nan)
    if means[0] < means[1]:
        yield (
            f"arousal: turns of anger have {means[0]:.2f} on average, of sadness {means[1]:.2f}: activation seems to "
            f"run from excited to calm; turn it by --option activation=turned, or back by activation=published"
        )


def _utterance(turn: re.Match[str], file: Path, poll: Poll, turned: bool) -> Utterance:
    attributes = {each["name"]: each["value"] for each in ATTRIBUTE.finditer(turn["attributes"])}
    if turned and "A" in attributes:
        attributes["A"] = f"{sum(SCALE) - float(attributes['A']):g}"
    return Utterance(
        file,
        EMOTIONS.get(turn["emotion"]) or LEFT_OUT[turn["emotion"]],
        speaker=turn["speaker"],
        session=turn["session"],
        gender=GENDERS[turn["gender"]],
        text=turn["scenario"],
        arousal=attributes.get("A", ""),
        valence=attributes.get("V", ""),
        dominance=attributes.get("D", ""),
        votes=poll.votes(turn["turn"]),
    )
