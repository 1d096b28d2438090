"""Progress of long jobs: bars on a terminal, a few plain lines where there is none."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

_LINES = 10  # plain lines a job, where there is no terminal


class Job:
    """One long job, and how long the rest of it will take.

    Judged by all that was done since its first call: a resumed job did the rest earlier, and an epoch may take minutes,
    so that the pace of the last seconds says nothing.
    """

    def __init__(self, done: int, total: int) -> None:
        self.done, self.total, self.figures = done, total, ""
        self.tenth = -1  # the last one that a plain line showed
        self._first = done
        self._began = self._last = time.monotonic()

    def update(self, done: int, total: int, figures: str) -> None:
        """The job has come so far."""
        if done != self.done:
            self._last = time.monotonic()
        self.done, self.total, self.figures = done, total, figures

    @property
    def finished(self) -> bool:
        """Whether nothing is left."""
        return self.done >= self.total

    @property
    def seconds(self) -> float:
        """Since its first call."""
        return time.monotonic() - self._began

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take; None as long as nothing was done."""
        steps = self.done - self._first
        if steps <= 0:
            return None
        rest = (self._last - self._began) / steps * (self.total - self.done)
        return max(0.0, rest - (time.monotonic() - self._last))

    def line(self, what: str, time_said: str) -> str:
        """How far it is, its figures, and its time, as far as they are known."""
        return "  ".join(part for part in (f"{what}: {self.done}/{self.total}", self.figures, time_said) if part)


class Bars:
    """Shows jobs; it is a `nni_emodarts.runtime.progress.Progress`."""

    def __init__(self, bars: Progress | None, after: float = 0.0) -> None:
        self._bars = bars
        self._after = after
        self._jobs: dict[str, Job] = {}
        self._ended: dict[str, tuple[int, int]] = {}
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int, **figures: float) -> None:
        """See `nni_emodarts.runtime.progress.Progress`."""
        if what not in self._jobs and self._ended.get(what) == (done, total):  # a call that repeats the last one
            return
        shown = "  ".join(f"{name} {value:.3f}" for name, value in figures.items())
        job = self._jobs.setdefault(what, Job(done, total))
        job.update(done, total, shown)
        if self._bars is None:
            self._print(what, job)
        else:
            self._draw(self._bars, what, job)
        if job.finished:
            self._ended[what] = (done, total)
            del self._jobs[what]

    def _print(self, what: str, job: Job) -> None:
        """A line for each tenth of a job."""
        tenth = job.done * _LINES // max(job.total, 1)
        if job.seconds < self._after or (tenth == job.tenth and not job.finished):
            return
        job.tenth = tenth
        left = "" if job.finished or job.left is None else f"{clock(job.left)} left"
        print(job.line(what, left), file=sys.stderr, flush=True)  # noqa: T201

    def _draw(self, bars: Progress, what: str, job: Job) -> None:
        """A bar; once it is full a line takes its place, so that any number of jobs leaves room for what runs."""
        if what not in self._tasks:
            self._tasks[what] = bars.add_task(what, total=job.total, job=job)
        bars.update(self._tasks[what], completed=job.done, total=job.total)
        if job.finished:
            bars.remove_task(self._tasks.pop(what))
            bars.console.print(
                job.line(what, f"in {clock(job.seconds)}"), highlight=False, markup=False, soft_wrap=True
            )


class TimeLeft(ProgressColumn):
    """How long the rest of a job will take."""

    def render(self, task: Task) -> Text:
        """The column of one job."""
        left = task.fields["job"].left
        return Text("" if left is None else f"{clock(left)} left", style="progress.remaining")


class Figures(ProgressColumn):
    """What is worth showing beside a job."""

    def render(self, task: Task) -> Text:
        """The column of one job."""
        return Text(task.fields["job"].figures)


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    return str(timedelta(seconds=round(seconds)))


@contextmanager
def progress_bars(console: Console, after: float = 0.0) -> Iterator[Bars]:
    """Bars on a console, cleared up in the end.

    Args:
        console: where they are drawn; plain lines go to standard error where it is no terminal.
        after: seconds that a job must have lasted before a plain line is worth printing.
    """
    if not console.is_terminal:
        yield Bars(None, after)
        return
    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeLeft(), Figures(),
    )  # fmt: skip
    with Progress(*columns, console=console) as bars:
        yield Bars(bars)
