"""A small corpus of other voices, of the same names; of one emotion another word is used."""

from pathlib import Path

import pandas as pd

from nni_emodarts.data.corpora.synthetic import make_corpus


def foreign_corpus(folder: Path, speakers: int) -> Path:
    """The manifest of so many speakers, whose anger is called rage."""
    file = make_corpus(folder, speakers=speakers, utterances=1, seed=7)
    table = pd.read_csv(file, dtype=str)
    table.assign(emotion=table["emotion"].replace("anger", "rage")).to_csv(file, index=False)
    return file
