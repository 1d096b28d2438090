"""Work in jobs: submitted, waited for, and why some of it was not done."""

import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, NamedTuple

from nni_emodarts.errors import ConfigError, EmodartsError, LaunchError
from nni_emodarts.launching.launch import LOCAL, SLURM, Launch
from nni_emodarts.launching.share import Outcome, Share, Work, do_share
from nni_emodarts.launching.slurm import cause, queued, refusal
from nni_emodarts.runtime.environment_variables import environment_with
from nni_emodarts.runtime.processes import deaf_to_interrupts, process_name
from nni_emodarts.runtime.writing import look_anew

if TYPE_CHECKING:
    from submitit import Job

_FIRST_PAUSE, _LONGEST_PAUSE, _SLOWING = 0.5, 20.0, 1.3
"""Seconds between two looks at jobs: short ones are seen to end, and long ones do not burden the queue."""
_LATER_LOOKS = 5
"""Looks for what jobs have left once none is in the queue: a network's file system may show it late."""
_PREFIX = "emodarts-"
_NO_ANSWER = "SLURM's queue does not answer whether jobs are at work; asking on"


class Seen(NamedTuple):
    """What a look at jobs has shown.

    Attributes:
        done: shares that are done.
        shares: all of them.
        failures: pieces that have failed by themselves since the last look.
    """

    done: int
    shares: int
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Launcher:
    """Does work in jobs.

    Each piece of work is of one job alone: nothing has to be locked between machines, which not every shared file
    system can do. Jobs of SLURM outlive the command that waits for them; whoever gives it again waits for them first.
    Local jobs end with it.

    Attributes:
        launch: where jobs run, and what each may use.
        folder: what jobs are given, what they print and what becomes of them; deleted once all is done.
        note: called with what a person should know.
        again: the command by which the work goes on.
    """

    launch: Launch
    folder: Path
    note: Callable[[str], None]
    again: str = "the same command"

    def settle(self) -> None:
        """Wait for the jobs of an earlier command on the same work, which would else be done twice."""
        places = sorted(self.folder.glob(f"{_PREFIX}{SLURM}-*"))
        if places and shutil.which("squeue") is None:
            raise LaunchError(
                f"{self.folder} holds what jobs of SLURM were given, and there is no SLURM here that says whether they "
                f"are at work; give the command where they were submitted, or delete that folder"
            )
        for place in places:
            told, pause = "", _FIRST_PAUSE
            while (found := queued(place.name)) is None or found.tasks:
                what = _NO_ANSWER if found is None else "jobs of an earlier command are at work; waiting for their end"
                if what != told:
                    told = what
                    self.note(f"{what} (squeue --name={place.name}); Ctrl+C leaves them at it")
                pause = _sleep(pause)

    def run(self, work: Work, pieces: Sequence[Any]) -> Iterator[Seen]:
        """Do pieces of work, a share of them in each job; yields after each look at the jobs.

        Args:
            work: a function of a module.
            pieces: plain data.

        Raises:
            ConfigError: submitit is not installed.
            LaunchError: jobs are not taken, or some did not do all of their share; what is finished stays.
        """
        count = min(self.launch.jobs, len(pieces))
        if not count:
            return
        place = self.folder.absolute() / f"{_PREFIX}{self.launch.launcher}-{token_hex(6)}"
        place.mkdir(parents=True)
        command = process_name() if self.launch.launcher == LOCAL else None
        # in turn, since neighbours cost alike
        shares = [Share(work, tuple(pieces[n::count]), place / f"share_{n}.json", command) for n in range(count)]
        try:
            array = _Array(self, shares, _submitted(self.launch, place, shares))
        except EmodartsError:
            _delete(place)
            raise
        try:
            yield from array.looks()
        except BaseException:
            array.leave()
            raise
        array.refuse_unfinished()
        _delete(place)


