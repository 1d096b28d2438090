"""nEMO: nine Polish actors in six emotions; a table holds the labels."""

from pathlib import Path

import pandas as pd

from nni_emodarts.data.corpora.card import CorpusCard
from nni_emodarts.data.corpora.files import (
    Fault,
    Utterance,
    as_table,
    find_file,
    raise_faults,
    read_table,
    require_columns,
    wrong_root,
)

CARD = CorpusCard(
    name="nemo",
    title="nEMO (Dataset of Emotional Speech in Polish)",
    citation="I. Christop, nEMO: Dataset of Emotional Speech in Polish, LREC-COLING 2024, arXiv:2404.06292",
    licence="CC BY-NC-SA 4.0",
    url="https://github.com/amu-cai/nEMO",
    language="Polish",
    emotions=("anger", "fear", "happiness", "neutral", "sadness", "surprise"),
    layout="data.tsv, and recordings named like samples/EB0_anger_1.wav",
    protocol="loso",
    speakers=9,
    utterances=4481,
    hours=3,
)

EMOTIONS = {
    "anger": "anger",
    "fear": "fear",
    "happiness": "happiness",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprised": "surprise",
}


def read(root: Path) -> pd.DataFrame:
    """Read the corpus; `text` is the transcript."""
    path = find_file(root, "data.tsv")
    if path is None:
        raise wrong_root(CARD, root)
    table = read_table(path, separators="\t", quoted=False)
    require_columns(table, path, ("file_id", "emotion", "raw_text", "speaker_id", "gender"))
    rows, strange = [], []
    for file, emotion, text, speaker, gender in zip(
        *(table[name] for name in ("file_id", "emotion", "raw_text", "speaker_id", "gender")), strict=True
    ):
        if emotion not in EMOTIONS:
            strange.append(f"{file} ({emotion})")
            continue
        rows.append(Utterance(path.parent / "samples" / file, EMOTIONS[emotion], speaker, gender=gender, text=text))
    what = f"emotions that are none of {', '.join(EMOTIONS)}"
    raise_faults(CARD, root, Fault(what, strange, f"restore {path.name}"))
    return as_table(rows)
