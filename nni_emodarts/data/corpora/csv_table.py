"""Anyone's recordings: a CSV file with columns of the usual names becomes a manifest."""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from nni_emodarts.config import DIMENSIONS, SCALE_COLUMN, nearest
from nni_emodarts.data.corpora.card import CorpusCard
from nni_emodarts.data.corpora.files import listing, read_table
from nni_emodarts.data.manifest import COLUMNS
from nni_emodarts.data.picking import REQUIRED
from nni_emodarts.data.table import LINE, SEPARATORS
from nni_emodarts.data.votes import vote_columns
from nni_emodarts.errors import ManifestError

_COLUMNS = (*COLUMNS, *DIMENSIONS, SCALE_COLUMN)
CARD = CorpusCard(
    name="csv",
    title="a CSV file of your own",
    citation="that of your recordings",
    licence="that of your recordings",
    url="docs/corpora.md",
    language="any",
    emotions=(),
    layout="a CSV file with columns for file, emotion and speaker, and any for session, gender, text, split, start "
    "and end (seconds), arousal, valence and dominance (numbers) and their scale (like 1..7), and votes or vote_anger "
    "and so on",
    protocol="loso, or kfold:K with many speakers",
    options=dict.fromkeys(_COLUMNS, ()),
    notes="Columns are found by their usual names; where yours has another, name it by an option: file=clip_name. "
    "Cells may be separated by commas, semicolons or tabs. Files are relative to the CSV file.",
)

SYNONYMS = {
    "file": "filename filepath path wav wavfile wavpath wavfilename audio audiofile audiopath recording clip",
    "emotion": "label emotionlabel emotionclass emoclass emo class category target",
    "speaker": "speakerid speakername spk spkid spkr spkrid actor actorid subject subjectid participant participantid",
    "session": "sessionid dyad dyadid pair",
    "gender": "sex speakergender speakersex",
    "text": "textid sentence sentenceid transcript transcription rawtext",
    "split": "subset partition splitset set part",
    "start": "starttime startseconds begin begintime onset",
    "end": "endtime endseconds stop stoptime",
    "arousal": "activation emoact act arousalmean",
    "valence": "emoval val valencemean",
    "dominance": "emodom dom dominancemean",
    SCALE_COLUMN: "",
}
"""Column of a manifest -> other names for it, compared in small letters and digits alone."""


def read(root: Path, **columns: str) -> pd.DataFrame:
    """Read a table.

    Args:
        root: the CSV file.
        columns: column of the manifest -> the name that it has in the file, where that is not a usual one.

    Returns:
        The utterances, by the line on which each stands.

    Raises:
        ManifestError: it is no table, lacks a column, or has several for one; all of these together.
    """
    for option, name in columns.items():
        CARD.check_option(option, name)
    if not root.is_file():
        raise ManifestError(f"{root} is no file; found {listing(root)}. Name {CARD.layout}; {CARD.url} says more")
    usual = [*_COLUMNS, *" ".join(SYNONYMS.values()).split(), *(name.lower() for name in columns.values())]
    table = read_table(root, SEPARATORS, names=usual)
    present = [str(name) for name in table.columns]
    names = _find_columns(root, present, columns) | {name: name for name in vote_columns(present)}
    chosen = pd.DataFrame({column: table[name] for column, name in names.items()})
    chosen["file"] = [str(root.parent / name) if name else "" for name in chosen["file"]]
    return chosen.rename_axis(LINE)


def _find_columns(path: Path, names: Sequence[str], asked: Mapping[str, str]) -> dict[str, str]:
    """Column of a manifest -> its name in the file."""
    found, faults = {}, []
    for column in _COLUMNS:
        matches = [asked[column]] if column in asked else _matches(column, names)
        if column in asked and asked[column] not in names:
            faults.append(f"no column {asked[column]!r} to take as {column}{nearest(asked[column], names)}")
        elif len(matches) > 1:
            choices = " or ".join(f"--option {shlex.quote(f'{column}={name}')}" for name in matches)
            faults.append(f"several columns for {column}; choose one by {choices}")
        elif matches:
            found[column] = matches[0]
        elif column in REQUIRED:
            faults.append(f"no column for {column} among {', '.join(names)}; name yours by --option {column}=NAME")
    if faults:
        raise ManifestError("\n".join([f"{path} cannot become a manifest:", *(f"  {fault}" for fault in faults)]))
    return found


def _matches(column: str, names: Sequence[str]) -> list[str]:
    """The columns that may be meant: the one of this very name, else all synonyms."""
    exact = [name for name in names if _plain(name) == column]
    return exact or [name for name in names if _plain(name) in SYNONYMS[column].split()]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
