"""SAVEE: four men say English sentences in seven emotions; name and folder of a recording hold its labels."""

import re
from pathlib import Path

import pandas as pd

from nni_emodarts.data.corpora.card import CorpusCard
from nni_emodarts.data.corpora.files import MisfitError, Utterance, fit, read_named

CARD = CorpusCard(
    name="savee",
    title="SAVEE (Surrey Audio-Visual Expressed Emotion)",
    citation="S. Haq, P. J. B. Jackson, Speaker-dependent audio-visual emotion recognition, AVSP 2009, 53-58",
    licence="for research, after registration",
    url="http://kahlan.eps.surrey.ac.uk/savee/",
    language="English (British)",
    emotions=("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"),
    layout="recordings named like AudioData/DC/a01.wav or ALL/DC_a01.wav",
    protocol="loso",
    speakers=4,
    utterances=480,
    hours=0.5,
    notes="Men only. With four speakers, a fold trains on a single one.",
)

EMOTIONS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}
SPEAKERS = ("DC", "JE", "JK", "KL")
NAME = re.compile(rf"(?:(?P<speaker>{'|'.join(SPEAKERS)})_)?(?P<text>(?P<emotion>{'|'.join(EMOTIONS)})\d\d)")


def read(root: Path) -> pd.DataFrame:
    """Read the corpus; `text` is the sentence's code, which includes its emotion."""
    return read_named(CARD, root, "DC/a01.wav or DC_a01.wav", _parse)


def _parse(path: Path) -> Utterance:
    name = fit(NAME, path)
    speaker = name["speaker"] or path.parent.name
    if speaker not in SPEAKERS:
        raise MisfitError
    return Utterance(path, EMOTIONS[name["emotion"]], speaker, gender="male", text=name["text"])
