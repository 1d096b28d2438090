"""Annotators' answers, turn by turn, as the corpora of one laboratory and IEMOCAP have them: counted as votes."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from nni_emodarts.data.corpora.card import CorpusCard
from nni_emodarts.data.table import enumerate_some
from nni_emodarts.errors import ConfigError

OTHER = "other"
"""The class of answers that are none of a corpus's classes, such as `Other-Curious`."""
TURNS = ("agreed", "all")
"""Values of the option `turns`: those with a class of the corpus, or those without a majority and other ones, too."""


class Answer(NamedTuple):
    """What an annotator says of a turn: the primary classes, one but in IEMOCAP, and the secondary ones."""

    annotator: str
    majors: Sequence[str]
    seconds: Sequence[str] = ()


def parse_answer(text: str) -> Answer | None:
    """An answer written in one line; None where it is none.

    Args:
        text: like `WORKER00000325; Neutral; Concerned,Neutral; A:4.0; V:4.0; D:4.0;`: annotator, primary class,
            secondary classes, and attributes, which are not read.
    """
    annotator, *rest = (part.strip() for part in text.split(";"))
    place = next((place for place, part in enumerate(rest) if part[:2] in ("A:", "a:")), 0)
    if not annotator or " " in annotator or not place or not rest[0]:
        return None
    return Answer(annotator, rest[:1], [word for part in rest[1:place] for word in split_words(part)])


def split_words(text: str) -> list[str]:
    """Words between commas or semicolons."""
    return [word for part in text.replace(";", ",").split(",") if (word := part.strip())]


class Poll:
    """Counts answers as votes: one for a primary class, a stated weight for a secondary one.

    A class that one annotator names both ways counts once, as primary. An annotator's second answer to a turn does not
    count. Secondary classes that are none of the corpus's (`Amused`) are no votes.
    """

    def __init__(self, emotions: Mapping[str, str], secondary: float = 0.0) -> None:
        """Start counting.

        Args:
            emotions: what annotators call a class, in small letters -> the class.
            secondary: weight of a secondary label.
        """
        self._emotions = emotions
        self._secondary = secondary
        self._votes: dict[str, dict[str, float]] = {}
        self._turns: dict[str, int] = {}
        self._annotators: dict[str, int] = {}
        self._asked: set[int] = set()  # of a turn's and an annotator's number: there are more than a million
        self._unknown: Counter[str] = Counter()
        self._answers = self._doubles = 0

    def add(self, turn: str, answer: Answer) -> None:
        """Count an answer to a turn."""
        number = self._annotators.setdefault(answer.annotator, len(self._annotators))
        key = self._turns.setdefault(turn, len(self._turns)) << 32 | number
        if key in self._asked:
            self._doubles += 1
            return
        self._asked.add(key)
        self._answers += 1
        votes = self._votes.setdefault(turn, {})
        majors = {self._class_of(word) for word in answer.majors}
        for name in majors:
            votes[name] = votes.get(name, 0.0) + 1.0
        if self._secondary and answer.seconds:
            for name in {self._emotions.get(word.lower(), "") for word in answer.seconds} - majors - {""}:
                votes[name] = votes.get(name, 0.0) + self._secondary

    def votes(self, turn: str) -> str:
        """A turn's votes as the manifest's column has them; "" where it has none."""
        votes = self._votes.get(turn)
        if not votes:
            return ""
        return json.dumps({name: int(each) if each == int(each) else each for name, each in sorted(votes.items())})

    def notes(self, turns: Sequence[str]) -> Iterator[str]:
        """What a person should know of the votes of turns."""
        yield (
            f"votes: {self._answers} answers of {len(self._annotators)} annotators; a secondary label counts "
            f"{self._secondary:g}"
        )
        if self._doubles:
            yield f"votes: second answers of one annotator to one turn do not count: {self._doubles}"
        if self._unknown:
            shown = enumerate_some(f"{word!r} ({count})" for word, count in self._unknown.most_common())
            yield f"votes: answers that name no known class count as {OTHER}, {self._unknown.total()} in all: {shown}"
        lost = [turn for turn in turns if turn not in self._votes]
        if lost:
            yield f"votes: turns without an answer, {len(lost)} of {len(turns)}: {enumerate_some(lost)}"

    def _class_of(self, word: str) -> str:
        """The class of a primary answer; what is free text is another class than those of the corpus."""
        known = self._emotions.get(word.lower())
        if known is None and not word.lower().startswith(OTHER):
            self._unknown[word] += 1
        return known or OTHER


def secondary_weight(card: CorpusCard, text: str) -> float:
    """The option `secondary` as a number.

    Raises:
        ConfigError: it is none, or out of bounds.
    """
    try:
        weight = float(text)
    except ValueError:
        weight = -1.0
    if not 0 <= weight <= 1:
        raise ConfigError(
            f"corpus {card.name}: option secondary is {text!r}; give the weight of a secondary label, from 0 (it does "
            f"not count) to 1 (as much as a primary one)"
        )
    return weight
