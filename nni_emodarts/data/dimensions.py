"""Dimensions of emotion in a manifest: a column of numbers each, such as `arousal`, and the scale that they are on.

A blank cell is a missing value, which is never guessed: the utterance neither trains nor counts in that dimension. A
column `scale` may say the range of the numbers, alike on every line, as `1..7`.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from nni_emodarts.config import DIMENSIONS, SCALE_COLUMN, Range, nearest, parse_scale, shorten
from nni_emodarts.data.table import enumerate_some, name_lines

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Wanted:
    """Which dimensions are read of a manifest.

    Attributes:
        names: their columns; those of arousal, valence and dominance that are there where empty.
        scale: lowest and highest value; as the manifest states it where absent.
        otherwise: the scale that is taken where none is stated, and whose it is.
        alone: whether utterances need no emotion, since there is nothing else to learn.
        learnt: whether there has to be something to learn in this manifest by itself.
        partial: whether those are enough that the manifest has a value of.
    """

    names: tuple[str, ...] = ()
    scale: Range | None = None
    otherwise: tuple[Range, str] | None = None
    alone: bool = False
    learnt: bool = True
    partial: bool = False


@dataclass(frozen=True)
class Found:
    """Dimensions as they were read.

    Attributes:
        values: a column of numbers for each, NaN where there is none; rows as in the file.
        scale: lowest and highest value, where it is stated.
        faults: what is wrong with them.
        notes: what one should know of them.
    """

    values: pd.DataFrame
    scale: Range | None
    faults: tuple[str, ...]
    notes: tuple[str, ...]


def read_dimensions(source: pd.DataFrame, wanted: Wanted) -> Found:
    """Read and check columns of numbers.

    Args:
        source: text, numbered by the line on which each row stands.
        wanted: which of them.
    """
    there = [str(name) for name in source.columns]
    names = wanted.names or tuple(name for name in DIMENSIONS if there.count(name) == 1)
    if wanted.partial:
        names = tuple(name for name in names if there.count(name) > 1 or present(source, (name,)))
    faults = list(_column_faults(there, names, wanted.names if wanted.partial else ()))
    names = tuple(name for name in names if there.count(name) == 1)
    texts = source[list(names)].apply(lambda column: column.str.strip())
    values = texts.apply(pd.to_numeric, errors="coerce").astype(np.float64).replace([np.inf, -np.inf], np.nan)
    scale, stated, scale_faults = _find_scale(source, wanted)
    faults += scale_faults
    for name in names:
        faults += _value_faults(texts[name], values[name], scale, stated)
        faults += _constant_faults(values[name], len(set(texts[name])), wanted.learnt)
    notes = [*_missing_notes(values), *_scale_notes(scale, stated, wanted)] if names else []
    notes += [] if wanted.names else spelling_notes(there)
    return Found(values, scale, tuple(faults), tuple(notes))


def digest_with(digest: str, found: Found) -> str:
    """Hash of the corpus with its dimensions: where they are learnt, another value makes another corpus."""
    hashed = hashlib.sha256(f"{digest} {json.dumps([found.scale, *found.values])}".encode())
    hashed.update(np.ascontiguousarray(found.values.to_numpy(np.float64)).tobytes())
    return hashed.hexdigest()


def drop_unrated(table: pd.DataFrame, found: Found) -> tuple[pd.DataFrame, list[str]]:
    """The utterances that have a value in some dimension, and a note of the others."""
    unrated = found.values.isna().all(axis=1)
    if not unrated.any() or unrated.all():
        return table, []
    lines = enumerate_some(table.index[unrated])
    return table[~unrated], [f"{unrated.sum():,} lines have no value in any dimension and are left out: {lines}"]


def present(table: pd.DataFrame, names: Sequence[str] = DIMENSIONS) -> tuple[str, ...]:
    """Those of some dimensions of which a table of text has a value."""
    return tuple(name for name in names if name in table and (table[name].astype(str).str.strip() != "").any())


def spelling_notes(columns: Sequence[str]) -> Iterator[str]:
    """Notes of the columns that only case and blanks keep from being dimensions that are not there."""
    for column in columns:
        name = "".join(column.split()).lower()
        if name in DIMENSIONS and name not in columns:
            yield f"column {column!r} looks like {name}; call it so, or name it by data.targets"


def rescale(values: npt.ArrayLike, own: Range, other: Range) -> Floats:
    """Values on one scale, brought linearly to another: its ends become the other's, exactly."""
    given = np.asarray(values, dtype=np.float64)
    if own == other:
        return given
    share = (given - own[0]) / (own[1] - own[0])
    return np.asarray(other[0] * (1 - share) + other[1] * share)


