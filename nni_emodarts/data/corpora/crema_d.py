"""CREMA-D: 91 actors say twelve English sentences in six emotions; a recording's name holds its labels."""

import re
from functools import partial
from pathlib import Path

import pandas as pd

from nni_emodarts.data.corpora.card import CorpusCard
from nni_emodarts.data.corpora.files import Utterance, fit, read_named, read_table, require_columns

CARD = CorpusCard(
    name="crema_d",
    title="CREMA-D (Crowd-sourced Emotional Multimodal Actors Dataset)",
    citation="H. Cao, D. G. Cooper, M. K. Keutmann, R. C. Gur, A. Nenkova, R. Verma, CREMA-D: Crowd-sourced Emotional "
    "Multimodal Actors Dataset, IEEE Transactions on Affective Computing 5(4), 2014, 377-390, "
    "doi:10.1109/TAFFC.2014.2336244",
    licence="Open Database License 1.0, contents under the Database Contents License 1.0",
    url="https://github.com/CheyneyComputerScience/CREMA-D",
    language="English",
    emotions=("anger", "disgust", "fear", "happiness", "neutral", "sadness"),
    layout="recordings named like AudioWAV/1001_DFA_ANG_XX.wav, and VideoDemographics.csv",
    protocol="kfold:5",
    speakers=91,
    utterances=7442,
    hours=5.3,
    notes="The emotion is the one that the actor was asked for. Genders stay unknown where VideoDemographics.csv is "
    "absent. 1076_MTI_SAD_XX.wav is silent.",
)

EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
DEMOGRAPHICS = "VideoDemographics.csv"
# One recording is distributed as 1040_ITH_SAD_X.wav.
NAME = re.compile(rf"(?P<actor>1\d{{3}})_(?P<text>[A-Z]{{3}})_(?P<emotion>{'|'.join(EMOTIONS)})_(?:XX?|LO|MD|HI)")
"""Actor, sentence, emotion, level."""


def read(root: Path) -> pd.DataFrame:
    """Read the corpus, from its own folder or from AudioWAV; `text` is the sentence's code."""
    return read_named(CARD, root, "1001_DFA_ANG_XX.wav", partial(_parse, genders=_read_genders(root)))


def _parse(path: Path, genders: dict[str, str]) -> Utterance:
    name = fit(NAME, path)
    actor = name["actor"]
    return Utterance(path, EMOTIONS[name["emotion"]], actor, gender=genders.get(actor, ""), text=name["text"])


def _read_genders(root: Path) -> dict[str, str]:
    path = next((folder / DEMOGRAPHICS for folder in (root, root.parent) if (folder / DEMOGRAPHICS).is_file()), None)
    if path is None:
        return {}
    table = read_table(path)
    require_columns(table, path, ("ActorID", "Sex"))
    return dict(zip(table["ActorID"], table["Sex"].str.lower(), strict=True))
