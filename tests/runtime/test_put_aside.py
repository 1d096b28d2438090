"""Files that processes put down, and that another takes up: none is lost, whatever the moment."""

import multiprocessing
from pathlib import Path

from finished_cells import finished, table_at

from nni_emodarts.runtime.writing import put_json_file


def test_a_folder_that_is_deleted_whenever_it_is_empty_loses_no_file(tmp_path: Path) -> None:
    folder, written = tmp_path / "put", 300
    taken = []
    putting = multiprocessing.get_context("spawn").Process(target=_put, args=(folder, written))
    putting.start()
    while putting.is_alive() or folder.exists():
        for file in folder.glob("[0-9]*.json"):
            taken.append(file.name)
            file.unlink()
        try:
            folder.rmdir()
        except OSError:
            continue
    assert putting.exitcode == 0
    assert sorted(taken) == sorted(f"{number}.json" for number in range(written))


def _put(folder: Path, written: int) -> None:
    for number in range(written):
        put_json_file(folder / f"{number}.json", {"number": number})


def test_a_cell_that_a_job_put_down_becomes_a_line_once(tmp_path: Path) -> None:
    table, cell = table_at(tmp_path), finished()
    table.put(cell)
    assert list(table.read().cells.values()) == [cell]
    assert not table.file.exists()
    assert table.take_over() == 1
    table.put(cell)  # of a job that was preempted after it had put it down
    assert table.take_over() == 1
    assert len(table.file.read_text().splitlines()) == 1
    assert list(table.read().cells.values()) == [cell]
    assert not table.folder.exists()
