"""Several manifests as one corpus: speakers and sessions are told apart by corpus, whatever they are called.

Classes are those that all corpora have, or those that any has (`data.classes`), after emotions have been merged, and
with them the votes. Dimensions are those that all have, on one scale. Names of two corpora mean nothing to each other:
speaker `03` of `emodb` is `emodb/03`.
"""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from nni_emodarts.config import SCALE_COLUMN, Range, enumerate_faults
from nni_emodarts.data.dimensions import Wanted, rescale, written
from nni_emodarts.data.manifest import Manifest, read_chosen
from nni_emodarts.data.picking import Choice, pick
from nni_emodarts.data.spelling import match, nearly_alike
from nni_emodarts.data.table import enumerate_some
from nni_emodarts.errors import ManifestError

CORPUS = "corpus"
"""Column of a joined manifest's table that names the corpus of each utterance."""
Classes = Literal["intersection", "union"]
_SHOWN = 3
"""Copies that a message shows before it only counts."""
_Read = Mapping[str, Manifest]
"""Name of each corpus -> its manifest, in the order of their names."""


def join_manifests(paths: Sequence[str | Path], classes: Classes, choice: Choice = Choice()) -> Manifest:  # noqa: B008 - it does not change
    """Read several manifests as one.

    Args:
        paths: CSV files.
        classes: `intersection`, the emotions that all of them have, or `union`, those that any has.
        choice: which of these emotions are kept, after merging; dimensions, and whether utterances without an emotion
            are kept. The scale of dimensions is the one that all values are brought to, and that of manifests that
            state none.

    Raises:
        ManifestError: one cannot be used, two list the same recordings, too few classes are common or left, or a scale
            or a common dimension is missing.
    """
    what = f"manifests {' and '.join(map(str, paths))}"
    read = _read(paths, choice)
    notes: list[str] = []
    if choice.dimensions is not None:
        read, notes = _on_one_scale(what, read, choice.dimensions)
    dimensions, scale = next((each.dimensions, each.scale) for each in read.values())
    table = pd.concat([_named(*each) for each in read.items()], ignore_index=True)
    _refuse_common(what, table)
    votes = _votes(read)
    left_out: dict[str, int] = {}
    lacking: list[str] = []
    if classes == "intersection" and choice.needs_emotions and not (lacking := _too_few_common(table, choice.merge)):
        table, merge, left_out = _common_emotions(table, choice.merge)
        votes, choice = None if votes is None else votes.loc[table.index], replace(choice, merge=merge)
    if not choice.needs_emotions:
        rated = table[list(dimensions)].notna().any(axis=1)
        notes += [f"{(~rated).sum()} utterances have no value in these dimensions and are left out"] * (not rated.all())
        table = table[rated]
    picked = pick(table, votes, choice)
    if lacking or picked.faults:
        hint = [f"classes that not all of them have were left out: {', '.join(sorted(left_out))}"] if left_out else []
        raise ManifestError(enumerate_faults(f"the corpus of {what}", [*lacking, *picked.faults, *hint]))
    own = [f"{name}: {note}" for name, manifest in read.items() for note in manifest.notes]
    return Manifest(
        picked.table.reset_index(drop=True),
        picked.classes,
        _digest(read, dimensions, scale),
        Path(os.path.commonpath([manifest.folder for manifest in read.values()])),
        (*own, *notes, *_notes(picked.classes, left_out), *picked.notes),
        dimensions=dimensions,
        scale=scale,
        votes=None if picked.votes is None else picked.votes.reset_index(drop=True),
    )


def corpus_names(paths: Sequence[Path]) -> list[str]:
    """What manifests are called: a file `manifest.csv` after its folder, any other by its own name; twins numbered."""
    seen: Counter[str] = Counter()
    found = []
    for name in map(_called, paths):
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return found


def _called(path: Path) -> str:
    return path.absolute().parent.name if path.stem == "manifest" else path.stem


