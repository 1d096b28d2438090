"""EMO-DB: ten actors say ten German sentences in seven emotions; a recording's name holds its labels."""

import re
from pathlib import Path

import pandas as pd

from nni_emodarts.data.corpora.card import CorpusCard
from nni_emodarts.data.corpora.files import Utterance, fit, read_named, with_notes
from nni_emodarts.errors import ManifestError

CARD = CorpusCard(
    name="emodb",
    title="EMO-DB (Berlin Database of Emotional Speech)",
    citation="F. Burkhardt, A. Paeschke, M. Rolfes, W. F. Sendlmeier, B. Weiss, A database of German emotional speech, "
    "Interspeech 2005, 1517-1520",
    licence="CC0 1.0 as republished at github.com/audeering/emodb; see the terms of the copy that you take",
    url="http://emodb.bilderbar.info/",
    language="German",
    emotions=("anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness"),
    layout="recordings named like wav/03a01Fa.wav",
    protocol="loso",
    speakers=10,
    utterances=535,
    hours=0.4,
    notes="Release 2.0 has signals of the throat besides (laryngo); they are left out.",
)

EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
"""Initials of the German words."""

GENDERS = {
    **dict.fromkeys(("03", "10", "11", "12", "15"), "male"),
    **dict.fromkeys(("08", "09", "13", "14", "16"), "female"),
}
NAME = re.compile(rf"(?P<speaker>{'|'.join(GENDERS)})(?P<text>[ab]\d\d)(?P<emotion>[{''.join(EMOTIONS)}])[a-z]")
"""Speaker, sentence, emotion, version."""


LARYNGO = "laryngo"
"""Folder of release 2.0 that holds, under the same names, what a laryngograph took of the throat: no speech."""


def read(root: Path) -> pd.DataFrame:
    """Read the corpus; `text` is the sentence's code. Signals of the throat are left out."""
    if root.name.lower() == LARYNGO:
        raise ManifestError(f"{root} holds signals of the throat (a laryngograph's), no speech; name the folder wav")
    left_out: list[Path] = []

    def parse(path: Path) -> Utterance | None:
        if LARYNGO in (part.lower() for part in path.relative_to(root).parts):
            left_out.append(path)
            return None
        name = fit(NAME, path)
        speaker = name["speaker"]
        return Utterance(path, EMOTIONS[name["emotion"]], speaker, gender=GENDERS[speaker], text=name["text"])

    table = read_named(CARD, root, "03a01Fa.wav", parse)
    note = f"left out {len(left_out)} files in {LARYNGO}: signals of the throat (a laryngograph's), no speech"
    return with_notes(table, [note] if left_out else [])
