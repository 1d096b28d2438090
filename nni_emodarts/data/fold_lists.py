"""Lists of folds: a CSV file that says which recordings test in which fold, as others have published it.

Columns `file` and `fold`: each fold tests once, the next one validates (of the last, the first), all others train. With
a column `split` a row says instead what a recording is in a fold: `train`, `validation` or `test`; then each fold lists
every recording, so that a list of a single fold is one, too. Folds are numbered in the order of their names.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from os.path import normpath
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from nni_emodarts.config import FILE_PROTOCOL, DataConfig, enumerate_faults, nearest
from nni_emodarts.data.manifest import Manifest
from nni_emodarts.data.parts import PARTS, parts_of
from nni_emodarts.data.table import enumerate_some, name_lines, read_cells
from nni_emodarts.errors import ProtocolError
from nni_emodarts.runtime.reading import UnreadableError

COLUMNS = ("file", "fold", "split")
FEWEST = 3
"""Folds of a list without a column `split`: one to test, one to validate, one to train."""
_WHOLE = r"\d{1,9}"


@dataclass(frozen=True, eq=False)
class FoldList:
    """Which part of each fold the recordings of a manifest are.

    Attributes:
        names: of the folds, in their order.
        files: the recordings.
        parts: (folds, recordings) place of each one's part in `PARTS`.
        digest: of what the list says of them, wherever it lies and however it is ordered.
        allows_overlap: whether a fold may have speakers in several parts.
        notes: what looks odd, and keeps nobody from using it.
    """

    names: tuple[str, ...]
    files: pd.Index
    parts: npt.NDArray[np.int8]
    digest: str
    allows_overlap: bool = False
    notes: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """What a run is computed by: of a list with the same content the same."""
        return f"{FILE_PROTOCOL}{self.digest}"

    def part_of(self, fold: int, files: "pd.Series[str]") -> npt.NDArray[np.int8]:
        """(n,) the part in a fold of each utterance, by its recording."""
        found: npt.NDArray[np.int8] = self.parts[fold, self.files.get_indexer(pd.Index(files))]
        return found


def read_folds(path: Path, manifest: Manifest, *, allow_overlap: bool = False, complete: bool = True) -> FoldList:
    """Read a list of folds and match it with a manifest.

    Args:
        path: a CSV file in UTF-8, separated by commas, semicolons or tabs, with the columns `file` and `fold`, and
            `split` where it says more. Files are named as in the manifest, or relative to the list.
        manifest: the utterances.
        allow_overlap: whether a fold may have speakers in several parts.
        complete: whether the manifest has all of its utterances; of one of which emotions were picked, what the list
            has besides is noted alone.

    Raises:
        ProtocolError: the list cannot be read, or its faults, all in one message.
    """
    what = f"list of folds {path}"
    try:
        cells = read_cells(path, COLUMNS)
    except OSError as error:
        raise ProtocolError(f"{what}: {error.strerror or error}; name an existing CSV file") from None
    except UnreadableError as error:
        raise ProtocolError(f"{what} {error}") from None
    return parse_folds(cells, what, manifest, folder=path.parent, allow_overlap=allow_overlap, complete=complete)


def parse_folds(
    cells: pd.DataFrame,
    what: str,
    manifest: Manifest,
    *,
    folder: Path = Path(),
    allow_overlap: bool = False,
    complete: bool = True,
) -> FoldList:
    """Match the cells of a list of folds with a manifest.

    Args:
        cells: text, numbered by the line on which each row stands.
        what: it is, for messages.
        manifest: the utterances.
        folder: files are relative to it, where they are not named as in the manifest.
        allow_overlap: as for `read_folds`, like `complete`.
        complete: likewise.

    Raises:
        ProtocolError: its faults, all in one message.
    """
    faults = list(_column_faults(cells))
    if faults:
        raise ProtocolError(enumerate_faults(what, faults))
    table, split = _normalise(cells, folder, manifest), "split" in cells.columns
    faults = [*_row_faults(table, split), *_match_faults(table, split, manifest, complete)]
    if not faults:
        faults = list(_fold_faults(table, split))
    if faults:
        raise ProtocolError(enumerate_faults(what, faults))
    known = table[table["known"]]
    extra = len(set(table["file"])) - len(set(known["file"]))
    notes = [f"{extra} recordings of the {what} are of emotions that were not picked"] if extra else []
    return replace(_divide(known, split), allows_overlap=allow_overlap, notes=tuple(notes))


def attached(manifest: Manifest, data: DataConfig) -> Manifest:
    """The manifest with the list of folds that a configuration names, where it names one.

    Raises:
        ProtocolError: as for `read_folds`.
    """
    if data.fold_list is None:
        return manifest
    allow, complete = data.speaker_overlap == "allow", data.emotions is None
    folds = read_folds(data.fold_list, manifest, allow_overlap=allow, complete=complete)
    return replace(manifest, folds=folds, notes=(*manifest.notes, *folds.notes))


def _column_faults(cells: pd.DataFrame) -> Iterator[str]:
    present = list(cells.columns)
    for name in COLUMNS[:2]:
        if name not in present:
            yield f"column {name!r} is missing{nearest(name, present)}"
    for name in COLUMNS:
        if present.count(name) > 1:
            yield f"column {name!r} is there {present.count(name)} times; keep one"


def _normalise(cells: pd.DataFrame, folder: Path, manifest: Manifest) -> pd.DataFrame:
    """Rows with the manifest's own file and its name, whether it is known, fold, split as written and part."""
    texts = cells.reindex(columns=list(COLUMNS), fill_value="").apply(lambda column: column.str.strip())
    own = dict(zip(manifest.table["file"], manifest.names, strict=True))
    places: dict[str, str] = {}
    for name in texts["file"].unique():
        candidates = [normpath(each / name) for each in (manifest.folder, folder)]
        places[name] = next((place for place in candidates if place in own), candidates[0]) if name else ""
    files = texts["file"].map(places)
    part = parts_of(texts["split"])
    table: pd.DataFrame = texts.assign(
        written=texts["file"], file=files, name=files.map(own), known=files.isin(own), part=part
    )
    return table


