"""Files of a corpus: found, read and refused in one way by all readers."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from re import Match, Pattern
from typing import NamedTuple

import pandas as pd

from nni_emodarts.config import DIMENSIONS, nearest
from nni_emodarts.data.containers.kinds import stand_in
from nni_emodarts.data.corpora.card import CorpusCard
from nni_emodarts.data.spelling import look
from nni_emodarts.data.table import enumerate_some, read_cells
from nni_emodarts.data.votes import VOTES
from nni_emodarts.errors import ManifestError
from nni_emodarts.runtime.reading import (
    LARGEST_TABLE,
    UnreadableError,
    encoding_of,
    read_bytes,
    refuse_other_formats,
)

NOTES = "notes"
"""What a reader has to say of a corpus, under this name among a table's attributes."""
AUDIO = (".wav", ".flac")
"""Suffixes of recordings, in any case of letters."""


class Utterance(NamedTuple):
    """A row that a reader makes; "" stands for unknown."""

    file: Path
    emotion: str
    speaker: str
    session: str = ""
    gender: str = ""
    text: str = ""
    split: str = ""
    arousal: str = ""
    valence: str = ""
    dominance: str = ""
    votes: str = ""


class Fault(NamedTuple):
    """Something wrong with a corpus: what it is, the files or lines that have it, and what to do."""

    what: str
    where: Sequence[str]
    remedy: str


class MisfitError(Exception):
    """A recording whose name or folder does not follow the corpus's scheme; never leaves this room."""


def fit(pattern: Pattern[str], path: Path) -> Match[str]:
    """Match a file's name without suffix.

    Raises:
        MisfitError: it does not match.
    """
    match = pattern.fullmatch(path.stem)
    if match is None:
        raise MisfitError
    return match


def read_named(card: CorpusCard, root: Path, example: str, parse: Callable[[Path], Utterance | None]) -> pd.DataFrame:
    """Read a corpus whose labels are in the names of its recordings, in whatever folders they lie.

    Args:
        card: the corpus.
        root: folder that holds the recordings, at any depth.
        example: a name that follows the scheme.
        parse: recording -> its row, or None where it is left out; raises `MisfitError`.

    Raises:
        ManifestError: the root is not the corpus; or recordings that do not fit or stand there twice, all together.
    """
    rows: list[Utterance] = []
    misfits: list[Path] = []
    doubles: list[str] = []
    seen: dict[tuple[str, str], Path] = {}
    for path in find_recordings(root) if root.is_dir() else ():
        try:
            row = parse(path)
        except MisfitError:
            misfits.append(path)
            continue
        if row is None:
            continue
        # Folders that were unpacked twice, one into the other, would put a recording on both sides of a fold.
        key = (row.speaker, path.stem.lower().removeprefix(f"{row.speaker.lower()}_"))
        if key in seen:
            doubles.append(f"{shown(seen[key], root)} = {shown(path, root)}")
        seen.setdefault(key, path)
        rows.append(row)
    if not rows:
        raise wrong_root(card, root, [shown(path, root) for path in misfits])
    strange = [shown(path, root) for path in misfits]
    scheme = f"recordings that are not named or filed like {example}"
    raise_faults(
        card,
        root,
        Fault(scheme, strange, "move them out of the folder, or list what you have in a CSV file and use csv"),
        Fault("recordings that are there twice", doubles, "name the folder of one copy as the root"),
    )
    return as_table(rows)


def find_recordings(root: Path) -> list[Path]:
    """All visible recordings below a folder, sorted."""
    return sorted(path for path in find_files(root) if path.suffix.lower() in AUDIO)


class NamedRecordings:
    """Recordings below a folder by the name that a table gives them; another case of its letters does no harm."""

    def __init__(self, root: Path, name: Callable[[Path], str]) -> None:
        """Find them.

        Args:
            root: the folder.
            name: recording -> what tables call it.
        """
        paths = find_recordings(root)
        self._exact = {name(path): path for path in paths}
        self._cased: dict[str, list[Path]] = {}
        for called, path in self._exact.items():
            self._cased.setdefault(look(called).casefold(), []).append(path)

    def get(self, called: str) -> Path | None:
        """The recording of a name; None where there is none, or where several differ in case alone."""
        alike = self._cased.get(look(called).casefold(), [])
        return self._exact.get(called) or (alike[0] if len(alike) == 1 else None)


def find_files(root: Path) -> Iterator[Path]:
    """All files below a folder; hidden files and folders (`._a.wav`, `.ipynb_checkpoints`) are passed over.

    Raises:
        ManifestError: a folder that cannot be read.
    """
    visited = set()
    for folder, children, names in os.walk(root, onerror=_refuse_folder, followlinks=True):
        _refuse_names(folder, names)
        real = os.path.realpath(folder)
        children[:] = [] if real in visited else sorted(name for name in children if not name.startswith("."))
        if real not in visited:  # a link to a folder above would never end
            yield from (Path(folder, name) for name in names if not name.startswith("."))
        visited.add(real)


def _refuse_names(folder: str, names: Sequence[str]) -> None:
    """A manifest is UTF-8, so that it cannot name what is named otherwise."""
    for name in (folder, *names):
        if not name.isascii() and any("\udc80" <= letter <= "\udcff" for letter in name):
            path = os.fsencode(folder if name is folder else Path(folder, name))
            raise ManifestError(f"the name {path!r} is no UTF-8; rename it, such as by convmv")


