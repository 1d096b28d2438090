import errno
import os

import pytest
import torch

from nni_emodarts.cli import main as cli
from nni_emodarts.errors import machine_fault


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out/weights"), ("out/weights: No space left", "--resume")),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "out"), ("out: Permission denied", "name another")),
        (MemoryError(), ("memory is used up", "batch_size")),
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
    for error in (ValueError("a defect"), absent, OSError("of no number")):
        assert machine_fault(error) is None

    def fail() -> None:
        raise ValueError("a defect")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(ValueError, match="a defect"):
        cli.main()
