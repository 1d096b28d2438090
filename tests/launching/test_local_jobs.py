"""Jobs that are processes of this machine: they share the work, and end with their command."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from piece_work import Piece, work
from process_groups import group_lives, wait_until

from nni_emodarts.errors import LaunchError
from nni_emodarts.launching import Launch, Launcher, Seen

COMMAND = """
import sys
from pathlib import Path
from piece_work import Piece, work
from nni_emodarts.launching import Launch, Launcher
from nni_emodarts.runtime.processes import ended_in_order

folder = Path(sys.argv[1])
with ended_in_order():
    for _ in Launcher(Launch("local", 2), folder / "launched", print).run(work, [Piece(folder, "a", "endless"),
                                                                               Piece(folder, "b", "endless")]):
        pass
"""


@pytest.fixture
def command(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A command whose two jobs are at work, in a process group of its own."""
    words = [sys.executable, "-c", COMMAND, str(tmp_path)]
    process = subprocess.Popen(
        words, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    try:
        wait_until(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists())
        yield process
    finally:
        if group_lives(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_jobs_share_the_work_and_say_why_some_of_it_was_not_done(tmp_path: Path) -> None:
    kinds = ("", "fails", "killed", "defect", "time", "full")
    pieces = [Piece(tmp_path, f"piece_{n}", kind) for n, kind in enumerate(kinds)]
    launcher = Launcher(Launch("local", jobs=6, minutes=5), tmp_path / "launched", lambda text: None)
    seen: list[Seen] = []
    with pytest.raises(LaunchError) as refused:
        seen.extend(launcher.run(work, pieces))
    assert [failure for look in seen for failure in look.failures] == ["it has failed"]
    first, *lines = str(refused.value).splitlines()
    assert first.startswith("4 of 6 jobs did not finish; what was finished stays")
    assert [any(word in line for line in lines) for word in (
        "killed for lack of memory", "last saying: ValueError: a defect of the program", "ran out of time",
        "No space left on device; free some space there",
    )] == [True] * 4, lines  # fmt: skip
    assert "Traceback" not in str(refused.value)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_jobs_end_with_their_command(sent: signal.Signals, command: subprocess.Popen[str], tmp_path: Path) -> None:
    if sent == signal.SIGINT:
        os.killpg(command.pid, sent)  # as a terminal sends it: to the jobs, too
    else:
        command.send_signal(sent)
    said = command.communicate(timeout=30)[1]
    wait_until(lambda: not group_lives(command.pid), 10)
    assert said.count("Traceback") == (sent == signal.SIGINT), "that of the command alone, which nobody catches here"
    assert (tmp_path / "launched").exists() == (sent == signal.SIGKILL)