def written(scale: Range) -> str:
    """A scale as the column of a manifest says it."""
    return "..".join(f"{bound:g}" for bound in scale)


def _column_faults(there: Sequence[str], names: Sequence[str], any_of: Sequence[str] = ()) -> Iterator[str]:
    if not names and any_of:
        yield f"no value of {' or '.join(any_of)} on any line; add a column of one of them"
    elif not names:
        several = [name for name in DIMENSIONS if there.count(name) > 1]
        if not several:
            yield (
                f"no column of a dimension ({', '.join(DIMENSIONS)}) among {enumerate_some(there)}; name yours by "
                f"data.targets"
            )
        names = several
    for name in names:
        if name not in there:
            yield f"column {name!r} of data.targets is missing{nearest(name, there)}"
        elif there.count(name) > 1:
            yield f"column {name!r} is there {there.count(name)} times; keep one"


def _find_scale(source: pd.DataFrame, wanted: Wanted) -> tuple[Range | None, str, list[str]]:
    """The scale, what states it, and what is wrong with that."""
    if wanted.scale is not None:
        return wanted.scale, "data.scale", []
    count = list(source.columns).count(SCALE_COLUMN)
    if count > 1:
        return None, "", [f"column {SCALE_COLUMN!r} is there {count} times; keep one"]
    texts = sorted(set(source[SCALE_COLUMN].str.strip()) - {""}) if count else []
    if not texts:
        return (None, "", []) if wanted.otherwise is None else (*wanted.otherwise, [])
    scales = {parse_scale(text) for text in texts}
    if len(scales) > 1 or None in scales:
        remedy = "write it alike on every line, like 1..7, or give data.scale"
        return None, "", [f"column {SCALE_COLUMN!r} holds {enumerate_some(map(shorten, texts))}; {remedy}"]
    return scales.pop(), f"of column {SCALE_COLUMN!r}", []


def _value_faults(texts: "pd.Series[str]", values: "pd.Series[float]", scale: Range | None, stated: str) -> list[str]:
    name, faults = texts.name, []
    strange = (texts != "") & values.isna()
    if strange.any():
        shown = name_lines([f"{line} ({texts[line][:80]})" for line in texts.index[strange]])
        faults.append(f"{shown}: {name} is no number; write it like 3.5, or leave it blank")
    if scale is not None:
        outside = (values < scale[0]) | (values > scale[1])
        if outside.any():
            shown = name_lines([f"{line} ({texts[line]})" for line in texts.index[outside]])
            faults.append(
                f"{shown}: {name} is outside the scale {scale[0]:g} to {scale[1]:g} ({stated}); mend "
                f"the value, or state another scale"
            )
    return faults


def _constant_faults(values: "pd.Series[float]", texts: int, learnt: bool) -> Iterator[str]:
    """A column without a value, or of one that is to be learnt; one of texts that are no numbers has another fault."""
    known = values.dropna().unique()
    if len(known) < (2 if learnt else 1) and texts <= len(known) + 1:
        what = f"is {known[0]:g} on every line that has a value" if len(known) else "has no value on any line"
        yield f"column {values.name!r} {what}; there is nothing to learn from it: leave it out by data.targets"


def _missing_notes(values: pd.DataFrame) -> Iterator[str]:
    for name, column in values.items():
        missing = column.isna()
        if missing.any() and not missing.all():
            yield (
                f"{name}: missing on {missing.sum():,} of {len(column):,} lines, which neither train nor count there: "
                f"{name_lines(list(column.index[missing]))}"
            )


def _scale_notes(scale: Range | None, stated: str, wanted: Wanted) -> Iterator[str]:
    if scale is None and wanted.learnt:
        yield (
            "scale: none is stated, so that each fold takes the range of its training part; state it by data.scale, or "
            f"by a column {SCALE_COLUMN!r} like 1..7"
        )
    if scale is not None and (scale, stated) == wanted.otherwise:
        yield (
            f"scale: none is stated; ratings are taken to be on {written(scale)} ({stated}); state another by a column "
            f"{SCALE_COLUMN!r}"
        )
