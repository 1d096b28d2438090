"""Manifests as `describe` reads them: one or several as one, with or without emotions, with their dimensions."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from nni_emodarts.config import DIMENSIONS, SCALE_COLUMN, SYNTHETIC, DataConfig, nearest
from nni_emodarts.data.corpora.synthetic import ensure_corpus
from nni_emodarts.data.describe_dimensions import DimensionsDescription, describe_dimensions, side_by_side
from nni_emodarts.data.dimensions import Wanted, present, spelling_notes
from nni_emodarts.data.joined import corpus_names, join_manifests
from nni_emodarts.data.manifest import Manifest, assemble, read_chosen
from nni_emodarts.data.picking import Choice
from nni_emodarts.data.table import read_cells
from nni_emodarts.data.votes import vote_columns
from nni_emodarts.errors import ManifestError
from nni_emodarts.runtime.cache import default_cache
from nni_emodarts.runtime.reading import UnreadableError

_Tables = Mapping[str, pd.DataFrame]
"""Path of each manifest -> its cells; none of one that cannot be read."""


def read_described(text: str, targets: Sequence[str] = ()) -> tuple[Manifest, DimensionsDescription | None]:
    """A manifest, without an emotion where it has none, and its dimensions, where there are any.

    Args:
        text: its path, `synthetic`, or several with commas between them.
        targets: names of the dimensions; those of arousal, valence and dominance that are there where empty.

    Raises:
        ManifestError: it cannot be used, or has no such column.
    """
    data = DataConfig(manifest=text)
    paths = [str(ensure_corpus(default_cache())) if each == SYNTHETIC else each for each in data.manifests]
    tables = {path: _cells(path) for path in paths}
    targets = tuple(dict.fromkeys(targets))
    _refuse_missing(tables, targets)
    alone = _alone(list(tables.values()), targets)
    choice = Choice(dimensions=alone, undecided=True)
    if len(paths) > 1:
        manifest = join_manifests(paths, data.classes, choice)
    elif alone is None:
        manifest = read_chosen(paths[0], choice)
    else:
        cells = _without_faults(tables[paths[0]], alone.names)
        manifest = assemble(cells, f"manifest {paths[0]}", Path(paths[0]).absolute().parent, choice)
    if not targets and (alone is None or alone.names):  # else reading has noted it
        spelled = (note for cells in tables.values() for note in spelling_notes(list(cells.columns)))
        manifest = replace(manifest, notes=(*manifest.notes, *dict.fromkeys(spelled)))
    return manifest, _rated(tables, targets, choice)


def _cells(path: str) -> pd.DataFrame:
    with suppress(OSError, UnreadableError):  # which are said where the manifest is read
        return read_cells(Path(path), ("file", "speaker"))
    return pd.DataFrame()


def _refuse_missing(tables: _Tables, targets: Sequence[str]) -> None:
    for path, cells in tables.items():
        for name in targets:
            if len(cells) and name not in cells:
                known = map(str, cells.columns)
                raise ManifestError(f"manifest {path}: column {name!r} of --targets is missing{nearest(name, known)}")


def _alone(tables: Sequence[pd.DataFrame], targets: tuple[str, ...]) -> Wanted | None:
    """What is read of manifests that have dimensions and no emotions; None of others."""
    once = [cells.loc[:, ~cells.columns.duplicated(keep=False)] for cells in tables if len(cells)]
    names = [present(cells, targets or DIMENSIONS) for cells in once]
    if any(map(_tells_emotions, tables)) or not (names and all(names)):
        return None
    return Wanted(names[0] if len(names) == 1 else targets, alone=True, learnt=False, partial=True)


def _tells_emotions(cells: pd.DataFrame) -> bool:
    told = cells.loc[:, cells.columns == "emotion"].map(str.strip) != ""  # whose column may be there twice
    return bool(told.to_numpy().any() or vote_columns(list(cells.columns)))


def _without_faults(cells: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """A table whose dimensions keep nobody from reading the rest, where a number is left: faults are said apart."""
    numbers = {
        name: cells[name].where(np.isfinite(pd.to_numeric(cells[name].str.strip(), errors="coerce")), "")
        for name in names
    }
    cleaned = cells.drop(columns=SCALE_COLUMN, errors="ignore").assign(**numbers)
    return cleaned if present(cleaned, names) else cells


def _rated(tables: _Tables, targets: tuple[str, ...], choice: Choice) -> DimensionsDescription | None:
    """The dimensions of one manifest, or those of several side by side, each on its own scale."""
    if len(tables) == 1:
        cells = next(iter(tables.values()))
        there = targets or any(name in cells for name in DIMENSIONS)
        return describe_dimensions(cells, Wanted(targets)) if there else None
    wanted = Wanted(targets, learnt=False, partial=not targets)
    called = [corpus_names([Path(path)])[0] for path in tables]
    names = called if len(set(called)) == len(called) else list(tables)
    each = {
        name: describe_dimensions(cells, wanted)
        for name, cells in zip(names, tables.values(), strict=True)
        if targets or present(cells)
    }
    if not each:
        return None
    found = side_by_side(each)
    if not found.faults and len(each) == len(tables):
        try:
            alone = choice.dimensions is not None
            join_manifests(list(tables), "intersection", Choice(dimensions=Wanted(targets, alone=alone)))
        except ManifestError as error:
            found = replace(found, faults=(str(error),))
    return found
