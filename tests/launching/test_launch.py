"""What is asked of jobs, and what a person is told of them; nothing is started."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nni_emodarts.errors import ConfigError, LaunchError
from nni_emodarts.launching import Launch, Launcher
from nni_emodarts.launching.share import Outcome
from nni_emodarts.launching.slurm import cause, queued, refusal


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"launcher": "pbs"}, "launcher: 'pbs' is unknown; known: local, slurm"),
        ({"jobs": 0}, "jobs: 0 must be at least 1"),
        ({"minutes": 0}, "minutes: 0 must be at least 1"),
        ({"gpus": -1}, "gpus: -1 must be at least 0"),
        ({"memory": 0.0}, "memory: 0 must be more than 0 GB"),
        ({"memory": float("nan")}, "memory: nan must be more than 0 GB"),
        ({"partition": "a b"}, "partition: 'a b' must be a name"),
        ({"launcher": "local", "partition": "main"}, "partition and memory are of SLURM"),
    ],
)
def test_what_makes_no_sense_is_refused(asked: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Launch(**{"launcher": "slurm", **asked})  # type: ignore[arg-type]
    assert says in str(refused.value)


def test_options_of_jobs_without_a_launcher_are_refused(refused: Callable[..., None]) -> None:
    refused("features", "--manifest", "synthetic", "--partition", "main", says=("partition: of jobs alone",))
    refused(
        "features",
        "--manifest",
        "synthetic",
        "--jobs",
        2,
        "--time",
        3,
        "--cpus",
        2,
        says=("jobs, time, cpus: of jobs",),
    )
    refused("features", "--manifest", "synthetic", "--launcher", "pbs", says=("known: local, slurm",))


def test_a_machine_without_slurm_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    launcher = Launcher(Launch("slurm"), tmp_path / "launched", print)
    launcher.settle()
    with pytest.raises(LaunchError, match="there is no SLURM on this machine"):
        list(launcher.run(print, [1]))
    assert not (tmp_path / "launched").exists()
    (tmp_path / "launched" / "emodarts-slurm-0").mkdir(parents=True)
    with pytest.raises(LaunchError, match="no SLURM here that says whether they are at work"):
        launcher.settle()
    assert queued("emodarts-slurm-0") is None


def test_no_work_takes_no_job(tmp_path: Path) -> None:
    assert list(Launcher(Launch("slurm"), tmp_path / "launched", print).run(print, [])) == []
    assert not (tmp_path / "launched").exists()


def test_slurms_own_words_are_said_once() -> None:
    said = (
        "sbatch: error: invalid partition specified: nope\n"
        "sbatch: error: Batch job submission failed: Invalid partition name specified\n"
    )
    assert str(refusal(said)) == (
        "SLURM takes no such jobs: invalid partition specified: nope; Batch job submission failed: Invalid partition "
        "name specified; sinfo lists the partitions and what they allow"
    )
    assert "lost connection" in str(refusal("lost connection\n"))


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ("slurmstepd: error: Detected 1 oom-kill event(s) in StepId=1.batch.", "out of memory"),
        ("slurmstepd: error: StepId=1.batch exceeded memory limit (9 > 8), being killed", "out of memory"),
        ("slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-01-01T00:00:00 DUE TO TIME LIMIT ***", "out of time"),
        ("slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-01-01T00:00:00 ***", "cancelled"),
        ("OSError: [Errno 30] Read-only file system: 'x'", "full or read-only"),
        ("Submitted job triggered an exception\nValueError: no", "a defect, last saying: ValueError: no"),
        ("Killed", "killed for lack of memory, last saying: Killed"),
        ("", "cancelled before it began"),
        ("*** JOB 7 CANCELLED AT 1 DUE TO PREEMPTION ***\n" + "epoch\n" * 30 + "Killed", "lack of memory"),
    ],
)
def test_a_log_tells_why_a_job_ended(log: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(log)
    assert says in cause(tmp_path / "log")


def test_a_share_that_has_not_ended_by_itself_has_no_outcome(tmp_path: Path) -> None:
    assert Outcome.read(tmp_path / "share_0.json") is None
