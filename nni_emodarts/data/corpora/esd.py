"""ESD: ten English and ten Mandarin speakers say 350 sentences each in five emotions; folders hold the emotions."""

import codecs
import re
from pathlib import Path

import pandas as pd

from nni_emodarts.data.corpora.card import CorpusCard
from nni_emodarts.data.corpora.files import MisfitError, Utterance, fit, read_named, shown, with_notes
from nni_emodarts.data.table import enumerate_some
from nni_emodarts.runtime.reading import UnreadableError, read_bytes

CARD = CorpusCard(
    name="esd",
    title="ESD (Emotional Speech Dataset)",
    citation="K. Zhou, B. Sisman, R. Liu, H. Li, Emotional voice conversion: Theory, databases and ESD, Speech "
    "Communication 137, 2022, 1-18",
    licence="for research only, after a signed agreement",
    url="https://github.com/HLTSingapore/Emotional-Speech-Data",
    language="English, Mandarin",
    emotions=("anger", "happiness", "neutral", "sadness", "surprise"),
    layout="recordings named like 0011/Angry/train/0011_000351.wav or 0011/Angry/0011_000351.wav",
    protocol="loso",
    speakers=20,
    utterances=35000,
    hours=29,
    options={"language": ("english", "mandarin", "all")},
    notes="The corpus's folders train, evaluation and test all hold the same speakers; they are no split to measure by "
    "and are not carried over.",
)

EMOTIONS = {
    "angry": "anger",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "surprise": "surprise",
}
FIRST_ENGLISH = 11
"""Speakers 0001 to 0010 speak Mandarin."""
MEN = (4, 5, 6, 8, 10, 11, 12, 13, 14, 20)
NAME = re.compile(r"(?P<speaker>00(?:0[1-9]|1\d|20))_\d{6}")


LABELS = {**EMOTIONS, "生气": "anger", "快乐": "happiness", "中立": "neutral", "伤心": "sadness", "惊喜": "surprise"}
"""How a line of a transcript ends -> the emotion."""
LINE = re.compile(r"\s*(?P<name>\d{4}_\d{6})(?:\.wav)?[\s,;|]+(?P<rest>\S.*)")
"""A line whose cells are not separated by tabs, as those of 0013 in some copies."""
LARGEST_TRANSCRIPT = 2**24
"""Bytes of a speaker's transcripts."""


def read(root: Path, language: str = "english") -> pd.DataFrame:
    """Read the corpus.

    Args:
        root: folder that holds the speakers' folders, at any depth.
        language: `english`, `mandarin` or `all`.

    Returns:
        The utterances; `text` is the transcript where the speaker's own file (`0011.txt`) has it.
    """
    CARD.check_option("language", language)
    transcripts: dict[Path, Transcripts] = {}

    def parse(path: Path) -> Utterance | None:
        speaker = fit(NAME, path)["speaker"]
        folder = next((parent for parent in path.parents if parent.name.lower() in EMOTIONS), None)
        if folder is None:
            raise MisfitError
        spoken = "english" if int(speaker) >= FIRST_ENGLISH else "mandarin"
        if language not in (spoken, "all"):
            return None
        gender = "male" if int(speaker) in MEN else "female"
        emotion, file = EMOTIONS[folder.name.lower()], folder.parent / f"{speaker}.txt"
        if file not in transcripts:
            transcripts[file] = Transcripts(file, int(speaker))
        return Utterance(path, emotion, speaker, gender=gender, text=transcripts[file].text(path.stem, emotion))

    table = read_named(CARD, root, "0011/Angry/0011_000351.wav", parse)
    some = (table["text"] != "").any()  # a copy without any lacks none
    return with_notes(table, (note for each in transcripts.values() if some and (note := each.note(root))))


class Transcripts:
    """A speaker's transcripts, a line each: the recording's name, what is said, and the emotion.

    Attributes:
        words: name of a recording -> what is said, where tabs part it from the rest.
    """

    def __init__(self, file: Path, speaker: int) -> None:
        self._file = file
        self.words: dict[str, str] = {}
        self._spaced: dict[str, tuple[int, str]] = {}
        self._odd: list[int] = []
        self._blank: list[str] = []
        self._fault = ""
        try:
            text = _decode(read_bytes(file, LARGEST_TRANSCRIPT), speaker)
        except (OSError, UnreadableError) as error:  # transcripts are a help, no need
            text, self._fault = "", getattr(error, "strerror", None) or str(error)
        for number, line in enumerate(text.splitlines(), start=1):
            self._add(number, line)

    def _add(self, number: int, line: str) -> None:
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) > 1 and NAME.fullmatch(cells[0]) and cells[1]:
            self.words[cells[0]] = " ".join(cells[1].split())
        elif (match := LINE.fullmatch(line)) is not None:
            self._spaced[match["name"]] = number, " ".join(match["rest"].split())
        elif line.strip():
            self._odd.append(number)

    def text(self, name: str, emotion: str) -> str:
        """What is said in a recording; "" where that is not known."""
        if name in self.words:
            return self.words[name]
        number, rest = self._spaced.get(name, (0, ""))
        words, _, last = rest.rpartition(" ")
        if words and LABELS.get(last.lower()) == emotion:
            return words
        self._blank.append(name)
        self._odd += [number] if number else []
        return ""

    def note(self, root: Path) -> str:
        """Which recordings lack their words, and why; "" where none does."""
        if not self._blank:
            return ""
        why = self._fault or "it has no such lines"
        if self._odd:
            lines = enumerate_some(sorted(self._odd))
            why = f"line{'s' if len(self._odd) > 1 else ''} {lines}: not a name, words and the emotion of its folder"
        return f"{shown(self._file, root)}: no transcript of {enumerate_some(self._blank)} ({why}); text stays blank"


def _decode(data: bytes, speaker: int) -> str:
    """The speakers' files are in UTF-16, UTF-8, GB 2312 or Latin 1, and do not say so."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1" if speaker >= FIRST_ENGLISH else "gb18030", errors="replace")