def find_file(root: Path, *names: str) -> Path | None:
    """The first file of these names in a folder or in a folder therein."""
    if not root.is_dir():
        return None
    folders = [root, *(path for path in _visible(root) if path.is_dir())]
    candidates = (folder / name for folder in folders for name in names)
    return next((path for path in candidates if path.is_file()), None)


def read_table(path: Path, separators: str = ",", quoted: bool = True, names: Sequence[str] = ()) -> pd.DataFrame:
    """A table of text cells whose first line names the columns, blanks at their ends removed.

    Args:
        path: a text file; see `nni_emodarts.data.table.read_cells` for what is understood.
        separators: what may be between two cells.
        quoted: whether a cell may stand in quotation marks; else these are text.
        names: what the columns may be called, for a file of a person's own.

    Returns:
        Rows by the line on which they stand.

    Raises:
        ManifestError: it cannot be read, has faults, or names a column twice.
    """
    try:
        cells = read_cells(path, names, separators, quoted)
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror or error}; name an existing file") from None
    except UnreadableError as error:
        raise ManifestError(f"{path} {error}") from None
    cells = cells.map(str.strip)
    cells = cells.loc[:, (cells != "").any().to_numpy() | (cells.columns != "")]  # spreadsheets leave empty columns
    twice = cells.columns[cells.columns.duplicated()]
    if len(twice):
        raise ManifestError(f"{path} names columns twice: {enumerate_some(twice)}; rename them")
    return cells


def read_lines(path: Path) -> list[str]:
    """The lines of a text file; what is no UTF-8 is replaced.

    Raises:
        ManifestError: it cannot be read, or is something else.
    """
    try:
        data = read_bytes(path, LARGEST_TABLE)
        refuse_other_formats(data)
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror or error}; make it readable") from None
    except UnreadableError as error:
        raise ManifestError(f"{path} {error}") from None
    return data.decode(encoding_of(data), errors="replace").splitlines()


def require_columns(table: pd.DataFrame, path: Path, names: Sequence[str]) -> None:
    """Refuse a table that lacks columns.

    Raises:
        ManifestError: with the columns that it lacks and has.
    """
    missing = [f"{name!r}{nearest(name, table.columns)}" for name in names if name not in table.columns]
    if missing:
        raise ManifestError(f"{path} lacks the column{'s' if len(missing) > 1 else ''} " + "\n  ".join(missing))


def as_table(rows: Sequence[Utterance]) -> pd.DataFrame:
    """Rows as a reader gives them; without dimensions and votes where none has any."""
    table = pd.DataFrame(rows, columns=list(Utterance._fields)).astype(str)
    return table.drop(columns=[name for name in (*DIMENSIONS, VOTES) if not (table[name] != "").any()])


def with_notes(table: pd.DataFrame, notes: Iterable[str]) -> pd.DataFrame:
    """The table, and what its reader has to say of it."""
    table.attrs[NOTES] = tuple(notes)
    return table


def notes_of(table: pd.DataFrame) -> tuple[str, ...]:
    """What a table's reader has to say of it."""
    return tuple(table.attrs.get(NOTES, ()))


def refuse_pointers(card: CorpusCard, root: Path, files: Iterable[str]) -> list[str]:
    """Look for files that only stand for recordings; large ones are not opened.

    Args:
        card: the corpus.
        root: folder that holds it.
        files: its recordings.

    Returns:
        Notes of those that are no recordings either: empty ones, pages of errors.

    Raises:
        ManifestError: recordings were not fetched; pointers lie in their place.
    """
    names, found = dict.fromkeys(files), dict[str, list[str]]()
    folder = root if root.is_dir() else root.parent
    for file in names:
        if (reason := stand_in(Path(file))) is not None:
            found.setdefault(reason, []).append(os.path.relpath(file, folder))
    notes = []
    for reason, those in found.items():
        fault = f"{len(those)} of {len(names)} files are no recordings ({enumerate_some(those)}): each {reason}"
        if "pointer" in reason:
            raise ManifestError(f"{card.title} in {root}: {fault}")
        notes.append(fault)
    return notes


def wrong_root(card: CorpusCard, root: Path, found: Sequence[str] = ()) -> ManifestError:
    """The error of a root that is not the corpus.

    Args:
        card: the corpus.
        root: what was named.
        found: what is there instead; a listing of the root where empty.
    """
    there = enumerate_some(found) if found else listing(root)
    return ManifestError(
        f"{root} does not hold {card.title}: expected {card.layout}; found {there}. "
        f"Name the folder that holds it as the root; {card.url} says where to get it"
    )


def raise_faults(card: CorpusCard, root: Path, *faults: Fault) -> None:
    """Raise all faults of a corpus in one message, but for those that nothing has.

    Raises:
        ManifestError: there are some.
    """
    lines = [f"  {what}: {enumerate_some(where)}; {remedy}" for what, where, remedy in faults if where]
    if lines:
        raise ManifestError("\n".join([f"{card.title} in {root} has faults:", *lines]))


def shown(path: Path, root: Path) -> str:
    """A file as messages name it."""
    return path.relative_to(root).as_posix()


def listing(root: Path) -> str:
    """What is at a path, for a message."""
    if not root.exists():
        return "no such file or folder"
    if not root.is_dir():
        return "a file" if root.is_file() else "a pipe or a device"
    return enumerate_some(path.name for path in _visible(root)) or "an empty folder"


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise ManifestError(f"folder {folder}: {error.strerror or error}; make it readable") from None


def _refuse_folder(error: OSError) -> None:
    raise ManifestError(f"folder {error.filename}: {error.strerror or error}; make it readable")
