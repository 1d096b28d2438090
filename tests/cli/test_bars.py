"""What a person sees of a long job, with and without a terminal; time is made up."""

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from nni_emodarts.cli import bars as module
from nni_emodarts.cli.bars import Bars, Job, progress_bars


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_what_is_left_is_judged_by_what_was_done_however_long_a_step_takes(time: Clock) -> None:
    job = Job(0, 10)
    assert job.left is None, "nothing is done yet"
    for epoch in (1, 2):
        time.now += 600  # minutes an epoch
        job.update(epoch, 10, "")
    assert job.left == pytest.approx(8 * 600)
    time.now += 60
    assert job.left == pytest.approx(8 * 600 - 60), "it goes down between steps"


def test_a_job_that_is_gone_on_with_did_not_do_the_rest_now(time: Clock) -> None:
    job = Job(6, 10)
    time.now += 50
    job.update(7, 10, "")
    assert job.left == pytest.approx(3 * 50)


def test_without_a_terminal_there_are_plain_lines(time: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    show = Bars(None)
    for done in range(41):
        show("search", done, 40, val_uar=0.5)
        time.now += 3
    show("search", 40, 40, val_uar=0.5)  # repeated
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "search: 0/40  val_uar 0.500"
    assert lines[1] == "search: 4/40  val_uar 0.500  0:01:48 left"
    assert lines[-1] == "search: 40/40  val_uar 0.500"
    assert len(lines) == 11


def test_a_quick_job_needs_no_line(time: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    show = Bars(None, after=2.0)
    for done in range(1, 6):
        show("recordings", done, 5)
    assert capsys.readouterr().err == ""
    for done in range(6):
        show("more", done, 5)
        time.now += 1
    assert capsys.readouterr().err.splitlines()[0] == "more: 2/5  0:00:03 left"


def test_the_same_job_can_come_again(capsys: pytest.CaptureFixture[str]) -> None:
    show = Bars(None)
    for _ in range(2):  # as the cells of a benchmark do
        for done in range(3):
            show("search", done, 2)
    assert capsys.readouterr().err.splitlines().count("search: 2/2") == 2


def test_on_a_terminal_full_bars_make_room_and_running_ones_say_what_is_left(time: Clock) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, height=20, color_system=None)
    with progress_bars(console) as show:
        for fold in range(30):
            for epoch in range(3):
                show(f"retrain fold {fold} seed 1", epoch, 2, val_uar=0.25)
                time.now += 10
        show("final network", 0, 4)
        time.now += 10
        show("final network", 1, 4)
        assert show._bars is not None
        assert [task.description for task in show._bars.tasks] == ["final network"]
        show._bars.refresh()
    text = screen.getvalue()
    assert "retrain fold 29 seed 1: 2/2  val_uar 0.250  in 0:00:20" in text
    assert "final network" in text
    assert "0:00:30 left" in text
