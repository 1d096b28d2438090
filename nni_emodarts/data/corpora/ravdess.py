"""RAVDESS: 24 actors say two English sentences in eight emotions; a recording's name holds its labels."""

import re
from pathlib import Path

import pandas as pd

from nni_emodarts.data.corpora.card import CorpusCard
from nni_emodarts.data.corpora.files import Utterance, fit, read_named

CARD = CorpusCard(
    name="ravdess",
    title="RAVDESS (Ryerson Audio-Visual Database of Emotional Speech and Song)",
    citation="S. R. Livingstone, F. A. Russo, The Ryerson Audio-Visual Database of Emotional Speech and Song "
    "(RAVDESS), PLoS ONE 13(5), 2018, e0196391, doi:10.1371/journal.pone.0196391",
    licence="CC BY-NC-SA 4.0; commercial licences are sold separately",
    url="https://zenodo.org/record/1188976",
    language="English (North America)",
    emotions=("anger", "calm", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"),
    layout="speech recordings named like Actor_12/03-01-06-01-02-01-12.wav",
    protocol="kfold:6",
    speakers=24,
    utterances=1440,
    hours=1.5,
    notes="Speech alone is read; song and video are passed over. Counts are those of the speech recordings.",
)

EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
AUDIO_ONLY, SPEECH = "03", "01"
NAME = re.compile(
    r"(?P<modality>0[1-3])-(?P<channel>0[12])-(?P<emotion>0[1-8])-0[12]-(?P<text>0[12])-0[12]-"
    r"(?P<actor>0[1-9]|1\d|2[0-4])"
)
"""Modality, vocal channel, emotion, intensity, sentence, repetition, actor."""


def read(root: Path) -> pd.DataFrame:
    """Read the speech recordings; `text` is the sentence's code."""
    return read_named(CARD, root, "03-01-06-01-02-01-12.wav", _parse)


def _parse(path: Path) -> Utterance | None:
    name = fit(NAME, path)
    if (name["modality"], name["channel"]) != (AUDIO_ONLY, SPEECH):
        return None
    gender = "male" if int(name["actor"]) % 2 else "female"
    return Utterance(path, EMOTIONS[name["emotion"]], name["actor"], gender=gender, text=name["text"])
