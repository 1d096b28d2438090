"""Tables of text that people made: each cell as it stands, each row with its line, or a fault that names the line.

Spreadsheets separate cells by commas, semicolons or tabs, and may say so in a first line `sep=;`. Lines that begin with
`#` above the header are comments. Nothing is guessed about what a cell means: `03` stays `03`, `NA` stays `NA`.
"""

import csv
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from nni_emodarts.runtime.reading import KILOBYTE, MOST_COLUMNS, UnreadableError, decode, encoding_of, read_table_bytes

SEPARATORS = ",;\t"
SHOWN = 10
"""Items that a message lists before it only counts."""
LINE = "line"
"""Name of the index of rows that are numbered by the lines of a person's file."""
_LONG = 300
"""Letters of an item that a message shows."""
_LONGEST_LINE = 128 * KILOBYTE
"""Bytes of a line, and of a cell: as many as Python's own reader takes."""
_HEAD = 50
"""Lines above a header at most."""
_EXCEL = re.compile(r"\"?sep=(?P<separator>[^\r\n])\"?[;,\t ]*[\r\n]*", re.IGNORECASE)
"""The line by which Excel tells itself how cells are separated."""
_RECORDING = re.compile(r".*\.(wav|flac|mp3|ogg|opus|m4a|aac|aiff?|au|sph|w64|caf)", re.IGNORECASE)


def read_cells(
    path: Path, names: Sequence[str] = (), separators: str = SEPARATORS, quoted: bool = True
) -> pd.DataFrame:
    """A table of text.

    Args:
        path: the file.
        names: what its columns may be called, in small letters, those that it must have first. Without any, its first
            line is the header, and no cell goes over several lines.
        separators: what may separate cells; of several the one that the header has most.
        quoted: whether a cell may stand in quotation marks; else these are text.

    Returns:
        Columns by the header; rows by the line on which they begin, without those that are blank.

    Raises:
        OSError: the file cannot be read.
        UnreadableError: it is no text, too large, or has faults; the end of a sentence that begins with its name.
    """
    data = _as_utf8(read_table_bytes(path, separators.encode()), names)
    _refuse_long_lines(data)
    layout = _find_layout(data, names, separators, quoted)
    begins, width = (None, None) if not quoted or b'"' not in data else _survey(data, layout, names, path.parent)
    try:
        cells = _parse(data, layout, width)
    except pd.errors.ParserError:  # a row has more cells than the first
        begins, width = _survey(data, layout, names, path.parent)
        cells = _parse(data, layout, width)
    cells.index = pd.Index(np.arange(len(cells)) + layout.above + 1 if begins is None else begins[: len(cells)])
    header = _header(next(_records(data, layout))[1], names)
    rows = cells.iloc[1:]
    rows = rows[(rows != "").any(axis=1)]
    return _without_surplus(rows, header)


def enumerate_some(items: Iterable[object]) -> str:
    """The first items of a message's list, and how many more there are."""
    texts = [text if len(text) <= _LONG else f"{text[:_LONG]}…" for text in map(str, items)]
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return ", ".join(texts[:SHOWN]) + more


def name_lines(lines: Sequence[object]) -> str:
    """The first lines of a fault, behind the word for them."""
    return f"line{'' if len(lines) == 1 else 's'} {enumerate_some(lines)}"


@dataclass(frozen=True)
class _Layout:
    """How a table lies in its file.

    Attributes:
        above: lines above the header.
        start: bytes above it.
        separator: between two cells.
        quoted: whether cells may stand in quotation marks.
    """

    above: int
    start: int
    separator: str
    quoted: bool

    def lines(self, data: bytes) -> Iterator[str]:
        """The header's line and all below it, with their ends."""
        stream = BytesIO(data)
        stream.seek(self.start)
        return iter(TextIOWrapper(stream, encoding="utf-8", newline=""))

    @property
    def quoting(self) -> Literal[0, 3]:
        """As `csv` and pandas number it."""
        return 0 if self.quoted else 3  # QUOTE_MINIMAL, QUOTE_NONE


def _as_utf8(data: bytes, names: Sequence[str]) -> bytes:
    """The text in UTF-8, without a byte order mark.

    Raises:
        UnreadableError: it is blank or no text.
    """
    text = decode(data)
    if not text.strip():
        raise UnreadableError(f"is empty; its first line must name {', '.join(names[:3]) or 'the columns'}")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UnreadableError(f"is no text: line {line} holds a zero byte; copy or export it again")
    return data if encoding_of(data) == "utf-8-sig" and data[:3] != b"\xef\xbb\xbf" else text.encode()


def _refuse_long_lines(data: bytes) -> None:
    end = b"\n" if b"\n" in data else b"\r"
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == end[0])
    lengths = np.diff(ends, prepend=-1, append=len(data))
    if lengths.max() > _LONGEST_LINE:
        raise UnreadableError(
            f"is no table: line {lengths.argmax() + 1} has more than {_LONGEST_LINE // KILOBYTE} KB, the most that is "
            f"read; name another"
        )


