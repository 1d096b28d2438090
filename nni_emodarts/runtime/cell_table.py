"""The finished cells of a benchmark: a line a cell in `cells/NAME.jsonl`, which several commands may append to.

Jobs on other machines append nothing, since not every shared file system can lock a file between machines: each cell of
theirs is a file of its own, whole or absent, until a command takes it over.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

from nni_emodarts.errors import RunFolderError
from nni_emodarts.runtime.json_lines import Line, locked, read_lines
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.writing import put_json_file

CELLS = "cells"
"""Folder of the tables, beside the summaries."""
VARIANT = "variant"
"""Key of a line that says to which of several configurations of one table its cell belongs."""


class CellKey(NamedTuple):
    """What a cell is known by: one method on one fold with one seed."""

    method: str
    fold: int
    seed: int

    def __str__(self) -> str:
        return f"{self.method}, fold {self.fold}, seed {self.seed}"


class Place(NamedTuple):
    """Where a cell stands: on a line of a table, or in a file of its own."""

    file: Path
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.file}" if self.line is None else f"{self.file}, line {self.line}"


class Kept(Protocol):
    """Figures that a table keeps."""

    method: str
    fold: int
    seed: int

    def to_data(self) -> JsonObject:
        """As an object for JSON."""


Figures = TypeVar("Figures", bound=Kept)


@dataclass(frozen=True)
class Contents(Generic[Figures]):
    """What a table holds at a moment.

    Attributes:
        cells: figures by key.
        places: where each stands.
        damaged: lines that hold no cell, in words; their cells count as missing.
    """

    cells: dict[CellKey, Figures]
    places: dict[CellKey, Place]
    damaged: list[str]

    def seeds(self, method: str) -> list[int]:
        """Seeds of which there is any cell of a method."""
        return sorted({key.seed for key in self.cells if key.method == method})


@dataclass(frozen=True)
class CellTable(Generic[Figures]):
    """A table of finished cells, or the cells of one of its variants.

    Cells that are files of their own, in a folder of the table's name, are read like lines: those that jobs have just
    finished, and all of an earlier version.

    Attributes:
        file: the table.
        parse: makes figures of a line's object; raises a ValueError where it is no cell.
        variant: which cells of a table that holds several configurations.
    """

    file: Path
    parse: Callable[[object], Figures]
    variant: str = ""

    @classmethod
    def beside(cls, folder: Path, name: str, parse: Callable[[object], Figures]) -> "CellTable[Figures]":
        """The table behind `FOLDER/NAME.json`."""
        return cls(folder / CELLS / f"{name}.jsonl", parse)

    @property
    def folder(self) -> Path:
        """Where cells are kept as files."""
        return self.file.with_suffix("") / self.variant

    def read(self) -> Contents[Figures]:
        """All cells; lines and files that hold none are named and left out.

        Raises:
            RunFolderError: two lines hold the same cell with different figures.
        """
        contents: Contents[Figures] = Contents({}, {}, [])
        held: dict[CellKey, JsonObject] = {}
        for place, line in self._lines():
            try:
                data = self._data(place, line)
                figures = self.parse(data)
            except ValueError as error:
                what = f"is no cell ({error}) and can be deleted" if line.ended else "was cut off"
                contents.damaged.append(f"{place} {what}: {line}")
                continue
            if data.get(VARIANT, "") != self.variant:
                continue
            key = _key(data)
            if held.setdefault(key, data) != data:
                raise _twice(key, contents.places[key], place)
            contents.cells.setdefault(key, figures)
            contents.places.setdefault(key, place)
        return contents

    def append(self, figures: Figures) -> Figures:
        """Add a finished cell, unless another command has finished it meanwhile.

        Returns:
            The figures that the table holds: the given ones, or those that were there.
        """
        key = CellKey(figures.method, figures.fold, figures.seed)
        with locked(self.file) as lines:
            for _, data in self._held(lines.read()):
                if _key(data) == key:
                    return self.parse(data)
            lines.append([self._own(figures.to_data())])
        return figures

    def put(self, figures: Figures) -> None:
        """Keep a finished cell as a file, for a command to take over."""
        key = CellKey(figures.method, figures.fold, figures.seed)
        name = f"{key.method}-fold_{key.fold:02d}-seed_{key.seed}.json"
        put_json_file(self.folder / name, figures.to_data())

    def take_over(self) -> int:
        """Make lines of the cells that are kept as files; each file is deleted once its line is on the disk.

        Files that hold no cell stay.

        Returns:
            How many cells.

        Raises:
            RunFolderError: the table holds one of them with different figures.
        """
        taken: dict[Path, JsonObject] = {}
        for place, line in self._files():
            with suppress(ValueError):
                data = self._data(place, line)
                self.parse(data)
                taken[place.file] = data
        if not taken:
            return 0
        with locked(self.file) as lines:
            held = {_key(data): (place, data) for place, data in self._held(lines.read())}
            for file, data in taken.items():
                place, there = held.get(_key(data), (Place(file), data))
                if there != data:
                    raise _twice(_key(data), place, Place(file))
            lines.append([data for data in taken.values() if _key(data) not in held])
        for file in taken:
            file.unlink(missing_ok=True)
        for folder in (self.folder, self.file.with_suffix("")):
            with suppress(OSError):  # something else is in it, or it is gone
                folder.rmdir()
        return len(taken)

    def drop(self, keys: Collection[CellKey]) -> list[str]:
        """Delete cells; where each stood is returned, in words."""
        self.take_over()
        if not keys or not self.file.exists():
            return []
        with locked(self.file) as lines:
            there = lines.read()
            gone = {place: _key(data) for place, data in self._held(there) if _key(data) in keys}
            if gone:
                lines.keep(line for line in there if Place(self.file, line.number) not in gone)
        return [f"{place} ({key})" for place, key in gone.items()]

    def _lines(self) -> Iterator[tuple[Place, Line]]:
        """Files, then lines: what another command takes over meanwhile is seen at least once."""
        yield from self._files()
        for line in read_lines(self.file):
            yield Place(self.file, line.number), line

    def _files(self) -> Iterator[tuple[Place, Line]]:
        for file in sorted(self.folder.glob("*-fold_*-seed_*.json")):
            with suppress(FileNotFoundError):  # another command has just taken it over
                yield Place(file), Line(1, file.read_bytes().rstrip() + b"\n")

    def _data(self, place: Place, line: Line) -> JsonObject:
        """The object of a line; files say nothing of the variant, which is their folder's name."""
        return line.parse() if place.line is not None else self._own(line.parse())

    def _own(self, data: JsonObject) -> JsonObject:
        return {VARIANT: self.variant, **data} if self.variant else data

    def _held(self, lines: Iterable[Line]) -> Iterator[tuple[Place, JsonObject]]:
        """Lines that hold a cell of the variant."""
        for line in lines:
            with suppress(ValueError):
                data = line.parse()
                self.parse(data)
                if data.get(VARIANT, "") == self.variant:
                    yield Place(self.file, line.number), data


def _key(data: JsonObject) -> CellKey:
    return CellKey(data["method"], data["fold"], data["seed"])


def _twice(key: CellKey, one: Place, other: Place) -> RunFolderError:
    return RunFolderError(
        f"{one} and {other} hold the same cell ({key}) with different figures; keep one of them alone"
    )
