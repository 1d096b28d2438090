"""The small corpus with votes of annotators, of some of whose utterances they did not agree."""

import json
from pathlib import Path

import pandas as pd

CLASSES = ("anger", "happiness", "neutral", "sadness")
UNDECIDED = (0, 11, 18, 29, 36, 43)
"""A row of each speaker, on which annotators do not agree."""


def write(small: Path, name: str, votes: dict[int, dict[str, float]] | None, undecided: tuple[int, ...] = ()) -> Path:
    """The small corpus with votes: of most utterances three for the label, of others as said; some without a label."""
    table = pd.read_csv(small, dtype=str)
    if votes is not None:
        cast = [votes.get(row, {emotion: 3}) for row, emotion in enumerate(table["emotion"])]
        table["votes"] = [json.dumps(each) for each in cast]
    table.loc[list(undecided), "emotion"] = ""
    path = small.with_name(name)
    table.to_csv(path, index=False)
    return path


def write_voted(small: Path, name: str) -> Path:
    """With `UNDECIDED` rows, and a few whose majority is doubtful."""
    split = {row: {"anger": 1.0, "sadness": 1.0, "other": 2.0} for row in UNDECIDED}
    doubtful = {row: {CLASSES[row % 4]: 1.0, "neutral": 2.0} for row in (1, 2, 25)}
    return write(small, name, {**split, **doubtful}, UNDECIDED)