def _find_layout(data: bytes, names: Collection[str], separators: str, quoted: bool) -> _Layout:
    """Pass over Excel's line and over comments; the header says what separates its cells."""
    stated, start = "", 0
    lines = _Layout(0, 0, ",", quoted).lines(data)
    for above, line in enumerate(itertools.islice(lines, _HEAD)):
        excel = _EXCEL.fullmatch(line) if not above and len(separators) > 1 else None
        if excel is not None:
            stated = excel["separator"]
        elif line.strip() and not _is_comment(line, names, separators):
            bare = re.sub(r'"[^"]*"', "", line)
            return _Layout(above, start, stated or max(separators, key=bare.count), quoted)
        start += len(line.encode())
    raise UnreadableError(f"names no columns in its first {_HEAD} lines; name them in the first")


def _is_comment(line: str, names: Collection[str], separators: str) -> bool:
    """Whether a line begins with `#` and names no column. Of a table whose columns are not known none is a comment."""
    cells = re.split(f"[{re.escape(separators)}]", line.lstrip("#"))
    return bool(names) and line.startswith("#") and not {cell.strip(' "\r\n').lower() for cell in cells} & set(names)


def _header(cells: Sequence[str], names: Collection[str]) -> list[str]:
    """Names of the columns; one behind a `#`, as some tools write a header, is one all the same."""
    header = [cell.strip() for cell in cells]
    bare = header[0].lstrip("#").strip()
    return [bare, *header[1:]] if bare.lower() in names else header


def _parse(data: bytes, layout: _Layout, width: int | None) -> pd.DataFrame:
    """All cells as text, the header a row like others: pandas would rename doubled columns, and take one for an index.

    Raises:
        ParserError: a row has more cells than `width`, or than the first where that is not known.
    """
    stream = BytesIO(data)
    stream.seek(layout.start)
    found: pd.DataFrame = pd.read_csv(
        stream,
        sep=layout.separator,
        header=None,
        names=None if width is None else range(width),
        dtype=str,
        keep_default_na=False,
        skip_blank_lines=False,
        quoting=layout.quoting,
        encoding="utf-8",
        compression=None,
    )
    return found.fillna("")  # lines that end early


def _survey(data: bytes, layout: _Layout, names: Collection[str], folder: Path) -> tuple[npt.NDArray[np.int64], int]:
    """The line on which each row begins, and the most cells that one has.

    Raises:
        UnreadableError: quotation marks that are not closed, or more columns than are read.
    """
    ends, width, swallowed = [layout.above], 0, []
    for end, cells, whole in _records(data, layout):
        over_lines = end > ends[-1] + 1
        if over_lines and names and whole:
            over_lines = _holds_rows(cells, layout.separator, folder)
        if over_lines or not (whole or cells):
            swallowed.append(f"{ends[-1] + 1} (to line {end})")
        ends.append(end)
        width = max(width, len(cells))
    if swallowed:
        raise UnreadableError(
            f"is no table as it stands: a quotation mark that opens a cell is not closed, and the cell swallows what "
            f'follows: {name_lines(swallowed)}; close it, or double the mark where text is meant ("")'
        )
    if width > MOST_COLUMNS:
        raise UnreadableError(f"has a row of {width:,} cells, more than the {MOST_COLUMNS:,} that are read; mend it")
    return np.array(ends[:-1]) + 1, width


def _records(data: bytes, layout: _Layout) -> Iterator[tuple[int, list[str], bool]]:
    """Line on which each row ends, its cells, and whether its quotation marks are as they should be.

    Where they are not, cells are those of its last line; none where a mark is open at the end of the file.
    """
    last = [""]

    def watched() -> Iterator[str]:
        for line in layout.lines(data):
            last[0] = line
            yield line

    reader = csv.reader(watched(), delimiter=layout.separator, quoting=layout.quoting, strict=True)
    while True:
        whole = True
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # On one line, as in `"oh" he said`, the row is whole, whatever its marks mean; unless another is open.
            whole, lenient = False, csv.reader([*last, ""], delimiter=layout.separator)
            cells = next(lenient, []) if "expected after" in str(error) else []
            cells = cells if lenient.line_num == 1 else []
        yield layout.above + reader.line_num, cells, whole


def _holds_rows(cells: Sequence[str], separator: str, folder: Path) -> bool:
    """Whether a row's cells hold lines like a row: divided, with a recording in it or for its first cell."""
    for line in (line for cell in cells for line in re.split("[\r\n]+", cell)[1:]):
        inside = [cell.strip().strip('"') for cell in line.split(separator)]
        named = any(map(_RECORDING.fullmatch, inside))
        if len(inside) > 1 and (named or (inside[0] and (folder / inside[0]).is_file())):
            return True
    return False


def _without_surplus(rows: pd.DataFrame, header: Sequence[str]) -> pd.DataFrame:
    """The table under its header.

    Raises:
        UnreadableError: rows have text beyond its columns.
    """
    width = len(header)
    surplus = rows.iloc[:, width:].map(str.strip) != ""
    bad = rows.index[surplus.any(axis=1).to_numpy(dtype=bool)]
    if len(bad):
        counts = (surplus.loc[bad] * np.arange(width + 1, rows.shape[1] + 1)).max(axis=1)
        listed = name_lines([f"{line} ({counts[line]} cells)" for line in bad])
        raise UnreadableError(
            f"is no table as it stands: rows have more cells than the header's {width}: {listed}; put cells that "
            f"hold a separator in quotation marks"
        )
    return rows.iloc[:, :width].set_axis(pd.Index(header), axis=1)
