"""Jobs of a real SLURM: what they do, and what becomes of those that it ends."""

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from piece_work import Piece, work
from process_groups import wait_until

from nni_emodarts.errors import LaunchError
from nni_emodarts.launching import Launch, Launcher
from nni_emodarts.launching.slurm import queued

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("slurm")]


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def launcher(tmp_path: Path, notes: list[str]) -> Callable[..., Launcher]:
    def make(**asked: object) -> Launcher:
        return Launcher(Launch("slurm", **asked), tmp_path / "launched", notes.append)  # type: ignore[arg-type]

    return make


def done(folder: Path, name: str) -> bool:
    return (folder / name).exists() and (folder / name).read_text().endswith("done\n")


def array_of(folder: Path) -> str:
    """Name of the array that was submitted last."""
    return max((folder / "launched").iterdir(), key=lambda place: place.stat().st_ctime).name


def test_jobs_share_the_work_and_leave_nothing_behind(launcher: Callable[..., Launcher], tmp_path: Path) -> None:
    pieces = [Piece(tmp_path, f"piece_{n}", "fails" if n == 3 else "") for n in range(5)]
    seen = list(launcher(jobs=2).run(work, pieces))
    assert [(tmp_path / piece.name).read_text() for piece in pieces] == ["begun\ndone\n"] * 5
    assert seen[-1][:2] == (2, 2)
    assert [failure for look in seen for failure in look.failures] == ["it has failed"]
    assert not (tmp_path / "launched").exists()


def test_jobs_that_slurm_ends_are_named_with_the_reason_and_the_others_finish(
    launcher: Callable[..., Launcher], tmp_path: Path
) -> None:
    kinds = ("", "memory", "endless", "defect", "full", "full")
    pieces = [Piece(tmp_path, f"piece_{n}", kind) for n, kind in enumerate(kinds)]

    def end_in_time() -> None:  # SLURM counts minutes; this one is over at once
        wait_until(lambda: (tmp_path / "piece_2").exists())
        number = next((tmp_path / "launched").glob("*/*_2_submitted.pkl")).name.removesuffix("_submitted.pkl")
        subprocess.run(["scontrol", "update", f"jobid={number}", "endtime=now"], check=True)

    ending = threading.Thread(target=end_in_time)
    ending.start()
    with pytest.raises(LaunchError) as refused:
        list(launcher(jobs=6, memory=0.4, minutes=1).run(work, pieces))
    ending.join()
    assert done(tmp_path, "piece_0")
    first, *lines = str(refused.value).splitlines()
    assert first.startswith("5 of 6 jobs did not finish; what was finished stays")
    said = {line.split(":")[0].split("_", 1)[1]: line for line in lines}
    assert "ran out of memory; give each job more by --memory" in said["1"]
    assert "ran out of time; give each job more by --time" in said["2"]
    assert "last saying: ValueError: a defect of the program (log: " in said["3"]
    assert "No space left on device; free some space there" in next(said[key] for key in said if key.startswith("4"))
    assert len(lines) == 4, "one message for both whose disk is full"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"partition": "nowhere"}, "invalid partition specified: nowhere"),
        ({"memory": 1e6}, "Memory specification can not be satisfied"),
        ({"gpus": 8}, "Invalid generic resource (gres) specification"),
    ],
)
def test_what_slurm_does_not_take_is_one_message(
    asked: dict[str, object], says: str, launcher: Callable[..., Launcher], tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with pytest.raises(LaunchError, match="SLURM takes no such jobs: ") as refused:
        list(launcher(**asked).run(work, [Piece(tmp_path, "piece")]))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert capfd.readouterr() == ("", ""), "it is not repeated"
    assert not (tmp_path / "launched").exists()


def test_a_job_that_gives_way_goes_on(launcher: Callable[..., Launcher], tmp_path: Path) -> None:
    pieces = [Piece(tmp_path, "first"), Piece(tmp_path, "second", "wait")]
    looks = launcher(jobs=1).run(work, pieces)
    next(looks)
    wait_until(lambda: (tmp_path / "second").exists())
    urgent = ["sbatch", "--parsable", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=true"]
    subprocess.run(urgent, check=True, capture_output=True)
    wait_until(lambda: (tmp_path / "second").read_text().count("begun") == 2, 90)
    (tmp_path / "wait").touch()
    assert list(looks)[-1][:2] == (1, 1)
    assert done(tmp_path, "second")


def test_a_command_that_ends_leaves_its_jobs_at_work_and_the_next_one_waits_for_them(
    launcher: Callable[..., Launcher], tmp_path: Path, notes: list[str]
) -> None:
    looks = launcher(jobs=1).run(work, [Piece(tmp_path, "piece", "wait")])
    next(looks)
    wait_until(lambda: (tmp_path / "piece").exists())
    with pytest.raises(KeyboardInterrupt):
        looks.throw(KeyboardInterrupt)
    name = array_of(tmp_path)
    assert f"scancel --name={name} ends them" in notes[-1]
    settled = threading.Thread(target=launcher(jobs=1).settle)
    settled.start()
    wait_until(lambda: "jobs of an earlier command are at work" in notes[-1])
    time.sleep(1)
    assert settled.is_alive()
    (tmp_path / "wait").touch()
    settled.join(60)
    assert done(tmp_path, "piece")
    found = queued(name)
    assert found is not None
    assert found.tasks == 0


def test_a_reason_to_wait_that_does_not_go_by_is_said(
    launcher: Callable[..., Launcher], tmp_path: Path, notes: list[str]
) -> None:
    looks = launcher(jobs=1, partition="short", minutes=60).run(work, [Piece(tmp_path, "piece")])
    wait_until(lambda: next(looks) and any("PartitionTimeLimit" in note for note in notes))
    subprocess.run(["scancel", f"--name={array_of(tmp_path)}"], check=True)
    with pytest.raises(LaunchError, match="it was cancelled before it began"):
        list(looks)
