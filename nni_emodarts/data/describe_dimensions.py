"""What a manifest's dimensions hold: values, their spread and scale, and how far they go together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from nni_emodarts.data.dimensions import Found, Wanted, read_dimensions


@dataclass(frozen=True)
class DimensionsDescription:
    """The dimensions of a manifest in figures, of all its lines; of several each on its own scale.

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


def describe_dimensions(cells: pd.DataFrame, wanted: Wanted) -> DimensionsDescription:
    """Describe dimensions of a table's cells.

    Args:
        cells: text, numbered by the line on which each row stands.
        wanted: which of them; faults are those that training would find.
    """
    found = read_dimensions(cells, wanted)
    speakers = cells["speaker"].str.strip() if "speaker" in cells else pd.Series("", index=cells.index)
    rows = {name: _row(column, speakers) for name, column in found.values.items()}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "dimension"
    return DimensionsDescription(_scale(found), table, "; ".join(_correlations(found.values)), found.faults)


def side_by_side(each: Mapping[str, DimensionsDescription]) -> DimensionsDescription:
    """The descriptions of several corpora, by name, as one."""
    table = pd.concat([own.table.rename(index=f"{name}: {{}}".format) for name, own in each.items()])
    table.index.name = "dimension"
    return DimensionsDescription(
        "; ".join(f"{name}: {own.scale}" for name, own in each.items()),
        table,
        "; ".join(f"{name}: {own.correlations}" for name, own in each.items() if own.correlations),
        tuple(f"{name}: {fault}" for name, own in each.items() for fault in own.faults),
    )


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
