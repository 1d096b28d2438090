"""ESD: ten English and ten Mandarin speakers say 350 sentences each in five emotions; folders hold the emotions."""

import codecs
import re
from functools import cache
from pathlib import Path

import pandas as pd

from nni_emodarts.data.corpora.card import CorpusCard
from nni_emodarts.data.corpora.files import MisfitError, Utterance, fit, read_named

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


def read(root: Path, language: str = "english") -> pd.DataFrame:
    """Read the corpus.

    Args:
        root: folder that holds the speakers' folders, at any depth.
        language: `english`, `mandarin` or `all`.

    Returns:
        The utterances; `text` is the transcript where the speaker's own file (`0011.txt`) has it.
    """
    CARD.check_option("language", language)

    transcripts = cache(_read_transcripts)

    def parse(path: Path) -> Utterance | None:
        speaker = fit(NAME, path)["speaker"]
        folder = next((parent for parent in path.parents if parent.name.lower() in EMOTIONS), None)
        if folder is None:
            raise MisfitError
        spoken = "english" if int(speaker) >= FIRST_ENGLISH else "mandarin"
        if language not in (spoken, "all"):
            return None
        gender = "male" if int(speaker) in MEN else "female"
        text = transcripts(folder.parent, speaker).get(path.stem, "")
        return Utterance(path, EMOTIONS[folder.name.lower()], speaker, gender=gender, text=text)

    return read_named(CARD, root, "0011/Angry/0011_000351.wav", parse)


def _read_transcripts(folder: Path, speaker: str) -> dict[str, str]:
    """Name of a recording -> what is said; a few lines of the corpus are broken, and passed over."""
    try:
        data = (folder / f"{speaker}.txt").read_bytes()
    except OSError:  # transcripts are a help, no need
        return {}
    lines = (line.split("\t") for line in _decode(data, int(speaker)).splitlines())
    return {cells[0].strip(): " ".join(cells[1].split()) for cells in lines if len(cells) > 1}


def _decode(data: bytes, speaker: int) -> str:
    """The speakers' files are in UTF-16, UTF-8, GB 2312 or Latin 1, and do not say so."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1" if speaker >= FIRST_ENGLISH else "gb18030", errors="replace")
