"""The manifest: utterances with their emotion and speaker, read from a CSV file and checked as a whole.

Labels are text and are never parsed: `03` stays `03`, `NA` stays `NA`. All faults of a file are listed in one message.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nni_emodarts.config import MOST_CLASSES, enumerate_faults, nearest, shorten
from nni_emodarts.data.file_names import NearbyFiles
from nni_emodarts.data.spelling import look, match, nearly_alike, unify
from nni_emodarts.data.table import SHOWN, enumerate_some, read_cells
from nni_emodarts.errors import ManifestError
from nni_emodarts.runtime.reading import UnreadableError

REQUIRED = ("file", "emotion", "speaker")
"""Columns that every manifest has."""

LABELS = ("emotion", "speaker", "session", "gender", "text", "split")
"""Columns of text; "" stands for unknown or absent."""

TIMES = ("start", "end")
"""Columns in seconds from the beginning of the file; NaN where absent."""

COLUMNS = ("file", *LABELS, *TIMES)
"""Columns of `Manifest.table`; any others of a CSV file are ignored."""

GENDERS = {"m": "male", "male": "male", "man": "male", "f": "female", "female": "female", "woman": "female"}
_PIECE = 4096
"""Lines that are hashed at a time."""
_SPELLED = ("emotion", "speaker", "session", "split")
"""Columns in which texts of one look are one."""


@dataclass(frozen=True, eq=False)
class Manifest:
    """Utterances, one a row.

    Attributes:
        table: rows numbered from 0, the columns of `COLUMNS`; `file` is an absolute path.
        classes: the emotions, sorted or as they were picked.
        digest: hash of the file's rows, before emotions are merged or picked: it stands for the corpus. It does not
            change when recordings and CSV file move together.
        folder: the CSV file's folder.
        notes: what of the file was not understood or looks like a slip, and keeps nobody from using it.
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    digest: str
    folder: Path = Path()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    @property
    def names(self) -> list[str]:
        """Each utterance's file, relative to the CSV file's folder where it lies inside."""
        return _relative(self.table["file"], self.folder)

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """(n,) each utterance's position in `classes`."""
        return pd.Index(self.classes).get_indexer(pd.Index(self.table["emotion"])).astype(np.int64)

    def pick(self, rows: npt.NDArray[np.int64]) -> "Manifest":
        """Some utterances, numbered anew; classes and digest stay those of the file."""
        return replace(self, table=self.table.iloc[rows].reset_index(drop=True))


@pd.option_context("mode.string_storage", "python")  # pyarrow, where it is installed, holds on to twice the memory
def read_manifest(path: str | Path, emotions: Sequence[str] | None = None, merge: Mapping[str, str] = {}) -> Manifest:
    """Read and check a manifest.

    Args:
        path: a CSV file in UTF-8 with the columns `file` (relative to the CSV file's folder, or absolute), `emotion`
            and `speaker`, and any of `session`, `gender`, `text`, `split`, `start`, `end`; separated by commas,
            semicolons or tabs.
        emotions: the classes to keep, after merging, in this order; all of them, sorted, where absent.
        merge: emotion of the file -> the emotion that it counts as.

    Raises:
        ManifestError: the file cannot be read, or its faults, all in one message.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow a linked CSV away from its recordings
    try:
        source = read_cells(path, REQUIRED)
    except OSError as error:
        raise ManifestError(f"manifest {path}: {error.strerror or error}; name an existing CSV file") from None
    except UnreadableError as error:
        raise ManifestError(f"manifest {path} {error}") from None
    return assemble(source, f"manifest {path}", path.parent, emotions, merge)


@pd.option_context("mode.string_storage", "python")
def assemble(
    source: pd.DataFrame,
    what: str,
    folder: Path,
    emotions: Sequence[str] | None = None,
    merge: Mapping[str, str] = {},
) -> Manifest:
    """Check a table's cells and make a manifest of them.

    Args:
        source: text, numbered by the line on which each row stands.
        what: it is, for messages.
        folder: files are relative to it.
        emotions: as for `read_manifest`.
        merge: likewise.

    Raises:
        ManifestError: its faults, all in one message.
    """
    table = _normalise(source, folder)
    digest = _digest(table, folder)  # of what stands in the file: what is understood of it later makes no other corpus
    faults = [*_column_faults(source), *_row_faults(source, table)]
    table, notes = _unify(table)
    table, classes, class_faults = _pick(table, emotions, merge)
    table, file_faults, file_notes = _find_files(table, folder)
    faults += [*class_faults, *file_faults]
    if faults:
        raise ManifestError(enumerate_faults(what, faults))
    table = table.reset_index(drop=True)
    notes += [*file_notes, *_gender_notes(source), *_likeness_notes(table)]
    return Manifest(table, classes, digest, folder, tuple(notes))


def _normalise(source: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """The columns of `COLUMNS`, "" where the file has none; times that are no numbers are NaN."""
    texts = source.loc[:, ~source.columns.duplicated()].reindex(columns=list(COLUMNS), fill_value="")
    table: pd.DataFrame = texts.apply(lambda column: column.str.strip())
    join, normpath = os.path.join, os.path.normpath  # pathlib is slow for many lines
    codes, names = pd.factorize(table["file"])  # segments of one recording share its name
    table["file"] = np.array([normpath(join(folder, name)) if name else "" for name in names], object)[codes]
    table["gender"] = table["gender"].str.lower().map(GENDERS).fillna("")
    table["speaker"] = table["speaker"].where(table["speaker"].str.lower() != "unknown", "")
    for name in TIMES:
        table[name] = pd.to_numeric(table[name], errors="coerce").astype(np.float64)
    return table


def _unify(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Labels of one look in one spelling, and notes of those that had several."""
    notes = []
    for name in _SPELLED:
        labels, listed = unify(table[name])
        if listed:
            table = table.assign(**{name: labels})
            notes.append(f"{name}: {enumerate_some(listed)} counts as one; spell it alike")
    return table, notes


