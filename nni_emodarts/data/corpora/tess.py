"""TESS: two actresses say 200 English words in seven emotions; a recording's name holds its labels."""

import re
from pathlib import Path

import pandas as pd

from nni_emodarts.data.corpora.card import CorpusCard
from nni_emodarts.data.corpora.files import Utterance, fit, read_named

CARD = CorpusCard(
    name="tess",
    title="TESS (Toronto emotional speech set)",
    citation="K. Dupuis, M. K. Pichora-Fuller, Toronto emotional speech set (TESS), University of Toronto, Psychology "
    "Department, 2010",
    licence="CC BY-NC-ND 4.0",
    url="https://tspace.library.utoronto.ca/handle/1807/24487",
    language="English",
    emotions=("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"),
    layout="recordings named like OAF_angry/OAF_back_angry.wav",
    protocol="none of its own",
    speakers=2,
    utterances=2800,
    hours=1.6,
    notes="Two speakers are too few to train, validate and test on different ones: join it to another corpus, or label "
    "it with a network trained elsewhere. Surprise is pleasant surprise.",
)

EMOTIONS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "ps": "surprise",
    "pleasant_surprise": "surprise",
    "pleasant_surprised": "surprise",
    "surprise": "surprise",
    "surprised": "surprise",
}
SPEAKERS = {"OAF": "OAF", "YAF": "YAF", "OA": "OAF"}
"""Older and younger actress; one recording is distributed as OA_bite_neutral.wav."""
NAME = re.compile(
    rf"(?P<speaker>{'|'.join(SPEAKERS)})_(?P<text>[a-z-]+)_(?P<emotion>{'|'.join(EMOTIONS)})", re.IGNORECASE
)


def read(root: Path) -> pd.DataFrame:
    """Read the corpus; `text` is the word."""
    return read_named(CARD, root, "OAF_back_angry.wav", _parse)


def _parse(path: Path) -> Utterance:
    name = fit(NAME, path)
    speaker = SPEAKERS[name["speaker"].upper()]
    return Utterance(path, EMOTIONS[name["emotion"].lower()], speaker, gender="female", text=name["text"].lower())