def _row_faults(table: pd.DataFrame, split: bool) -> Iterator[str]:
    if table.empty:
        yield "it names no recording; add a line for each"
    for name in ("written", "fold"):
        shown = "file" if name == "written" else name
        yield from _at(list(table.index[table[name] == ""]), f"{shown} is blank; fill it in or remove the line")
    if split:
        odd = table[table["part"] < 0]
        lines = [f"{line} ({value!r})" for line, value in odd["split"].items()]
        yield from _at(lines, "split is none of train, validation and test; write one of them")
    same = ["file", "fold"] if split else ["file"]
    twice = table.duplicated(same) & (table["written"] != "")
    where = " in this fold" if split else ", and a recording tests in one fold"
    lines = [f"{line} ({name})" for line, name in table.loc[twice, "written"].items()]
    yield from _at(lines, f"the same file stood on an earlier line{where}; keep one of them")


def _match_faults(table: pd.DataFrame, split: bool, manifest: Manifest, complete: bool) -> Iterator[str]:
    """Files of the list that the manifest lacks, and recordings of the manifest that a fold lacks."""
    named = table[table["written"] != ""]
    unknown = named.loc[~named["known"], "written"].unique().tolist()
    if len(unknown) and (complete or not named["known"].any()):
        yield (
            f"{_count(unknown, 'file')} of the list {'is' if len(unknown) == 1 else 'are'} not in the manifest: "
            f"{enumerate_some(unknown)}; name them as the manifest does, or remove their lines"
        )
    recordings = dict(zip(manifest.table["file"], manifest.names, strict=True))
    folds = named.groupby("fold", sort=False) if split else [("", named)]
    for fold, rows in folds:
        there = set(rows["file"])
        lost = [name for file, name in recordings.items() if file not in there]
        if lost:
            where = f"fold {fold} of the list" if split else "any fold of the list"
            yield (
                f"{_count(lost, 'recording')} of the manifest {'is' if len(lost) == 1 else 'are'} not in {where}: "
                f"{enumerate_some(lost)}; add a line for each"
            )


def _fold_faults(table: pd.DataFrame, split: bool) -> Iterator[str]:
    """Folds that are empty, or too few."""
    names = _ordered(table["fold"])
    known = table[table["known"]]
    empty = [name for name in names if name not in set(known["fold"])]
    if all(pd.Series(names).str.fullmatch(_WHOLE)):
        numbers = {int(name) for name in names}
        empty += [str(number) for number in range(min(numbers), max(numbers)) if number not in numbers]
    if empty:
        fold, hold, them = ("fold", "holds", "it") if len(empty) == 1 else ("folds", "hold", "them")
        yield f"{fold} {enumerate_some(empty)} {hold} no recording; number the folds without a gap, or leave {them} out"
    if not split:
        if len(names) < FEWEST:
            yield (
                f"it has {_count(names, 'fold')}, but one tests, the next validates and the others train; name at "
                f"least {FEWEST}, or add a column split that says train, validation or test"
            )
        return
    for name in names:
        there = set(known.loc[known["fold"] == name, "part"])
        lost = [part for number, part in enumerate(PARTS) if number not in there]
        if lost:
            yield f"fold {name}: no recording is in {' or '.join(lost)}; say so in the column split"


def _divide(known: pd.DataFrame, split: bool) -> FoldList:
    """The parts of rows without a fault."""
    names = _ordered(known["fold"])
    files = pd.Index(known["file"].unique())
    column = files.get_indexer(pd.Index(known["file"]))
    fold = pd.Index(names).get_indexer(pd.Index(known["fold"]))
    if split:
        parts = np.full((len(names), len(files)), -1, dtype=np.int8)
        parts[fold, column] = known["part"]
    else:
        tests = np.empty(len(files), dtype=np.int64)
        tests[column] = fold
        parts = np.full((len(names), len(files)), PARTS.index("train"), dtype=np.int8)
        parts[(tests - 1) % len(names), np.arange(len(files))] = PARTS.index("validation")
        parts[tests, np.arange(len(files))] = PARTS.index("test")
    stated = dict(zip(known["file"], known["name"], strict=True))
    return FoldList(tuple(names), files, parts, _digest([stated[file] for file in files], parts))


def _digest(names: Sequence[str], parts: npt.NDArray[np.int8]) -> str:
    """Of who is in which part of which fold; whether the parts were written out or follow makes no other list."""
    order = sorted(range(len(names)), key=lambda place: names[place])
    rows = [[names[place], parts[:, place].tolist()] for place in order]
    return sha256(json.dumps(rows).encode()).hexdigest()[:12]


def _ordered(folds: "pd.Series[str]") -> list[str]:
    """Names of folds: whole numbers by their value, before others by their letters."""
    names = folds[folds != ""].unique().tolist()
    return sorted(names, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name))


def _at(lines: Sequence[object], fault: str) -> Iterator[str]:
    if len(lines):
        yield f"{name_lines(lines)}: {fault}"


def _count(items: Sequence[object], noun: str) -> str:
    return f"{len(items):,} {noun}{'' if len(items) == 1 else 's'}"
