"""The manifest: utterances with their emotion and speaker, read from a CSV file and checked as a whole.

Labels are text and are never parsed: `03` stays `03`, `NA` stays `NA`. All faults of a file are listed in one message.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nni_emodarts.config import Range, enumerate_faults, nearest
from nni_emodarts.data.digests import digest_rows, relative
from nni_emodarts.data.dimensions import Wanted, digest_with, drop_unrated, read_dimensions
from nni_emodarts.data.file_names import NearbyFiles
from nni_emodarts.data.labels import GENDERS, gender_notes, likeness_notes, unify_labels
from nni_emodarts.data.picking import Choice, pick
from nni_emodarts.data.table import SHOWN, enumerate_some, name_lines, read_cells
from nni_emodarts.data.votes import read_votes, shares
from nni_emodarts.errors import ManifestError
from nni_emodarts.runtime.reading import UnreadableError

if TYPE_CHECKING:
    from nni_emodarts.data.fold_lists import FoldList

LABELS = ("emotion", "speaker", "session", "gender", "text", "split")
"""Columns of text; "" stands for unknown or absent."""

TIMES = ("start", "end")
"""Columns in seconds from the beginning of the file; NaN where absent."""

COLUMNS = ("file", *LABELS, *TIMES)
"""Columns of `Manifest.table`, before those of dimensions that are wanted; any others of a CSV file are ignored."""


@dataclass(frozen=True, eq=False)
class Manifest:
    """Utterances, one a row.

    Attributes:
        table: rows numbered from 0, the columns of `COLUMNS` and of `dimensions`; `file` is an absolute path.
        classes: the emotions, sorted or as they were picked; none where there are only dimensions to learn.
        digest: hash of the file's rows, before emotions are merged or picked: it stands for the corpus. It does not
            change when recordings and CSV file move together.
        folder: the CSV file's folder.
        notes: what of the file was not understood or looks like a slip, and keeps nobody from using it.
        folds: the list of folds that divides them, where one does.
        dimensions: names of the columns of numbers that were wanted; a missing value is NaN.
        scale: their lowest and highest value, where it is stated.
        votes: annotators' votes by class (n, any number of classes), those left out too; None where the file has none.
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    digest: str
    folder: Path = Path()
    notes: tuple[str, ...] = ()
    folds: "FoldList | None" = None
    dimensions: tuple[str, ...] = ()
    scale: Range | None = None
    votes: pd.DataFrame | None = None

    def __len__(self) -> int:
        return len(self.table)

    @property
    def names(self) -> list[str]:
        """Each utterance's file, relative to the CSV file's folder where it lies inside."""
        return relative(self.table["file"], self.folder)

    @property
    def identity(self) -> str:
        """What stands for the corpus and the list of its folds, where there is one: figures of another are others."""
        return self.digest if self.folds is None else f"{self.digest} {self.folds.identity}"

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """(n,) each utterance's position in `classes`; -1 where annotators did not agree."""
        return pd.Index(self.classes).get_indexer(pd.Index(self.table["emotion"])).astype(np.int64)

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """(n, K) the distribution of each utterance's votes over `classes`; without votes its emotion alone."""
        votes = pd.DataFrame(index=self.table.index) if self.votes is None else self.votes
        return shares(votes, self.labels, self.classes)

    @property
    def strata(self) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
        """Names of what divisions keep in balance, and the number of each utterance's: its class, where it has one.

        Where annotators did not agree that is the first class with most votes.
        """
        labels = self.labels
        if not self.classes or (labels >= 0).all():
            return (self.classes, labels) if self.classes else (("",), np.zeros(len(self), dtype=np.int64))
        return self.classes, np.where(labels >= 0, labels, self.shares.argmax(1))

    def decided(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Those of some rows that have an emotion; all where only dimensions are learnt."""
        return rows[self.labels[rows] >= 0] if self.classes else rows

    def measured(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Those of some rows that choose: all where dimensions are learnt, for they have places there, else `decided`.

        Of those without an emotion no class is right or wrong.
        """
        return rows if self.dimensions else self.decided(rows)

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """(n, D) each utterance's place in each dimension, NaN where it is missing."""
        return self.table[list(self.dimensions)].to_numpy(np.float64)

    def pick(self, rows: npt.NDArray[np.int64]) -> "Manifest":
        """Some utterances, numbered anew; classes and digest stay those of the file."""
        votes = None if self.votes is None else self.votes.iloc[rows].reset_index(drop=True)
        return replace(self, table=self.table.iloc[rows].reset_index(drop=True), votes=votes)


def read_manifest(
    path: str | Path,
    emotions: Sequence[str] | None = None,
    merge: Mapping[str, str] = {},
    dimensions: Wanted | None = None,
    undecided: bool = False,
) -> Manifest:
    """Read and check a manifest.

    Args:
        path: a CSV file in UTF-8 with the columns `file` (relative to the CSV file's folder, or absolute), `emotion`
            and `speaker`, and any of `session`, `gender`, `text`, `split`, `start`, `end`, and votes (`data.votes`);
            separated by commas, semicolons or tabs.
        emotions: the classes to keep, after merging, in this order; all of them, sorted, where absent.
        merge: emotion of the file -> the emotion that it counts as.
        dimensions: columns of numbers that are read, too.
        undecided: keep utterances with votes and no emotion, on which annotators did not agree.

    Raises:
        ManifestError: the file cannot be read, or its faults, all in one message.
    """
    return read_chosen(path, Choice(emotions, merge, dimensions, undecided))


@pd.option_context("mode.string_storage", "python")  # pyarrow, where it is installed, holds on to twice the memory
def read_chosen(path: str | Path, choice: Choice) -> Manifest:
    """`read_manifest` of a choice."""
    path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow a linked CSV away from its recordings
    try:
        source = read_cells(path, choice.required)
    except OSError as error:
        raise ManifestError(f"manifest {path}: {error.strerror or error}; name an existing CSV file") from None
    except UnreadableError as error:
        raise ManifestError(f"manifest {path} {error}") from None
    return assemble(source, f"manifest {path}", path.parent, choice)


@pd.option_context("mode.string_storage", "python")
def assemble(source: pd.DataFrame, what: str, folder: Path, choice: Choice) -> Manifest:
    """Check a table's cells and make a manifest of them.

    Args:
        source: text, numbered by the line on which each row stands.
        what: it is, for messages.
        folder: files are relative to it.
        choice: what is read of it.

    Raises:
        ManifestError: its faults, all in one message.
    """
    table = _normalise(source, folder)
    digest = digest_rows(
        table, ("file", *LABELS, *TIMES), folder
    )  # of what stands in the file: what is understood of it later makes no other corpus
    votes, vote_faults = read_votes(source) if choice.needs_emotions else (None, [])
    open_ = None if votes is None else votes.any(axis=1)
    faults = [*_column_faults(source, choice.required), *_row_faults(source, table, choice.required, open_)]
    faults += vote_faults
    table, notes = unify_labels(table)
    found = None if choice.dimensions is None else read_dimensions(source, choice.dimensions)
    if found is not None:
        table, digest = table.join(found.values), digest_with(digest, found)
        faults += found.faults
        notes += found.notes
    if found is not None and not choice.needs_emotions:
        table, more = drop_unrated(table, found)
        notes += more
    picked = pick(table, votes, choice)
    table, votes, classes = picked.table, picked.votes, picked.classes
    faults += picked.faults
    notes += picked.notes
    table, file_faults, file_notes = _find_files(table, folder)
    faults += file_faults
    if faults:
        raise ManifestError(enumerate_faults(what, faults))
    table = table.reset_index(drop=True)
    votes = None if votes is None else votes.reset_index(drop=True)
    notes += [*file_notes, *gender_notes(source), *likeness_notes(table)]
    manifest = Manifest(table, classes, digest, folder, tuple(notes), votes=votes)
    return manifest if found is None else replace(manifest, dimensions=tuple(map(str, found.values)), scale=found.scale)


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


def _column_faults(source: pd.DataFrame, required: Sequence[str]) -> Iterator[str]:
    present = list(source.columns)
    for name in required:
        if name not in present:
            hint = "; separate the columns by commas, semicolons or tabs" if len(present) == 1 else ""
            yield f"column {name!r} is missing{nearest(name, present)}{hint}"
    for name in COLUMNS:
        if present.count(name) > 1:
            yield f"column {name!r} is there {present.count(name)} times; keep one"


def _row_faults(
    source: pd.DataFrame, table: pd.DataFrame, required: Sequence[str], voted: "pd.Series[bool] | None"
) -> Iterator[str]:
    if table.empty:
        yield "it holds no utterance; add a line for each recording"
    comment = _comments(source, table)
    yield from _at(comment, "# begins no comment here; remove the line")
    for name in ("file", "emotion"):
        if name in source.columns and name in required:
            blank = (table[name] == "") & ~comment
            if voted is not None and name == "emotion":  # annotators need not agree
                blank &= ~voted
            yield from _at(blank, f"{name} is blank; fill it in or remove the line")
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
        shown = list(lines) if values is None else [f"{line} ({str(values[line])[:80]})" for line in lines]
        yield f"{name_lines(shown)}: {fault}"


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
        listed = (f"{relative([name], folder)[0]} is {relative([file], folder)[0]}" for name, file in found.items())
        notes.append(f"file: {len(found)} spelled otherwise than the recordings there: {enumerate_some(listed)}")
    lost = [name for name in absent if name not in found]
    if lost:
        count = "1 audio file does" if len(lost) == 1 else f"{len(lost)} audio files do"
        shown = enumerate_some([*(name + nearby.hint(name) for name in lost[:SHOWN]), *lost[SHOWN:]])
        faults.append(f"{count} not exist (paths are relative to the CSV file): {shown}")
    return table, faults, notes