class _Array:
    """The jobs of one submission.

    Args:
        launcher: whose work they do.
        shares: what each does.
        jobs: them, as submitit has them.
    """

    def __init__(self, launcher: Launcher, shares: Sequence[Share], jobs: "Sequence[Job[None]]") -> None:
        self._launcher, self._shares, self._jobs = launcher, shares, jobs
        self._place = shares[0].outcome.parent
        self._outcomes: dict[int, Outcome] = {}
        self._told: tuple[str, ...] = ()
        number = jobs[0].job_id.partition("_")[0]
        where = f"job {number} of SLURM" if self._is_slurm else "this machine"
        launcher.note(f"{_jobs(len(shares))} on {where}; what they print lies in {self._place}")

    @property
    def _is_slurm(self) -> bool:
        return self._launcher.launch.launcher == SLURM

    def looks(self) -> Iterator[Seen]:
        """Look at the jobs until none is left."""
        pause, left = _FIRST_PAUSE, _LATER_LOOKS
        while True:
            over = self._is_over()  # before what they leave is read
            yield self._read()
            told = len(self._outcomes) == len(self._shares)
            if told and (over or self._is_slurm):  # no process of this one is left
                return
            if over:
                left -= 1
                if not left:
                    return
            pause = _sleep(_FIRST_PAUSE if over or told else pause)

    def _is_over(self) -> bool:
        """Whether no job waits or runs."""
        if not self._is_slurm:
            return all(job.done() for job in self._jobs)
        found = queued(self._place.name)
        reasons = (_NO_ANSWER,) if found is None else found.reasons
        if reasons and reasons != self._told:
            self._told = reasons
            self._launcher.note(f"jobs wait in the queue: {', '.join(reasons)}")
        return found is not None and not found.tasks

    def _read(self) -> Seen:
        look_anew(self._place)
        failures: list[str] = []
        for number, share in enumerate(self._shares):
            if number not in self._outcomes and (outcome := Outcome.read(share.outcome)) is not None:
                self._outcomes[number] = outcome
                failures += outcome.failures
        return Seen(len(self._outcomes), len(self._shares), tuple(failures))

    def leave(self) -> None:
        """The command ends before its jobs."""
        if self._is_slurm:
            self._launcher.note(
                f"the jobs go on: {self._launcher.again} waits for them and goes on with what they have done; "
                f"scancel --name={self._place.name} ends them"
            )
            return
        _delete(self._place)  # without which local jobs end

    def refuse_unfinished(self) -> None:
        """Say which jobs did not do all of their share.

        Raises:
            LaunchError: there are some.
        """
        reasons: dict[str, list[str]] = defaultdict(list)
        for number, job in enumerate(self._jobs):
            outcome = self._outcomes.get(number)
            why = cause(Path(job.paths.stdout)) if outcome is None else outcome.error
            if why:
                reasons[why].append(job.job_id)
        if reasons:
            listed = "\n".join(f"  job {', '.join(ids)}: {why}" for why, ids in reasons.items())
            count = sum(map(len, reasons.values()))
            raise LaunchError(
                f"{count} of {_jobs(len(self._jobs))} did not finish; what was finished stays, and "
                f"{self._launcher.again} goes on with the rest:\n{listed}"
            )


def _submitted(launch: Launch, place: Path, shares: Sequence[Share]) -> "list[Job[None]]":
    """Submit a job for each share.

    Raises:
        ConfigError: submitit is not installed.
        LaunchError: there is no SLURM here, or it takes no such jobs.
    """
    try:
        import submitit
    except ImportError:
        raise ConfigError("launcher: it takes submitit, an extra; pip install 'nni_emodarts[slurm]'") from None
    if launch.launcher == SLURM and not all(map(shutil.which, ("sbatch", "squeue", "srun"))):
        raise _without_slurm()
    executor = submitit.AutoExecutor(place, cluster=launch.launcher)
    executor.update_parameters(
        name=place.name,
        timeout_min=launch.minutes,
        cpus_per_task=launch.cpus,
        gpus_per_node=launch.gpus or None,
        mem_gb=launch.memory,
        stderr_to_stdout=True,
        slurm_partition=launch.partition,
        slurm_array_parallelism=len(shares),
        slurm_setup=["trap '' TERM"],  # the shell outlives its process, which else may be left to run on by itself
        slurm_use_srun=False,  # one process a job; a step of its own would not get all of the job's cores
    )
    # as processes of a pool: nothing is imported from the current folder, and threads are as many as cores
    inherited = environment_with({"PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": str(launch.cpus)})
    try:
        with inherited, deaf_to_interrupts(), redirect_stderr(StringIO()):  # where what sbatch says is repeated
            return list(executor.map_array(do_share, shares))
    except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
        raise refusal(str(error)) from None


def _delete(place: Path) -> None:
    """Delete what an array was given and has left, and the folder around it where nothing else is in it."""
    shutil.rmtree(place, ignore_errors=True)
    with suppress(OSError):
        place.parent.rmdir()


def _without_slurm() -> LaunchError:
    return LaunchError(
        "launcher: slurm, but there is no SLURM on this machine; give the command on a login node of the cluster, or "
        "take --launcher local"
    )


def _jobs(count: int) -> str:
    return f"{count} job{'' if count == 1 else 's'}"


def _sleep(pause: float) -> float:
    """Wait; the next pause."""
    time.sleep(pause)
    return min(pause * _SLOWING, _LONGEST_PAUSE)
