"""A real manager's answers to foreign requests, and its end: with its owner, and with all that it started."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests
import yaml
from bare_nnictl import bare, printed_options
from process_groups import wait_until

from nni_emodarts.nni_bridge.experiment import started
from nni_emodarts.nni_bridge.manager import Manager
from nni_emodarts.runtime.ports import free_port

_STATUS = "/api/v1/nni/check-status"
_UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip
_SOON = 15.0  # seconds; a manager without an owner takes eight, on a machine with nothing else to do


def _ask(port: int, path: str, **headers: str) -> tuple[int, bytes]:
    """Status and answer to a request as it stands, which no library makes tidy."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest("GET", path, skip_host=True)
        for name, value in {"Host": f"localhost:{port}", **headers}.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, b"" if answer.status == 101 else answer.read()
    finally:
        connection.close()


def _refuses_strangers(port: int) -> None:
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.2", port), timeout=5):
        pytest.fail("it listens at another address")
    assert _ask(port, _STATUS)[0] == 200
    assert _ask(port, _STATUS, Host="localhost:9999", Origin="http://localhost:9999")[0] == 200, "through a tunnel"
    assert _ask(port, "/tuner", **_UPGRADE)[0] == 101
    for foreign in (
        {"Host": f"evil.example:{port}"}, {"Host": "192.0.2.7"}, {"Host": "localhost.evil.example"}, {"Host": ""},
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": f"http://localhost:{port + 1}"},
        {"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"},
    ):  # fmt: skip
        assert _ask(port, _STATUS, **foreign)[0] == 403, foreign
        assert _ask(port, "/tuner", **_UPGRADE, **foreign)[0] == 403, foreign


def _serves_a_trial_s_files_alone(port: int, trial: Path) -> None:
    (trial / "own.txt").write_text("own")
    (trial / "inside").symlink_to("own.txt")
    (trial / "link").symlink_to("/etc/hostname")
    (trial / "up").symlink_to("..")
    (trial.parent / "secret").write_text("secret")
    root = f"/api/v1/nni/trial-file/{trial.name}"
    assert _ask(port, f"{root}/own.txt") == _ask(port, f"{root}/inside") == (200, b"own")
    assert _ask(port, f"{root}/stderr")[0] == 200
    for path in (
        "..%2Fsecret", "%2e%2e%2Fsecret", "%2E%2E%2fsecret", "..%252Fsecret", "..%5Csecret", "up%2Fsecret", "link",
        "%2e", "%2e%2e", "%2Fetc%2Fhostname", "own.txt%00", f"..%2F{trial.name}%2Fown.txt",
    ):  # fmt: skip
        status, answer = _ask(port, f"{root}/{path}")
        assert status in (400, 404), path
        assert b"secret" not in answer
    assert _ask(port, "/api/v1/nni/trial-file/..%2Ftrials/secret")[0] == 404
    assert _ask(port, f"/api/v1/nni/trial-file/..%2Ftrials%2F{trial.name}/own.txt")[0] == 404


@contextmanager
def _run(config: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`emodarts run`, as soon as its experiment runs, and the port."""
    port = free_port()
    command = [sys.executable, "-m", "nni_emodarts", "run", str(config), "--port", str(port), *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process, port
    finally:
        process.kill()
        process.communicate()


def _running_trial(port: int) -> Path:
    """The folder of the first trial, once it runs."""
    wait_until(lambda: [each for each in Manager(port).trials() if each.status == "RUNNING"], 60)
    return Manager(port).trials()[0].folder


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _written(file: Path) -> int:
    """The number in a file, once it stands there."""
    wait_until(lambda: file.exists() and file.read_text().strip())
    return int(file.read_text())


@pytest.fixture
def with_children(idle: Path, tmp_path: Path) -> Path:
    """An experiment whose trial has a child that hears of no signal."""
    child = f"(trap '' INT TERM; echo $BASHPID > {tmp_path}/child; sleep 300; sleep 300) & wait; sleep 300"
    data = yaml.safe_load(idle.read_text()) | {"trialCommand": child}
    file = tmp_path / "children.yml"
    file.write_text(yaml.safe_dump(data))
    return file


@pytest.mark.slow
def test_a_killed_command_leaves_nothing_behind(with_children: Path, tmp_path: Path) -> None:
    """Until then its manager answers this machine alone, and nobody who was sent by another site."""
    with _run(with_children) as (process, port):
        assert process.stdout is not None
        assert f"http://localhost:{port}" in process.stdout.readline()
        assert f"ssh -L {port}:localhost:{port}" in process.stdout.readline()
        trial = _running_trial(port)
        _refuses_strangers(port)
        _serves_a_trial_s_files_alone(port, trial)
        child = _written(tmp_path / "child")
        process.kill()
        process.wait()
        wait_until(lambda: not _lives(child), _SOON)
        with pytest.raises(requests.RequestException):
            Manager(port).status()
        free_port(port)


@pytest.mark.slow
def test_a_command_that_is_killed_while_nni_starts(idle: Path, home: Path) -> None:
    began = time.time()
    with _run(idle) as (process, port):
        wait_until(lambda: any(each.stat().st_mtime > began for each in home.glob("nni-experiments/*/log")))
        process.kill()
        process.wait()
        end = time.monotonic() + _SOON
        quiet_since = time.monotonic()
        while time.monotonic() < end and time.monotonic() - quiet_since < 5:  # nnictl itself goes on for a while
            if _managers(port):
                quiet_since = time.monotonic()
            time.sleep(0.1)
        assert not _managers(port)
        free_port(port)


def _managers(port: int) -> list[int]:
    """Processes that were started for a port: nnictl, and the manager."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"--port" in words and str(port).encode() in words and b"nni_emodarts" not in words:
            found.append(int(file.parent.name))
    return [pid for pid in found if _lives(pid)]


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_who_insists_leaves_nothing_behind(sent: signal.Signals, idle: Path) -> None:
    with _run(idle) as (process, port):
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(sent)
        time.sleep(0.3)
        process.send_signal(sent)
        process.wait(_SOON)
        assert process.returncode % 256 in (128 + sent, 256 - sent)  # it leaves with it, or dies of it while it leaves
        wait_until(lambda: not _managers(port), _SOON)
        free_port(port)


@pytest.mark.slow
def test_a_bare_manager_is_guarded_by_the_line_of_the_documentation(idle: Path, home: Path) -> None:
    with bare(idle, printed_options()) as port:
        _refuses_strangers(port)


@pytest.mark.slow
def test_an_exposed_manager_still_refuses_pages_of_other_sites(idle: Path) -> None:
    with started(idle, host="0.0.0.0") as manager:
        port = manager.port
        socket.create_connection(("127.0.0.2", port), timeout=5).close()
        assert _ask(port, _STATUS, Host=f"192.0.2.7:{port}")[0] == 200, "as a worker of another machine asks"
        assert _ask(port, _STATUS, Host=f"evil.example:{port}")[0] == 403
        assert _ask(port, _STATUS, Origin="http://evil.example")[0] == 403
