"""What a manifest's dimensions hold: values, their spread and scale, and how far they go together."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from nni_emodarts.config import DIMENSIONS
from nni_emodarts.data.dimensions import Found, Wanted, present, read_dimensions
from nni_emodarts.data.manifest import Manifest, read_manifest
from nni_emodarts.data.table import read_cells
from nni_emodarts.data.votes import vote_columns
from nni_emodarts.runtime.reading import UnreadableError


@dataclass(frozen=True)
class DimensionsDescription:
    """The dimensions of a manifest in figures, of all its lines.

    Attributes:
        scale: that is stated, in words.
        table: a row for each: values, missing ones, mean, deviation (of a population), lowest, highest, and the lowest
            and highest mean of a speaker; as text.
        correlations: Pearson's, of each pair, as text.
        faults: for which training would refuse them.
    """

    scale: str
    table: pd.DataFrame
    correlations: str
    faults: tuple[str, ...]


def read_described(path: Path) -> tuple[Manifest, DimensionsDescription | None]:
    """A manifest, without an emotion where it has none, and its dimensions, where there are any.

    Raises:
        ManifestError: it cannot be used.
    """
    cells = pd.DataFrame()
    with suppress(OSError, UnreadableError):  # which are said below
        cells = read_cells(path, ("file", "speaker"))
    names = present(cells.loc[:, ~cells.columns.duplicated(keep=False)])
    alone = Wanted(names, alone=True, learnt=False) if names and not _tells_emotions(cells) else None
    manifest = read_manifest(path, dimensions=alone, undecided=True)
    return manifest, describe_dimensions(cells, names) if names else None


def _tells_emotions(cells: pd.DataFrame) -> bool:
    told = "emotion" in cells and bool((cells["emotion"].str.strip() != "").any())
    return told or bool(vote_columns(list(cells.columns)))


def describe_dimensions(cells: pd.DataFrame, names: tuple[str, ...] = DIMENSIONS) -> DimensionsDescription:
    """Describe dimensions of a table's cells.

    Args:
        cells: text, numbered by the line on which each row stands, with a column `speaker`.
        names: of the dimensions, each of which is a column.
    """
    found = read_dimensions(cells, Wanted(names))
    speakers = cells["speaker"].str.strip() if "speaker" in cells else pd.Series("", index=cells.index)
    rows = {name: _row(column, speakers) for name, column in found.values.items()}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "dimension"
    return DimensionsDescription(_scale(found), table, "; ".join(_correlations(found.values)), found.faults)


def _row(values: "pd.Series[float]", speakers: "pd.Series[str]") -> dict[str, str]:
    known = values.dropna()
    means = known[speakers != ""].groupby(speakers[speakers != ""]).mean()
    texts = (known.mean(), known.std(ddof=0), known.min(), known.max())
    return {
        "values": f"{len(known):,}",
        "missing": f"{len(values) - len(known):,}",
        **dict(zip(("mean", "deviation", "lowest", "highest"), map(_text, texts), strict=True)),
        "speakers' means": f"{_text(means.min())} to {_text(means.max())}" if len(means) else "-",
    }


def _text(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}"


def _scale(found: Found) -> str:
    return "no scale is stated" if found.scale is None else "scale {:g} to {:g}".format(*found.scale)


def _correlations(values: pd.DataFrame) -> Iterator[str]:
    for one, other in combinations(values, 2):
        both = values[[one, other]].dropna()
        varies = len(both) > 1 and (both.std(ddof=0) > 0).all()
        yield f"{one} and {other} {both[one].corr(both[other]):.2f}" if varies else f"{one} and {other} -"
