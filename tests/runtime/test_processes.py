import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from process_groups import group_lives, wait_until

from nni_emodarts.errors import ConfigError, LostProcessError
from nni_emodarts.runtime.processes import (
    Watch,
    ended_in_order,
    exit_status,
    process_name,
    run_at_once,
    start_pool,
    uninterrupted,
)

SCRIPT = """
import signal, sys, time
from pathlib import Path
from nni_emodarts.runtime.processes import start_pool

def work(file):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a training handles it, too
    Path(file).touch()
    time.sleep(600)

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with start_pool(2) as pool:
        list(pool.map(work, [folder / "one", folder / "other"]))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_leave_with_the_process_that_they_work_for(how: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path)], start_new_session=True)
    try:
        wait_until(lambda: (tmp_path / "one").exists() and (tmp_path / "other").exists())
        parent.send_signal(how)
        parent.wait()
        wait_until(lambda: not group_lives(parent.pid), 10)
    finally:
        if group_lives(parent.pid):
            os.killpg(parent.pid, signal.SIGKILL)


def test_who_presses_ctrl_c_twice_does_not_wait_for_workers(tmp_path: Path) -> None:
    """A terminal sends it to all processes of its group."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    words = ["bash", "-c", f"trap - INT; exec {sys.executable} {script} {tmp_path}"]
    parent = subprocess.Popen(words, start_new_session=True, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: (tmp_path / "one").exists() and (tmp_path / "other").exists())
        began = time.monotonic()
        os.killpg(parent.pid, signal.SIGINT)
        time.sleep(0.3)
        os.killpg(parent.pid, signal.SIGINT)
        said = parent.communicate()[1]
        assert time.monotonic() - began < 5
        assert parent.returncode in (-signal.SIGINT, 130)
        assert "SpawnProcess" not in said, "workers say nothing"
        wait_until(lambda: not group_lives(parent.pid), 5)
    finally:
        if group_lives(parent.pid):
            os.killpg(parent.pid, signal.SIGKILL)


def test_a_signal_ends_workers_at_once(tmp_path: Path) -> None:
    def leave() -> None:
        with start_pool(1) as pool:
            pool.submit(os.getpid).result()
            pool.submit(time.sleep, 300)
            raise SystemExit(143)

    began = time.monotonic()
    with pytest.raises(SystemExit):
        leave()
    assert time.monotonic() - began < 10


def test_the_status_of_what_a_signal_ended() -> None:
    from pytorch_lightning.utilities.exceptions import SIGTERMException

    assert exit_status(SystemExit(3)) == 3
    assert exit_status(SystemExit()) is None
    assert exit_status(SIGTERMException()) == 143

    def leave_as_lightning_does() -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            sys.exit(1)

    with pytest.raises(SystemExit) as left:
        leave_as_lightning_does()
    assert exit_status(left.value) == 130


def test_a_process_is_known_from_a_later_one_of_its_number() -> None:
    number, start = process_name().split(":")
    assert int(number) == os.getpid()
    fields = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()
    assert start == fields[19]


def test_workers_begin_with_what_they_are_sent() -> None:
    with start_pool(1, os.putenv, "EMODARTS_TEST", "sent") as pool:
        done = pool.submit(subprocess.check_output, ["sh", "-c", "echo $EMODARTS_TEST"])
        assert done.result() == b"sent\n"


def test_tasks_that_have_not_begun_are_dropped_where_one_fails() -> None:
    waiting: list[Future[None]] = []

    def fail() -> None:
        with start_pool(1) as pool:
            failing = pool.submit(divmod, 1, 0)
            waiting.extend(pool.submit(time.sleep, 0.5) for _ in range(40))
            failing.result()

    with pytest.raises(ZeroDivisionError):
        fail()
    assert sum(task.cancelled() for task in waiting) > 30


def test_a_signal_waits_for_what_must_be_whole_and_then_ends_in_order() -> None:
    done = []
    before = signal.getsignal(signal.SIGINT)  # ignored, where the tests run in the background

    def work() -> None:
        with ended_in_order():
            try:
                with uninterrupted():
                    signal.raise_signal(signal.SIGTERM)
                    done.append("whole")
                done.append("never")
            finally:
                done.append("put away")

    with pytest.raises(SystemExit) as left:
        work()
    assert left.value.code == 128 + signal.SIGTERM
    assert done == ["whole", "put away"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) == before


def test_who_insists_is_not_kept_waiting() -> None:
    def work() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            pytest.fail("went on")

    with pytest.raises(KeyboardInterrupt):
        work()


def test_who_insists_by_sigterm_leaves_with_it() -> None:
    def work() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
            pytest.fail("went on")

    with pytest.raises(SystemExit) as left:
        work()
    assert left.value.code == 143


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup leaves it
    try:
        with ended_in_order():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_workers_import_nothing_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard modules that a worker imports first, as a stranger would plant them."""
    for name in ("pickle", "_compat_pickle", "absl"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r})\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    with start_pool(1) as pool:
        assert pool.submit(os.getcwd).result() == str(tmp_path)
    assert not (tmp_path / "ran").exists()
    assert "PYTHONSAFEPATH" not in os.environ


def count_to(number: int, tell: Any, most: int) -> int:
    for each in range(most):
        tell(number, each)
    return 10 * number + most


def fail_or_wait(number: int, tell: Any, failing: int, how: str) -> None:
    tell(os.getpid())
    if number != failing:
        time.sleep(600)
    time.sleep(0.5)  # the others wait by now
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    raise ConfigError("this one says why")


def test_processes_at_once_are_heard_in_order_and_the_first_ones_result_is_kept() -> None:
    told: list[tuple[int, int]] = []
    assert run_at_once(2, count_to, 5, watch=Watch(lambda *said: told.append(said))) == 5
    for number in (0, 1):
        assert [each for own, each in told if own == number] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("failing", [0, 1])
@pytest.mark.parametrize(
    ("how", "error", "says"),
    [("raises", ConfigError, "this one says why"), ("killed", LostProcessError, "one of 2 processes .* was killed")],
)
def test_what_ends_one_of_processes_at_once_ends_all(failing: int, how: str, error: type[Exception], says: str) -> None:
    """Also those that wait for ever for one that will not come."""
    processes: list[int] = []
    with pytest.raises(error, match=says):
        run_at_once(2, fail_or_wait, failing, how, watch=Watch(processes.append))
    for process in processes:
        wait_until(lambda process=process: not Path(f"/proc/{process}").exists())


def test_a_caller_who_fails_on_what_is_told_ends_all() -> None:
    processes: list[int] = []

    def refuse(process: int) -> None:
        processes.append(process)
        raise ConfigError("no more")

    with pytest.raises(ConfigError, match="no more"):
        run_at_once(2, fail_or_wait, 5, "", watch=Watch(refuse))
    wait_until(lambda: not Path(f"/proc/{processes[0]}").exists())