def _likeness_notes(table: pd.DataFrame) -> Iterator[str]:
    """Labels that are most likely one, but are not taken for it."""
    for name, remedy in (
        ("emotion", "where they are one class, spell them alike, or merge them by data.merge (--merge of prepare)"),
        ("speaker", "where they are one person, who must not be on both sides of a fold, spell them alike"),
        ("session", "where they are one session, spell them alike"),
    ):
        counts = table[name].value_counts()
        listed = [
            " and ".join(f"{label!r} ({counts[label]} line{'s' if counts[label] > 1 else ''})" for label in group)
            for group in nearly_alike(counts.index)
        ]
        if listed:
            yield f"{name}: {enumerate_some(listed)} look alike and count as different; {remedy}"


def _gender_notes(source: pd.DataFrame) -> Iterator[str]:
    if list(source.columns).count("gender") != 1:
        return
    words = source["gender"].str.strip()
    counts = words[~words.str.lower().isin([*GENDERS, "", "unknown"])].value_counts()
    if len(counts):
        listed = (f"{shorten(word)} ({number} line{'s' if number > 1 else ''})" for word, number in counts.items())
        yield f"gender: {enumerate_some(listed)} count as unknown; male, man or m and female, woman or f are understood"


def _column_faults(source: pd.DataFrame) -> Iterator[str]:
    present = list(source.columns)
    for name in REQUIRED:
        if name not in present:
            hint = "; separate the columns by commas, semicolons or tabs" if len(present) == 1 else ""
            yield f"column {name!r} is missing{nearest(name, present)}{hint}"
    for name in COLUMNS:
        if present.count(name) > 1:
            yield f"column {name!r} is there {present.count(name)} times; keep one"


def _row_faults(source: pd.DataFrame, table: pd.DataFrame) -> Iterator[str]:
    if table.empty:
        yield "it holds no utterance; add a line for each recording"
    comment = _comments(source, table)
    yield from _at(comment, "# begins no comment here; remove the line")
    for name in ("file", "emotion"):
        if name in source.columns:
            yield from _at((table[name] == "") & ~comment, f"{name} is blank; fill it in or remove the line")
    yield from _time_faults(source, table)
    if "file" in source.columns:
        stretch = table[["file", "end"]].assign(start=table["start"].fillna(0.0))
        twice = stretch.duplicated() & (table["file"] != "")
        yield from _at(twice, "the same file, start and end stood on an earlier line; keep one of them")


def _comments(source: pd.DataFrame, table: pd.DataFrame) -> "pd.Series[bool]":
    """Rows that begin with `#`, but for recordings that are so called."""
    marked = source.iloc[:, 0].str.startswith("#").to_numpy(dtype=bool).copy()
    rows = np.flatnonzero(marked)
    marked[rows] = [not os.path.isfile(name) for name in table["file"].iloc[rows]]  # noqa: PTH113 - speed
    return pd.Series(marked, index=source.index)


def _time_faults(source: pd.DataFrame, table: pd.DataFrame) -> Iterator[str]:
    wrong = pd.Series(data=False, index=table.index)
    for name in TIMES:
        if list(source.columns).count(name) != 1:  # absent, or a fault of its own
            continue
        given = source[name].str.strip() != ""
        bad = given & ~(np.isfinite(table[name]) & (table[name] >= 0))
        wrong |= bad
        yield from _at(bad, f"{name} is no number of seconds of at least 0; write it like 1.25", source[name])
    empty = ~wrong & (table["end"] <= table["start"].fillna(0.0))
    yield from _at(empty, "end must be greater than start", table["end"])