def _read(paths: Sequence[str | Path], choice: Choice) -> dict[str, Manifest]:
    """The manifests, whose classes are all of theirs still; their order does not depend on that of the paths."""
    wanted = choice.dimensions
    if wanted is not None:
        taken = None if wanted.scale is None else (wanted.scale, "data.scale")
        wanted = Wanted(wanted.names, None, taken, wanted.alone, learnt=False, partial=not wanted.names)
    own = Choice(dimensions=wanted, joined=True)
    read = sorted(
        ((Path(path), read_chosen(path, own)) for path in paths), key=lambda each: (_called(each[0]), each[1].digest)
    )
    return dict(sorted(zip(corpus_names([path for path, _ in read]), (each for _, each in read), strict=True)))


def _on_one_scale(what: str, read: _Read, wanted: Wanted) -> tuple[dict[str, Manifest], list[str]]:
    """The manifests with the dimensions that all of them have, on one scale; and what is to be said of that.

    Raises:
        ManifestError: they have none in common, or one does not state its scale.
    """
    silent = [name for name, manifest in read.items() if manifest.scale is None]
    if silent:
        states = "states no scale of its" if len(silent) == 1 else "state no scale of their"
        raise ManifestError(
            f"{what}: {enumerate_some(silent)} {states} ratings, which cannot be brought to one then; "
            f"state it by a column {SCALE_COLUMN!r} like 1..7, or by data.scale for all that state none"
        )
    first = next(iter(read.values())).dimensions
    common = tuple(name for name in first if all(name in each.dimensions for each in read.values()))
    has = {name: ", ".join(manifest.dimensions) for name, manifest in read.items()}
    if not common:
        listed = "; ".join(f"{name}: {names}" for name, names in has.items())
        raise ManifestError(f"{what} have no dimension in common ({listed}); learn emotions, or leave one of them out")
    scales = {name: manifest.scale for name, manifest in read.items() if manifest.scale is not None}
    scale = wanted.scale or max(scales.values(), key=lambda each: (each[1] - each[0], each))
    notes = [
        f"dimensions that not all corpora have are left out: {lost} of {name}"
        for name, manifest in read.items()
        if (lost := ", ".join(each for each in manifest.dimensions if each not in common))
    ]
    moved = [f"{name} ({written(own)})" for name, own in scales.items() if own != scale]
    if moved:
        source = "data.scale" if wanted.scale else "the widest scale; data.scale names another"
        notes.append(f"ratings of {enumerate_some(moved)} are brought linearly to {written(scale)}, {source}")
    return {name: _brought(manifest, common, scale) for name, manifest in read.items()}, notes


def _brought(manifest: Manifest, dimensions: tuple[str, ...], scale: Range) -> Manifest:
    """A manifest with some of its dimensions, on another scale."""
    names, own = list(dimensions), manifest.scale
    table = manifest.table.drop(columns=[name for name in manifest.dimensions if name not in dimensions])
    if own is not None:
        table[names] = rescale(table[names], own, scale)
    return replace(manifest, table=table, dimensions=dimensions, scale=scale)


def _votes(read: _Read) -> pd.DataFrame | None:
    """The votes of all utterances by class, zero where a manifest has none; None where none of them has any."""
    if all(manifest.votes is None for manifest in read.values()):
        return None
    each = [pd.DataFrame(index=each.table.index) if each.votes is None else each.votes for each in read.values()]
    return pd.concat(each, ignore_index=True).fillna(0.0)


def _merged(table: pd.DataFrame, merge: Mapping[str, str]) -> tuple[dict[str, str], "pd.Series[str]", set[str]]:
    """What is merged, spelled as the emotions are; what each utterance's counts as; and those that all corpora have."""
    spelled = match(merge, set(table["emotion"]) - {""})
    merge = {spelled.get(name, name): target for name, target in merge.items()}
    counted = table["emotion"].map(lambda name: merge.get(name, name))
    return merge, counted, set.intersection(*(set(rows) - {""} for _, rows in counted.groupby(table[CORPUS])))


