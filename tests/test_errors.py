import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from nni_emodarts.cli import main as cli
from nni_emodarts.errors import machine_fault
from nni_emodarts.runtime.writing import write_atomically


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out/weights"), ("out/weights: No space left", "--resume")),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "out"), ("out: Permission denied", "name another")),
        (OSError(errno.EFBIG, os.strerror(errno.EFBIG), "out/weights"), ("out/weights: File too large", "ulimit -f")),
        (
            FileNotFoundError(errno.ENOENT, "No such file", "/nowhere/out/a.csv"),
            ("/nowhere/out was deleted meanwhile",),
        ),
        (MemoryError(), ("memory is used up", "batch_size")),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), ("memory is used up", "batch_size")),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), ("memory is used up", "batch_size")),
        (torch.OutOfMemoryError("no 3 GiB left"), ("accelerator's memory", "device=cpu")),
    ],
)
def test_a_machine_at_its_limits_is_one_message(
    error: Exception, says: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    said = capsys.readouterr().err
    for words in says:
        assert words in said


def test_a_defect_stays_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = FileNotFoundError(errno.ENOENT, "No such file", "x")
    for error in (ValueError("a defect"), RuntimeError("a defect"), absent, OSError("of no number")):
        assert machine_fault(error) is None

    def fail() -> None:
        raise ValueError("a defect")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(ValueError, match="a defect"):
        cli.main()


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_faults_of_a_real_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="too large") as large, _files_of_at_most(1000):
        write_atomically(tmp_path / "file", b"x" * 10_000)
    assert machine_fault(large.value) is not None
    assert not list(tmp_path.iterdir())
    with pytest.raises(RuntimeError) as memory:
        torch.empty(2**50)
    assert machine_fault(memory.value) is not None
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for fail in (lambda: write_atomically(gone / "file", b"x"), lambda: write_atomically(Path("file"), b"x"), Path.cwd):
        with pytest.raises(FileNotFoundError) as deleted:
            fail()
        assert "deleted meanwhile" in str(machine_fault(deleted.value))
