"""What SLURM says of an array: of the tasks that are not over by its queue, of the others by what is in their logs."""

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from nni_emodarts.errors import LaunchError

_PATIENCE = 60.0
"""Seconds that the queue has to answer."""
_USUAL = ("None", "Resources", "Priority", "JobArrayTaskLimit", "BeginTime", "Dependency")
"""Reasons to wait that go by."""
_LOG_BYTES, _LOG_LINES = 20_000, 15
"""Of a log's end that are looked at: what stands above may be of a run that was preempted and went on."""
_CAUSES = {
    re.compile(r"exceeded .*memory limit|oom[-_ ]?kill|out[- ]of[- ]memory", re.IGNORECASE): "it ran out of memory; "
    "give each job more by --memory",
    re.compile(r"DUE TO TIME LIMIT|timed-out"): "it ran out of time; give each job more by --time, or share the work "
    "among more --jobs",
    re.compile(
        r"No space left on device|Read-only file system|quota exceeded", re.IGNORECASE
    ): "it could not write, since the disk is full or read-only; free some space there",
    re.compile(r"CANCELLED AT"): "it was cancelled",
}
"""What a log says of a job that did not end by itself. No accounting is asked, which not every cluster has."""
_FAILED = "Submitted job triggered an exception"
"""What submitit writes where what a job does raises."""
_OWN_WORDS = re.compile(r"(sbatch|slurm_load_\w+|squeue)?:? ?(error|fatal): ", re.IGNORECASE)


class Queued(NamedTuple):
    """Tasks of an array that are not over.

    Attributes:
        tasks: how many.
        reasons: why some wait that will not go by alone, such as a limit of the partition.
    """

    tasks: int
    reasons: tuple[str, ...] = ()


def queued(name: str) -> Queued | None:
    """The tasks of the array of a name that wait or run; None where the queue does not answer.

    Args:
        name: of the array, its own.
    """
    words = ["squeue", "--noheader", "--array", f"--name={name}", "--format=%T|%r"]
    try:
        answer = subprocess.run(words, capture_output=True, text=True, timeout=_PATIENCE, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode:
        return None
    states = [line.partition("|") for line in answer.stdout.splitlines() if line.strip()]
    waiting = {reason for state, _, reason in states if state == "PENDING" and reason not in _USUAL}
    return Queued(len(states), tuple(sorted(waiting)))


def refusal(said: str) -> LaunchError:
    """Why SLURM takes no job, of what sbatch printed."""
    lines = [_OWN_WORDS.sub("", line).strip() for line in said.splitlines() if _OWN_WORDS.match(line)]
    why = "; ".join(dict.fromkeys(lines)) or " ".join(said.split())
    return LaunchError(f"SLURM takes no such jobs: {why}; sinfo lists the partitions and what they allow")


def cause(log: Path) -> str:
    """Why a job is over that has left no outcome, and where its log is."""
    lines = _last_lines(log)
    if not lines:
        return (
            f"it was cancelled before it began, or its machine does not see {log.parent}, or cannot write to it; look "
            f"after that"
        )
    for pattern, what in _CAUSES.items():
        if any(map(pattern.search, lines)):
            return f"{what} (log: {log})"
    failed = any(_FAILED in line for line in lines)
    what = "it failed by a defect" if failed else "it ended without a result, most likely killed for lack of memory"
    return f"{what}, last saying: {lines[-1]} (log: {log})"


def _last_lines(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_BYTES))
            text = file.read(_LOG_BYTES).decode(errors="replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()][-_LOG_LINES:]