def _too_few_common(table: pd.DataFrame, merge: Mapping[str, str]) -> list[str]:
    """The fault of corpora that have less than two emotions in common."""
    _, counted, common = _merged(table, merge)
    if len(common) > 1:
        return []
    has = {name: enumerate_some(sorted(set(rows) - {""})) or "none" for name, rows in counted.groupby(table[CORPUS])}
    listed = "; ".join(f"{name}: {names}" for name, names in has.items())
    there = f"only the emotion {next(iter(common))!r}" if common else "no emotion"
    return [
        f"the corpora have {there} in common ({listed}), and a recogniser needs at least two; map emotions to those of "
        f"the others by data.merge, or keep all by data.classes=union"
    ]


def _common_emotions(
    table: pd.DataFrame, merge: Mapping[str, str]
) -> tuple[pd.DataFrame, dict[str, str], dict[str, int]]:
    """Utterances of emotions that all corpora have, what is merged of theirs, and how many there are of each other.

    Utterances without an emotion stay.
    """
    known = set(table["emotion"]) - {""}
    merge, counted, kept = _merged(table, merge)
    lost = ~counted.isin([*kept, ""])
    left_out = {str(name): int(count) for name, count in counted[lost].value_counts().items()}
    table = table[~lost]
    gone = known - set(table["emotion"])
    return table, {name: target for name, target in merge.items() if name not in gone}, left_out


def corpora_of(manifest: Manifest, rows: np.ndarray | None = None) -> np.ndarray | None:
    """(n,) number of each row's corpus, in the order of their names; None of a manifest of one corpus."""
    if CORPUS not in manifest.table:
        return None
    codes, _ = pd.factorize(manifest.table[CORPUS], sort=True)
    return codes if rows is None else codes[rows]


def refuse_copies(manifest: Manifest, digests: Sequence[str]) -> None:
    """Refuse several manifests as one where two of them hold the same recording, wherever its files lie.

    Its speaker would be two people, one in the training and the other in the test part.

    Args:
        manifest: of one corpus or of several.
        digests: of what was recorded (n,), row by row.

    Raises:
        ManifestError: two corpora hold the same.
    """
    if CORPUS not in manifest.table:
        return
    table = pd.DataFrame({CORPUS: manifest.table[CORPUS], "name": manifest.names, "digest": digests})
    table = table.drop_duplicates([CORPUS, "digest"])
    copies = table[table.duplicated("digest", keep=False)]
    if copies.empty:
        return
    alike = copies.groupby("digest", sort=False)["name"].agg(" = ".join)
    shown = ", ".join([*alike[:_SHOWN], *["…"] * (len(alike) > _SHOWN)])
    raise ManifestError(
        f"the corpora {' and '.join(sorted(set(copies[CORPUS])))} hold {len(alike):,} of the same recordings in "
        f"different files ({shown}), so that one person would be trained on under one name and tested under another; "
        f"remove their lines from all of these manifests but one"
    )


def _named(name: str, manifest: Manifest) -> pd.DataFrame:
    table = manifest.table
    apart = {
        column: table[column].where(table[column] == "", f"{name}/" + table[column])
        for column in ("speaker", "session")
    }
    return table.assign(**apart, **{CORPUS: name})


def _refuse_common(what: str, table: pd.DataFrame) -> None:
    shared = table.groupby("file")[CORPUS].nunique()
    twice = sorted(shared.index[shared > 1])
    if twice:
        raise ManifestError(
            f"{what} list {len(twice)} recordings in common: {enumerate_some(twice)}; a recording is of one corpus, "
            f"leave it out of the others"
        )


def _notes(classes: Sequence[str], left_out: Mapping[str, int]) -> list[str]:
    notes = []
    if left_out:
        listed = enumerate_some(f"{name} ({count})" for name, count in left_out.items())
        notes.append(f"emotions that not all corpora have are left out: {listed}; data.classes=union keeps them")
    notes += [f"classes {' and '.join(group)} look alike and count as different" for group in nearly_alike(classes)]
    return notes


def _digest(read: _Read, dimensions: Sequence[str], scale: Range | None) -> str:
    parts = sorted(f"{name} {manifest.digest}" for name, manifest in read.items())
    rated = [json.dumps([*dimensions, scale])] if dimensions else []
    return sha256("\n".join([*parts, *rated]).encode()).hexdigest()
