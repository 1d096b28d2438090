"""What lives on after a kill."""

import os
import time
from collections.abc import Callable
from pathlib import Path


def wait_until(condition: Callable[[], object], seconds: float = 40.0) -> None:
    """Fail where a condition does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def group_lives(group: int) -> bool:
    """Whether a process of a group is more than a zombie that nobody has reaped yet."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return any(_group_and_state(file) == (group, True) for file in Path("/proc").glob("[0-9]*/stat"))


def _group_and_state(file: Path) -> tuple[int, bool]:
    """Process group, and whether the process is no zombie."""
    try:
        state, _, group = file.read_text().rpartition(")")[2].split()[:3]
    except OSError:
        return 0, False
    return int(group), state != "Z"
