"""Tables of finished cells: a line a cell, whatever ends a process, and however many append."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from finished_cells import finished
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nni_emodarts.errors import RunFolderError
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.runtime.cell_table import CellKey, CellTable
from nni_emodarts.runtime.json_lines import locked

LONG = {"text": "x" * 300_000}
"""Of an environment: a line that the system writes in many pieces."""
APPENDING = """
import sys
from pathlib import Path
from finished_cells import finished
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.runtime.cell_table import CellTable

file, method, first, last, size = sys.argv[1:]
table = CellTable(Path(file), FinishedCell.from_data)
print("ready", flush=True)
sys.stdin.readline()
for fold in range(int(first), int(last)):
    figures = finished(fold, method=method, environment={"by": method, "text": "x" * int(size)})
    print(table.append(figures).fold, flush=True)
"""


def table_in(folder: Path, variant: str = "") -> CellTable[FinishedCell]:
    return CellTable(folder / "cells" / "small.jsonl", FinishedCell.from_data, variant)


def filled(folder: Path, count: int, **more: Any) -> CellTable[FinishedCell]:
    table = table_in(folder)
    for fold in range(count):
        table.append(finished(fold, **more))
    return table


@contextmanager
def appending(table: CellTable[FinishedCell], method: str, first: int, last: int, size: int) -> Iterator[Any]:
    """A process that is about to append folds, and says which are appended."""
    words = [sys.executable, "-c", APPENDING, str(table.file), method, *map(str, (first, last, size))]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, bufsize=1
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    assert table.read().cells == {}, "there is no file"
    figures = [finished(fold, architecture={"choices": {"normal_2": [0, 1]}}) for fold in range(3)]
    for each in figures:
        assert table.append(each) is each
    contents = table.read()
    assert list(contents.cells.values()) == figures
    assert str(contents.places[CellKey("lstm", 2, 1)]) == f"{table.file}, line 3"
    lines = table.file.read_text().splitlines()
    assert [json.loads(line) for line in lines] == [each.to_data() for each in figures]
    assert contents.seeds("lstm") == [1]
    assert contents.seeds("cnn") == []


@pytest.mark.parametrize("size", [10, 300_000])
def test_two_processes_append_to_one_table(tmp_path: Path, size: int) -> None:
    table = table_in(tmp_path)
    with appending(table, "cnn", 0, 25, size) as one, appending(table, "rnn", 0, 25, size) as other:
        for process in (one, other):
            process.stdin.write("\n")
        for process in (one, other):
            assert process.wait(60) == 0
    contents = table.read()
    assert contents.damaged == []
    assert sorted(contents.cells) == sorted(CellKey(method, fold, 1) for method in ("cnn", "rnn") for fold in range(25))
    assert len(table.file.read_bytes().splitlines()) == 50


def test_a_cell_that_two_processes_finish_is_there_once(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    with appending(table, "cnn", 0, 30, 10) as one, appending(table, "cnn", 0, 30, 20) as other:
        for process in (one, other):
            process.stdin.write("\n")
        for process in (one, other):
            assert process.wait(60) == 0
            assert [int(line) for line in process.stdout] == list(range(30))
    assert len(table.file.read_bytes().splitlines()) == len(table.read().cells) == 30
    kept = table.read().cells[CellKey("cnn", 7, 1)]
    assert table.append(finished(7, method="cnn", cpu_seconds=1e6)) == kept, "the first one's figures stay"


@pytest.mark.parametrize("after", [1, 4, 9])
def test_a_kill_loses_no_cell_that_was_said_to_be_finished(tmp_path: Path, after: int) -> None:
    table = filled(tmp_path, 2)
    with appending(table, "cnn", 0, 10_000, 2_000_000) as process:
        process.stdin.write("\n")
        said = [int(process.stdout.readline()) for _ in range(after)]
        process.kill()
        said += [int(line) for line in process.stdout]
        process.wait(60)
    contents = table.read()
    assert {CellKey("lstm", fold, 1) for fold in range(2)} | {CellKey("cnn", fold, 1) for fold in said} <= set(
        contents.cells
    )
    assert len(contents.cells) + len(contents.damaged) <= 2 + len(said) + 1
    assert all("was cut off" in text for text in contents.damaged)
    table.append(finished(0, method="rnn"))
    assert table.read().damaged == []
    assert len(table.read().cells) == len(contents.cells) + 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1))
def test_a_line_that_was_cut_off_anywhere_is_named_and_gives_way(tmp_path: Path, share: float) -> None:
    shutil.rmtree(tmp_path / "cells", ignore_errors=True)
    table = filled(tmp_path, 3)
    text = table.file.read_bytes()
    ends = [position for position, byte in enumerate(text) if byte == ord("\n")]
    length = round(share * len(text))
    table.file.write_bytes(text[:length])
    whole = sum(end <= length for end in ends)  # a line without its end is whole
    contents = table.read()
    assert [key.fold for key in contents.cells] == list(range(whole))
    assert len(contents.damaged) == (length > 0 and length not in (*ends, *(end + 1 for end in ends)))
    if contents.damaged:
        assert contents.damaged[0].startswith(f"{table.file}, line {whole + 1} was cut off: ")
    for fold in range(whole, 3):
        table.append(finished(fold))
    assert table.read().damaged == []
    if whole < 3:
        assert table.file.read_bytes() == text


def test_a_write_that_fails_leaves_the_table_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = filled(tmp_path, 2)
    text, write = table.file.read_bytes(), os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) < 400:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:100])

    monkeypatch.setattr("nni_emodarts.runtime.json_lines.os.write", full)
    with pytest.raises(OSError, match=r"small\.jsonl"):
        table.append(finished(2, environment=LONG))
    assert table.file.read_bytes() == text


def test_a_damaged_line_is_named_and_left_alone(tmp_path: Path) -> None:
    table = filled(tmp_path, 3)
    lines = table.file.read_text().splitlines(keepends=True)
    table.file.write_text("".join([lines[0], "<<<<<<< mine\n", '{"method": "cnn", "fold": 1}\n', "[1]\n", *lines[1:]]))
    contents = table.read()
    assert [key.fold for key in contents.cells] == [0, 1, 2]
    assert [text.split(" is no cell (")[0] for text in contents.damaged] == [
        f"{table.file}, line {number}" for number in (2, 3, 4)
    ]
    assert "<<<<<<< mine" in contents.damaged[0]
    assert "Field required" in contents.damaged[1]
    table.append(finished(3))
    table.drop([CellKey("lstm", 0, 1)])
    assert table.file.read_text().startswith("<<<<<<< mine\n")
    assert [key.fold for key in table.read().cells] == [1, 2, 3]


def test_the_same_cell_with_other_figures_is_refused_and_both_lines_named(tmp_path: Path) -> None:
    table = filled(tmp_path, 2)
    text = table.file.read_text()
    first = text.splitlines(keepends=True)[0]
    table.file.write_text(text + first)
    assert len(table.read().cells) == 2, "they say the same"
    table.file.write_text(text + json.dumps({**json.loads(first), "test_uar": 0.1}) + "\n")
    with pytest.raises(RunFolderError, match=r"small\.jsonl, line 1 and .*small\.jsonl, line 3 hold the same cell"):
        table.read()


def test_cells_are_dropped_with_their_doubles(tmp_path: Path) -> None:
    table = filled(tmp_path, 3)
    text = table.file.read_text()
    table.file.write_text(text + text.splitlines(keepends=True)[1])
    gone = table.drop([CellKey("lstm", 1, 1), CellKey("cnn", 1, 1)])
    assert gone == [f"{table.file}, line {number} (lstm, fold 1, seed 1)" for number in (2, 4)]
    assert [key.fold for key in table.read().cells] == [0, 2]
    assert table.drop([]) == []
    table.drop(list(table.read().cells))
    assert not table.file.exists()
    assert table.drop([CellKey("lstm", 0, 1)]) == []


@pytest.mark.parametrize("all_gone", [True, False])
def test_what_waits_for_a_table_that_is_replaced_appends_to_the_new_one(tmp_path: Path, all_gone: bool) -> None:
    table = filled(tmp_path, 2)
    with locked(table.file) as lines:
        other = threading.Thread(target=table.append, args=[finished(9)])
        other.start()
        other.join(0.2)
        assert other.is_alive(), "it waits for its turn"
        lines.keep([] if all_gone else lines.read()[:1])
    other.join(30)
    assert [key.fold for key in table.read().cells] == ([9] if all_gone else [0, 9])


def test_variants_of_a_table_do_not_see_each_other(tmp_path: Path) -> None:
    one, other = table_in(tmp_path, "one"), table_in(tmp_path, "other")
    one.append(finished(test_uar=0.1))
    other.append(finished(test_uar=0.2))
    assert [each.read().cells[CellKey("lstm", 0, 1)].test_uar for each in (one, other)] == [0.1, 0.2]
    assert table_in(tmp_path).read().cells == {}
    assert json.loads(one.file.read_text().splitlines()[1])["variant"] == "other"
    one.drop([CellKey("lstm", 0, 1)])
    assert one.read().cells == {}
    assert len(other.read().cells) == 1


def kept_as_files(table: CellTable[FinishedCell], *cells: FinishedCell) -> list[Path]:
    """Cells as they were kept before: a file each, in a folder of the table's name."""
    table.folder.mkdir(parents=True, exist_ok=True)
    files = [table.folder / f"{each.method}-fold_{each.fold:02d}-seed_{each.seed}.json" for each in cells]
    for file, each in zip(files, cells, strict=True):
        file.write_text(json.dumps(each.to_data(), indent=1) + "\n")
    return files


