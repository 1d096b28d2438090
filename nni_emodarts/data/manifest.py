"""The manifest: utterances with their emotion and speaker, read from a CSV file and checked as a whole.

Labels are text and are never parsed: `03` stays `03`, `NA` stays `NA`. All faults of a file are told in one message.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nni_emodarts.config import nearest
from nni_emodarts.errors import ManifestError

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
SHOWN = 10
"""Items that a message lists before it only counts."""


@dataclass(frozen=True, eq=False)
class Manifest:
    """Utterances, one a row.

    Attributes:
        table: rows numbered from 0, the columns of `COLUMNS`; `file` is an absolute path.
        classes: the emotions, sorted or as they were picked.
        digest: hash of the file's rows, before emotions are merged or picked: it stands for the corpus. It does not
            change when recordings and CSV file move together.
        folder: the CSV file's folder.
        notes: what of the file was not understood, and does no harm.
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
            and `speaker`, and any of `session`, `gender`, `text`, `split`, `start`, `end`.
        emotions: the classes to keep, after merging, in this order; all of them, sorted, where absent.
        merge: emotion of the file -> the emotion that it counts as.

    Raises:
        ManifestError: the file cannot be read, or its faults, all in one message.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow a linked CSV away from its recordings
    source = _read_csv(path)
    table = _normalise(source, path.parent)
    faults = [*_column_faults(source), *_row_faults(source, table)]
    digest = _digest(table, path.parent)
    table, classes, class_faults = _pick(table, emotions, merge)
    faults += [*class_faults, *_file_faults(table)]
    if faults:
        head = "has a fault" if len(faults) == 1 else f"has {len(faults)} faults"
        raise ManifestError("\n".join([f"manifest {path} {head}:", *(f"  {fault}" for fault in faults)]))
    table = table.reset_index(drop=True)
    return Manifest(table, classes, digest, path.parent, tuple(_gender_notes(source)))


def enumerate_some(items: Iterable[Any]) -> str:
    """The first items of a message's list, and how many more there are."""
    texts = [str(item) for item in items]
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return ", ".join(texts[:SHOWN]) + more


def _read_csv(path: Path) -> pd.DataFrame:
    """All cells as text, indexed by line number in the file; lines without any text are left out."""
    try:
        # The header is read as a row: pandas would rename doubled columns and take a surplus column for an index.
        cells: pd.DataFrame = pd.read_csv(
            path,
            header=None,
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            encoding="utf-8-sig",
            compression=None,
        ).fillna("")  # lines that end early
    except OSError as error:
        raise ManifestError(f"manifest {path}: {error.strerror or error}; name an existing CSV file") from None
    except pd.errors.EmptyDataError:
        raise ManifestError(f"manifest {path} is empty; its first line must name {', '.join(REQUIRED)}") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        remedy = "save it as UTF-8" if isinstance(error, UnicodeDecodeError) else "put cells that hold commas in quotes"
        raise ManifestError(f"manifest {path} is no comma-separated file in UTF-8: {reason}; {remedy}") from None
    cells.index = _line_numbers(cells, path)
    cells.columns = pd.Index(cells.iloc[0].str.strip())
    lines = cells.iloc[1:]
    return lines[(lines != "").any(axis=1)]


def _line_numbers(cells: pd.DataFrame, path: Path) -> npt.NDArray[np.int64]:
    """The line of the file on which each row begins: quoted cells may go over several."""
    numbers = np.arange(1, len(cells) + 1)
    if path.read_bytes().count(b"\n") <= len(cells):
        return numbers
    breaks: npt.NDArray[np.int64] = cells.apply(lambda column: column.str.count("\n")).sum(axis=1).to_numpy(np.int64)
    numbers[1:] += np.cumsum(breaks)[:-1]
    return numbers


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


def _gender_notes(source: pd.DataFrame) -> Iterator[str]:
    if list(source.columns).count("gender") != 1:
        return
    words = source["gender"].str.strip()
    counts = words[~words.str.lower().isin([*GENDERS, "", "unknown"])].value_counts()
    if len(counts):
        told = enumerate_some(f"{word!r} ({number} line{'s' if number > 1 else ''})" for word, number in counts.items())
        yield f"gender: {told} count as unknown; male, man or m and female, woman or f are understood"


def _column_faults(source: pd.DataFrame) -> Iterator[str]:
    present = list(source.columns)
    for name in REQUIRED:
        if name not in present:
            hint = "; separate the columns by commas" if len(present) == 1 else ""
            yield f"column {name!r} is missing{nearest(name, present)}{hint}"
    for name in COLUMNS:
        if present.count(name) > 1:
            yield f"column {name!r} is there {present.count(name)} times; keep one"


def _row_faults(source: pd.DataFrame, table: pd.DataFrame) -> Iterator[str]:
    if table.empty:
        yield "it holds no utterance; add a line for each recording"
    for name in ("file", "emotion"):
        if name in source.columns:
            yield from _at(table[name] == "", f"{name} is blank; fill it in or remove the line")
    yield from _time_faults(source, table)
    if "file" in source.columns:
        stretch = table[["file", "end"]].assign(start=table["start"].fillna(0.0))
        twice = stretch.duplicated() & (table["file"] != "")
        yield from _at(twice, "the same file, start and end stood on an earlier line; keep one of them")


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
        shown = lines if values is None else [f"{line} ({values[line]})" for line in lines]
        yield f"line{'s' if len(lines) > 1 else ''} {enumerate_some(shown)}: {fault}"


def _pick(
    table: pd.DataFrame, emotions: Sequence[str] | None, merge: Mapping[str, str]
) -> tuple[pd.DataFrame, tuple[str, ...], list[str]]:
    """Rows of the chosen emotions under their merged names, the classes, and the faults of the choice."""
    known = set(table["emotion"]) - {""}
    if not known:
        return table, (), []
    faults = [f"merge: no utterance is {name!r}{nearest(name, known)}" for name in merge if name not in known]
    faults += [f"merge: {name!r} counts as nothing; name an emotion" for name, target in merge.items() if not target]
    table = table.assign(emotion=[merge.get(name, name) for name in table["emotion"]])
    merged = {merge.get(name, name) for name in known}
    classes = tuple(sorted(merged) if emotions is None else emotions)
    faults += [f"emotions: no utterance is {name!r}{nearest(name, merged)}" for name in classes if name not in merged]
    if len(set(classes)) < len(classes):
        faults.append(f"emotions: {', '.join(classes)} names one twice")
    if len(set(classes)) < 2:
        kept = f"only the class {classes[0]!r}" if classes else "no class"
        faults.append(f"{kept} is left of {enumerate_some(sorted(known))}; a recogniser needs at least two")
    # Blank emotions stay: they are a fault that is reported, never a reason to drop a line.
    return table[table["emotion"].isin([*classes, ""])], classes, faults


def _file_faults(table: pd.DataFrame) -> Iterator[str]:
    absent = [name for name in table["file"].unique() if name and not os.path.isfile(name)]  # noqa: PTH113 - speed
    if absent:
        count = "1 audio file does" if len(absent) == 1 else f"{len(absent)} audio files do"
        yield f"{count} not exist (paths are relative to the CSV file): {enumerate_some(absent)}"


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
