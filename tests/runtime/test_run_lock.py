"""One writer a folder, whoever it is and however it ends; readers are never kept out."""

import gc
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nni_emodarts.errors import RunFolderError
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.runtime.run_lock import FolderLock

WRITER = """
import sys
from nni_emodarts.runtime.run_folder import RunFolder
folder = RunFolder.claim(sys.argv[1], **{how: True for how in sys.argv[2:]})
with folder.held():
    folder.begin()
    folder.write_text("corpus.json", "{}")
    print("writing", flush=True)
    sys.stdin.read()
    folder.write_text("metrics.json", '{"val_uar": 0.5}')
"""


@contextmanager
def writer(folder: Path, *how: str) -> Iterator["subprocess.Popen[str]"]:
    """Another process that writes to a folder until it is asked to end, once it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), *how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    try:
        yield process
    finally:
        process.communicate()


@pytest.mark.parametrize("how", [{}, {"resume": True}, {"overwrite": True}])
def test_a_second_writer_is_refused_and_changes_nothing(how: dict[str, bool], tmp_path: Path) -> None:
    out = tmp_path / "out"
    with writer(out):
        there = sorted(out.rglob("*"))
        for take in (RunFolder.check, RunFolder.claim):
            with pytest.raises(RunFolderError, match=r"another process is writing to it; wait for its end"):
                take(out, **how)
        with pytest.raises(RunFolderError, match="another process"), RunFolder(out).held():
            pass
        assert sorted(out.rglob("*")) == there
        assert RunFolder(out).read_json("corpus.json") == {}, "readers are not kept out"
    assert RunFolder(out).has("metrics.json")
    RunFolder.claim(out, overwrite=True).begin()
    assert not any(out.iterdir())


def test_of_two_that_overwrite_one_goes_on(tmp_path: Path) -> None:
    RunFolder(tmp_path).write_text("metrics.json", '{"val_uar": 0.1}')
    with writer(tmp_path, "overwrite"):
        with pytest.raises(RunFolderError, match="another process"):
            RunFolder.claim(tmp_path, overwrite=True)
        assert RunFolder(tmp_path).has("corpus.json")
    assert RunFolder(tmp_path).read_json("metrics.json") == {"val_uar": 0.5}


def test_a_run_with_a_writer_inside_is_not_overwritten(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_text("corpus.json", "{}")
    inside = folder.child("candidates", "0123456789ab")
    inside.write_text("architecture.json", "{}")
    with writer(inside.path, "resume"):
        (inside.path / ".metrics.json.0123456789abcdef").write_text("half")
        with pytest.raises(RunFolderError, match=r"0123456789ab: another process"):
            RunFolder.claim(tmp_path, overwrite=True).begin()
        gc.collect()
        RunFolder.claim(tmp_path, resume=True).begin()
        assert (inside.path / ".metrics.json.0123456789abcdef").exists(), "its writer may live"


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_a_dead_process_holds_nothing(sent: signal.Signals, tmp_path: Path) -> None:
    with writer(tmp_path / "out") as process:
        process.send_signal(sent)
        process.wait()
        RunFolder.claim(tmp_path / "out", resume=True)


def test_a_folder_is_free_once_its_run_is_over(tmp_path: Path) -> None:
    folder = RunFolder.claim(tmp_path)
    with pytest.raises(RunFolderError, match="another process"):
        RunFolder.claim(tmp_path)
    with pytest.raises(ValueError, match="broken"), folder.held(), folder.held():
        raise ValueError("broken")
    with folder.held():
        pass
    del folder
    folder = RunFolder.claim(tmp_path)
    del folder
    RunFolder.claim(tmp_path)


def test_many_runs_share_a_place(tmp_path: Path) -> None:
    places = [RunFolder.claim(tmp_path / "runs", shared=True) for _ in range(2)]
    (tmp_path / "runs" / "notes.txt").write_text("")
    RunFolder.check(tmp_path / "runs", shared=True)
    assert len(places) == 2
    with pytest.raises(RunFolderError, match="is a file"):
        RunFolder.check(tmp_path / "runs" / "notes.txt", shared=True)


def test_a_file_system_without_locks_is_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int, operation: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    first, second = FolderLock.take(tmp_path), FolderLock.take(tmp_path)
    first.release()
    second.release()


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("moved", [False, True])
def test_a_folder_that_is_deleted_or_moved_meanwhile(moved: bool, again: bool, tmp_path: Path) -> None:
    """A new one of its name would lack what stood in it."""
    folder = RunFolder.claim(tmp_path / "out")
    with folder.held():
        folder.write_text("config.yml", "{}")
        inside = folder.child("search")
        inside.write_text("config.yml", "{}")
        if moved:
            folder.path.rename(tmp_path / "elsewhere")
        else:
            shutil.rmtree(folder.path)
        if again:
            inside.path.mkdir(parents=True)
        for each in (folder, inside):
            with pytest.raises(RunFolderError, match="out was deleted or moved meanwhile; run the command again"):
                each.write_text("metrics.json", "{}")
    assert not list(tmp_path.rglob("out/**/metrics.json"))