@pytest.mark.parametrize("variant", ["", "mfcc"])
def test_cells_that_were_kept_as_files_are_read_and_become_lines(tmp_path: Path, variant: str) -> None:
    table = table_in(tmp_path, variant)
    there, old = finished(7), [finished(fold, test_uar=0.1 * fold) for fold in range(3)]
    table.append(there)
    kept_as_files(table, there, *old)
    before = table.read()
    assert list(before.cells.values()) == [*old[:3], there]
    assert str(before.places[CellKey("lstm", 1, 1)]).endswith("lstm-fold_01-seed_1.json")
    assert table.take_over() == 4
    after = table.read()
    assert after.cells == before.cells
    assert after.damaged == []
    assert not table.file.with_suffix("").exists()
    assert table.take_over() == 0


def test_files_of_old_that_hold_no_cell_stay_and_are_named(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    kept_as_files(table, finished(0))
    (table.folder / "cnn-fold_00-seed_1.json").write_text("[]")
    (table.folder / "notes.txt").write_text("mine")
    assert table.take_over() == 1
    assert sorted(path.name for path in table.folder.iterdir()) == ["cnn-fold_00-seed_1.json", "notes.txt"]
    (named,) = table.read().damaged
    assert named.startswith(f"{table.folder / 'cnn-fold_00-seed_1.json'} is no cell")


def test_a_file_of_old_with_other_figures_than_its_line_is_refused(tmp_path: Path) -> None:
    table = filled(tmp_path, 1)
    files = kept_as_files(table, finished(0, test_uar=0.1), finished(1))
    text = table.file.read_bytes()
    for each in (table.take_over, table.read):
        with pytest.raises(RunFolderError, match=r"small\.jsonl, line 1.* hold the same cell") as reported:
            each()
        assert "lstm-fold_00-seed_1.json" in str(reported.value)
    assert table.file.read_bytes() == text
    assert all(file.exists() for file in files)
