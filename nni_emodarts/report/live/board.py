"""TensorBoard on runs, served from this machine alone, for as long as they grow."""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests

from nni_emodarts.errors import ConfigError
from nni_emodarts.report.live.events import Events
from nni_emodarts.runtime.ports import free_port

_RELOAD = 5
"""Seconds between two looks at the runs."""
_START = 60.0
"""Seconds that TensorBoard has to start."""


class Board:
    """A TensorBoard that shows runs.

    Attributes:
        address: where it is.
    """

    def __init__(self, server: "subprocess.Popen[bytes]", address: str, events: Events) -> None:
        self.address = address
        self._server = server
        self._events = events

    @property
    def empty(self) -> bool:
        """Whether nothing was recorded yet."""
        return not self._events.folders

    def follow(self) -> None:
        """Add what the runs record, until TensorBoard ends.

        Raises:
            ConfigError: it has ended.
            KeyboardInterrupt: this process is asked to end.
        """
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # no server is left behind, whatever ends this
        signal.signal(signal.SIGINT, signal.default_int_handler)
        while self._server.poll() is None:
            time.sleep(_RELOAD)
            self._events.update()
        raise ConfigError(f"TensorBoard at {self.address} has ended with exit code {self._server.returncode}")


@contextmanager
def shown(names: Sequence[str], port: int | None = None) -> Iterator[Board]:
    """TensorBoard on runs; its event files lie in a temporary folder.

    Args:
        names: runs, as `write_events` takes them.
        port: of its pages; a free one where absent.

    Raises:
        ConfigError: it is not installed, or does not start.
        ExperimentError: the port is taken.
        RunFolderError: there is no such run.
    """
    port = free_port(port)  # whoever listens there already would be taken for TensorBoard
    with tempfile.TemporaryDirectory(prefix="emodarts-") as folder:
        events = Events(names, Path(folder))
        events.update()
        words = ["--logdir", folder, "--port", str(port), "--reload_interval", str(_RELOAD)]
        with (Path(folder) / ".log").open("wb") as log:
            server = subprocess.Popen(  # noqa: S603 - of this interpreter, without the current folder (-P)
                [sys.executable, "-P", "-m", "tensorboard.main", *words], stdout=log, stderr=log
            )
        try:
            address = f"http://localhost:{port}"
            _wait(server, address, lambda: (Path(folder) / ".log").read_text(errors="replace"))
            yield Board(server, address, events)
        finally:
            server.terminate()
            server.wait()
            events.close()


def _wait(server: "subprocess.Popen[bytes]", address: str, said: Callable[[], str]) -> None:
    """Until it answers."""
    end = time.monotonic() + _START
    while time.monotonic() < end and server.poll() is None:
        try:
            requests.get(address, timeout=_START).raise_for_status()
        except requests.RequestException:
            time.sleep(0.2)
        else:
            return
    lines = said().strip().splitlines() or ["it says nothing"]
    raise ConfigError(f"TensorBoard does not start at {address}; name another --port. Its last words: {lines[-1]}")