def _at(bad: "pd.Series[bool]", fault: str, values: "pd.Series[Any] | None" = None) -> Iterator[str]:
    """The fault, and the lines (with their values) that have it, where there are any."""
    lines = bad.index[bad]
    if len(lines):
        shown = lines if values is None else [f"{line} ({str(values[line])[:80]})" for line in lines]
        yield f"line{'s' if len(lines) > 1 else ''} {enumerate_some(shown)}: {fault}"


def _pick(
    table: pd.DataFrame, emotions: Sequence[str] | None, merge: Mapping[str, str]
) -> tuple[pd.DataFrame, tuple[str, ...], list[str]]:
    """Rows of the chosen emotions under their merged names, the classes, and the faults of the choice."""
    known = set(table["emotion"]) - {""}
    if not known:
        return table, (), []
    spelled = match([*merge, *merge.values()], known)
    faults = [f"merge: {name!r} is there in several spellings; keep one" for name in _twice(map(look, merge))]
    merge = {spelled.get(name, name): spelled.get(target, target) for name, target in merge.items()}
    faults += _unknown("merge", merge, known)
    faults += [f"merge: {name!r} counts as nothing; name an emotion" for name, target in merge.items() if not target]
    table = table.assign(emotion=[merge.get(name, name) for name in table["emotion"]])
    merged = {merge.get(name, name) for name in known}
    spelled = match(emotions or (), merged)
    classes = tuple(sorted(merged) if emotions is None else (spelled.get(name, name) for name in emotions))
    faults += _unknown("emotions", classes, merged)
    if len(set(classes)) < len(classes):
        faults.append(f"emotions: {enumerate_some(classes)} names one twice")
    if len(set(classes)) < 2:
        kept = f"only the class {classes[0]!r}" if classes else "no class"
        faults.append(f"{kept} is left of {enumerate_some(sorted(known))}; a recogniser needs at least two")
    if len(set(classes)) > MOST_CLASSES:
        faults.append(
            f"column 'emotion' holds {len(set(classes)):,} classes, more than the {MOST_CLASSES:,} that a network can "
            f"tell apart; name another column emotion, or pick classes by emotions"
        )
    # Blank emotions stay: they are a fault that is reported, never a reason to drop a line.
    return table[table["emotion"].isin([*classes, ""])], classes, faults


def _unknown(what: str, names: Iterable[str], known: Collection[str]) -> list[str]:
    """Faults of names that no utterance has; the first of them with what may be meant."""
    lost = [name for name in names if name not in known]
    more = [f"{what}: and {len(lost) - SHOWN} more that no utterance is"] if len(lost) > SHOWN else []
    return [f"{what}: no utterance is {name!r}{nearest(name, known)}" for name in lost[:SHOWN]] + more


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _find_files(table: pd.DataFrame, folder: Path) -> tuple[pd.DataFrame, list[str], list[str]]:
    """The table with each recording's own name; faults and notes of those that have another or are not there."""
    absent = [name for name in table["file"].unique() if name and not os.path.isfile(name)]  # noqa: PTH113 - speed
    nearby = NearbyFiles()
    found = {name: file for name in absent if (file := nearby.find(name)) is not None}
    faults: list[str] = []
    notes: list[str] = []
    if found:
        table = table.assign(file=table["file"].map(lambda name: found.get(name, name)))
        stretch = table[["file", "end"]].assign(start=table["start"].fillna(0.0))
        twice = stretch.duplicated(keep=False) & (table["file"] != "")
        faults += _at(twice, "one recording in several spellings of its name; keep one line")
        listed = (f"{_relative([name], folder)[0]} is {_relative([file], folder)[0]}" for name, file in found.items())
        notes.append(f"file: {len(found)} spelled otherwise than the recordings there: {enumerate_some(listed)}")
    lost = [name for name in absent if name not in found]
    if lost:
        count = "1 audio file does" if len(lost) == 1 else f"{len(lost)} audio files do"
        shown = enumerate_some([*(name + nearby.hint(name) for name in lost[:SHOWN]), *lost[SHOWN:]])
        faults.append(f"{count} not exist (paths are relative to the CSV file): {shown}")
    return table, faults, notes


def _digest(table: pd.DataFrame, folder: Path) -> str:
    """Hash of the columns as JSON, in pieces: a corpus of millions of lines is never one text."""
    digest = hashlib.sha256(b"[")
    for position, name in enumerate(("file", *LABELS, *TIMES)):
        digest.update(b", [" if position else b"[")
        for first in range(0, len(table), _PIECE):
            piece = table[name].iloc[first : first + _PIECE].tolist()
            text = json.dumps(_relative(piece, folder) if name == "file" else piece)
            digest.update((", " if first else "").encode() + text[1:-1].encode())
        digest.update(b"]")
    digest.update(b"]")
    return digest.hexdigest()


def _relative(files: Iterable[str], folder: Path) -> list[str]:
    inside = str(folder).rstrip(os.sep) + os.sep
    return [name.removeprefix(inside) for name in files]
