"""Tables as spreadsheets, editors and people leave them: cell by cell as they stand, or a fault that names the line."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nni_emodarts.data.table import enumerate_some, read_cells
from nni_emodarts.runtime.reading import UnreadableError

NAMES = ("file", "emotion", "speaker")
HEAD = "file,emotion,speaker,text"


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def fault(path: Path, names: tuple[str, ...] = NAMES) -> str:
    with pytest.raises(UnreadableError) as caught:
        read_cells(path, names)
    return str(caught.value)


cells = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=6) | st.sampled_from(
    ["", '"', '""', "a\nb", "a\r\nb", ",", ";", "\t", "NA", "03", " x ", "#", 'he said "no"', "é"]
)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])
rows = st.lists(st.lists(cells, min_size=4, max_size=4), max_size=6)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows, st.sampled_from(",;\t"), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])
)
@example([["", "", "", ""], ["x", '"', "", "a\n\nb"]], ",", "\n", "utf-8")
def test_whatever_was_written_is_read_with_its_line(
    tmp_path: Path, table: list[list[str]], separator: str, end: str, encoding: str
) -> None:
    """The standard library writes; the line of a row is that on which its writing began."""
    stream = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if any("\r" in cell for row in table for cell in row) else csv.QUOTE_MINIMAL
    writer = csv.writer(stream, delimiter=separator, lineterminator=end, quoting=quoting)
    writer.writerow(HEAD.split(","))
    lines = []
    for row in table:
        lines.append(1 + len(stream.getvalue().replace("\r\n", "\n").replace("\r", "\n").split("\n")) - 1)
        writer.writerow(row)
    found = read_cells(write(tmp_path, stream.getvalue().encode(encoding)), NAMES)
    assert list(found.columns) == HEAD.split(",")
    kept = [(line, row) for line, row in zip(lines, table, strict=True) if any(row)]
    assert found.to_numpy().tolist() == [row for _, row in kept]
    assert found.index.tolist() == [line for line, _ in kept]


def corpus(changes: dict[int, str]) -> str:
    """Twenty rows; the texts of some are others. The row of number n stands on line n + 2."""
    rows = [f"{number}.wav,e{number % 2},s{number % 5},{changes.get(number, 'fine')}" for number in range(20)]
    return "\n".join([HEAD, *rows]) + "\n"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({3: '"oh no he said', 9: '"what'}, "5 (to line 11)"),
        ({3: '"oh no he said', 9: 'he said"'}, "5 (to line 11)"),
        ({3: '"oh no he said', 9: '"what" he said'}, "5 (to line 11)"),
        ({3: '"oh no he said', 4: 'or so"'}, "5 (to line 6)"),
        ({3: '"oh no he said'}, "5 (to line 21)"),
        ({3: '"oh" he,"said'}, "5 (to line 5)"),
        ({19: '"oh no he said'}, "21 (to line 21)"),
        ({3: '"a', 5: 'b"', 9: '"c', 12: 'd"'}, "5 (to line 7), 11 (to line 14)"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_quotation_mark_that_is_not_closed_swallows_no_row(
    tmp_path: Path, changes: dict[int, str], line: str, end: str
) -> None:
    path = write(tmp_path, corpus(changes).replace("\n", end))
    assert f"swallows what follows: line{'s' if ', ' in line else ''} {line}; close it, or double the mark" in fault(
        path
    )


def test_rows_without_suffixes_or_texts_are_not_swallowed_either(tmp_path: Path) -> None:
    (tmp_path / "take 4").touch()
    text = f'{HEAD}\ntake 3,joy,anna,"oh\ntake 4,joy,anna\ntake 5,joy,anna,no"\n'
    assert "line 2 (to line 4)" in fault(write(tmp_path, text))


@pytest.mark.parametrize("text", ['"one\n\nthree"', '"well, I said, no, never\nand so on, and on"', '"a ""b""\nc"'])
def test_a_text_may_go_over_lines(tmp_path: Path, text: str) -> None:
    found = read_cells(write(tmp_path, corpus({3: text})), NAMES)
    assert len(found) == 20
    assert found["text"].iloc[3] == text[1:-1].replace('""', '"')
    assert found.index[4] == 6 + text.count("\n")


def test_marks_on_one_line_lose_no_row(tmp_path: Path) -> None:
    found = read_cells(write(tmp_path, corpus({3: '"oh" he said', 5: 'a "b" c', 7: '"a" ,'})), NAMES)
    assert len(found) == 20
    assert found["text"].iloc[[3, 5]].tolist() == ["oh he said", 'a "b" c']


def test_label_files_have_no_text_over_lines(tmp_path: Path) -> None:
    path = write(tmp_path, 'a,b\n1,"x\n2",y\n')
    assert "line 2 (to line 3)" in fault(path, ())
    assert read_cells(path, (), ",", quoted=False).to_numpy().tolist() == [["1", '"x'], ['2"', "y"]]


@pytest.mark.parametrize(
    ("above", "separator"),
    [
        ("sep=;\r\n", ";"),
        ('"sep=;"\r\n', ";"),
        ("SEP=|\n", "|"),
        ("\ufeffsep=\t\n", "\t"),
        ("# from the lab; 2024, second take\n\n# by hand\n", ","),
        ("sep=,\n# ours\n", ","),
        ("", ";"),
        ("\n\n", "\t"),
    ],
)
def test_what_stands_above_a_header_is_passed_over(tmp_path: Path, above: str, separator: str) -> None:
    text = above + f"file,emotion,speaker\n\n{'a.wav'},joy,anna\n".replace(",", separator)
    found = read_cells(write(tmp_path, text), NAMES)
    assert list(found.columns) == list(NAMES)
    assert found.to_numpy().tolist() == [["a.wav", "joy", "anna"]]
    assert found.index.tolist() == [above.count("\n") + 3]


@pytest.mark.parametrize("header", ["#file,emotion,speaker", "# file,emotion,speaker"])
def test_a_header_behind_a_hash_is_one(tmp_path: Path, header: str) -> None:
    assert list(read_cells(write(tmp_path, f"{header}\n1,2,3\n"), NAMES).columns) == list(NAMES)


def test_the_separator_is_what_the_header_has_outside_quotation_marks(tmp_path: Path) -> None:
    found = read_cells(write(tmp_path, 'file,emotion,speaker,"a;b;c;d;e"\n1,2,3,4\n'), NAMES)
    assert list(found.columns) == [*NAMES, "a;b;c;d;e"]


def test_cells_beyond_the_header_are_named_unless_they_are_blank(tmp_path: Path) -> None:
    path = write(tmp_path, "file,emotion,speaker\n1,2,3,,\n4,5\n")
    assert read_cells(path, NAMES).to_numpy().tolist() == [["1", "2", "3"], ["4", "5", ""]]
    path = write(tmp_path, 'file,emotion,speaker\n1,2,3\n\n4,5,6,7\n"8",9,10,,,11\n')
    assert "more cells than the header's 3: lines 4 (4 cells), 5 (6 cells)" in fault(path)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty; its first line must name file, emotion, speaker"),
        (b" \n\n", "is empty"),
        (b"file,emotion\na\0b,c\n", "line 2 holds a zero byte"),
        (b"file,emotion\nb\xe4r,c\n", "line 2 would be 'bär,c' in Windows-1252"),
        (b"file,emotion\na,b\n" + b"x" * 200_000, "line 3 has more than 128 KB"),
        (b"x" * 200_000 + b"\r", "line 1 has more than 128 KB"),
        (b"# nothing\n" * 60, "names no columns in its first 50 lines"),
        (b"PK\x03\x04", "ZIP archive"),
    ],
)
def test_what_is_no_table_is_said(tmp_path: Path, data: bytes, says: str) -> None:
    assert says in fault(write(tmp_path, data))


def test_a_list_in_a_message_is_short() -> None:
    assert enumerate_some(range(12)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
    assert len(enumerate_some(["x" * 10_000])) < 400
