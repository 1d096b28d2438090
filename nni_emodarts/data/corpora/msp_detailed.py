"""`labels_detailed.csv` of MSP-Podcast: each annotator's answer to each turn, in one of three forms.

Release 1.6 has a column for each part of an answer and `Workers`, 1.7 to 1.12 write all of it into `EmoDetail`, 2.0 has
columns again and `WorkerID`. Which it is, is told from the columns. The file has more lines than a table of this
package may have (release 2.0: more than a million), so that it is read line by line.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nni_emodarts.data.corpora.polls import Answer, Poll, parse_answer, split_words
from nni_emodarts.data.table import enumerate_some
from nni_emodarts.errors import ManifestError
from nni_emodarts.runtime.reading import MEGABYTE, UnreadableError, open_file

LARGEST = 1024 * MEGABYTE
"""Bytes of the file at most; that of release 2.0 has about 150 MB."""
Row = Mapping[str, str]


@dataclass(frozen=True)
class Form:
    """How a release writes answers.

    Attributes:
        releases: that do.
        columns: which the file then has.
        answer: row -> the answer; None where it is none.
    """

    releases: str
    columns: frozenset[str]
    answer: Callable[[Row], Answer | None]


def _of_columns(annotator: str) -> Callable[[Row], Answer | None]:
    def answer(row: Row) -> Answer | None:
        if not row[annotator] or not row["EmoClass_Major"]:
            return None
        return Answer(row[annotator], [row["EmoClass_Major"]], split_words(row["EmoClass_Second"]))

    return answer


FORMS = (
    Form("1.6", frozenset({"FileName", "Workers", "EmoClass_Major", "EmoClass_Second"}), _of_columns("Workers")),
    Form("1.7 to 1.12", frozenset({"FileName", "EmoDetail"}), lambda row: parse_answer(row["EmoDetail"])),
    Form("2.0", frozenset({"FileName", "WorkerID", "EmoClass_Major", "EmoClass_Second"}), _of_columns("WorkerID")),
)
"""The forms that are known."""


def count_answers(path: Path, poll: Poll) -> list[str]:
    """Count the answers of a file.

    Args:
        path: `labels_detailed.csv`.
        poll: counts them, by the turns' file names.

    Returns:
        Notes: which release's form it is, and lines that are no answer.

    Raises:
        ManifestError: it cannot be read, or is of no known form.
    """
    strange: list[str] = []
    try:
        with open_file(path, LARGEST) as file:
            rows = csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline=""))
            header = [name.strip() for name in next(rows, [])]
            form = _form_of(path, header)
            for line, row in _records(rows, header):
                answer = form.answer(row) if row["FileName"] else None
                if answer is None:
                    strange.append(str(line))
                else:
                    poll.add(row["FileName"], answer)
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror or error}; make it readable") from None
    except UnreadableError as error:
        raise ManifestError(f"{path} {error}") from None
    except csv.Error as error:
        raise ManifestError(f"{path} is no CSV file as the corpus has it ({error}); restore it") from None
    notes = [f"{path.name}: in the form of release {form.releases}"]
    if strange:
        notes.append(
            f"{path.name}: lines that hold no answer do not count, {len(strange)} in all: {enumerate_some(strange)}"
        )
    return notes


def _form_of(path: Path, header: list[str]) -> Form:
    """The form of a file's columns.

    Raises:
        ManifestError: none is known.
    """
    for form in FORMS:
        if form.columns <= set(header):
            return form
    known = "; ".join(f"{form.releases}: {', '.join(sorted(form.columns))}" for form in FORMS)
    raise ManifestError(
        f"{path} is in the form of no release that is known: its columns are {enumerate_some(header) or 'none'}; known "
        f"are those of {known}. Move it away to go without votes"
    )


def _records(rows: Iterator[list[str]], header: list[str]) -> Iterator[tuple[int, Row]]:
    """Number of each line, and its cells by column; short lines end in blanks."""
    for line, cells in enumerate(rows, start=2):
        if cells:
            cells += [""] * (len(header) - len(cells))
            yield line, dict(zip(header, map(str.strip, cells), strict=False))
