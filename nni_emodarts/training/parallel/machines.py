"""Several machines that train together: the first says what is trained next, the others take part in it.

The same command is started on each, with where they meet in the environment (`Place`). What the first says is plain
JSON; no code and no pickle is sent from machine to machine.
"""

import json
import logging
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

import torch.distributed as dist
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.config.together import ADDRESS, PORT, Place, several_machines
from nni_emodarts.errors import ConfigError, LostProcessError
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject

logger = logging.getLogger(__name__)

_LOOK = 0.2  # seconds between two looks for what the first machine says
_PATIENCE = 10.0  # seconds that a connection may take
_GOODBYE = 60.0  # seconds that the first machine waits for the others in the end
_END: JsonObject = {}


class Machines:
    """The connection of this machine with the others.

    Args:
        place: where they meet.
        store: what all can read; the first machine keeps it.
        line: to the first machine, which says nothing through it, so that it can be read only once that one has ended.
    """

    def __init__(self, place: Place, store: TCPStore, line: socket.socket | None = None) -> None:
        self.place = place
        self._store = store
        self._line = line
        self._said = 0

    def say(self, job: JsonMapping) -> str:
        """Say what is trained next, and get the name under which the processes of all machines meet for it."""
        name = str(self._said)
        self._store.set(f"job/{name}", json.dumps(job))
        self._said += 1
        return name

    def jobs(self) -> Iterator[tuple[str, JsonObject]]:
        """What the first machine says, by name, until it says that all is done.

        Raises:
            LostProcessError: it ended before.
        """
        while (job := self._heard(f"job/{self._said}")) != _END:
            yield str(self._said), job
            self._said += 1

    def leave(self, why: str = "") -> None:
        """Say to the first machine that this one leaves, and why, where it fails."""
        with suppress(dist.DistError):  # which may have ended itself
            self._store.set(f"left/{self.place.node}", why)

    def look(self) -> None:
        """See that no other machine has failed.

        Raises:
            LostProcessError: one has.
        """
        for node in self._left():
            if why := self._store.get(f"left/{node}").decode():
                raise LostProcessError(f"machine {node} of {self.place.nodes} has left: {why}")

    def end(self) -> None:
        """Say that all is done, and wait until the others have heard it."""
        self.say(_END)
        until = time.monotonic() + _GOODBYE
        while len(self._left()) < self.place.nodes - 1 and time.monotonic() < until:
            time.sleep(_LOOK)

    def _left(self) -> list[int]:
        return [node for node in range(1, self.place.nodes) if self._store.check([f"left/{node}"])]

    def _heard(self, key: str) -> JsonObject:
        """What is said under a key, once it is; it is asked for, since torch would warn of each wait in vain."""
        ended = LostProcessError(f"the first machine, {self.place.host}, ended before all was trained; look there")
        while True:
            if self._line is not None and select.select([self._line], [], [], _LOOK)[0]:
                raise ended
            try:
                if self._store.check([key]):
                    said: JsonObject = json.loads(self._store.get(key))
                    return said
            except dist.DistError:
                raise ended from None


def store_at(host: str, port: int = 0) -> TCPStore:
    """A store that others reach at this address alone; torch's own would listen at every address of the machine.

    Args:
        host: an address of this machine.
        port: any free one where it is 0.

    Raises:
        OSError: it is no address of this machine, or somebody has the port.
    """
    server = _listening(host, port)
    own = server.getsockname()[1]
    return TCPStore(host, own, is_master=True, wait_for_workers=False, master_listen_fd=server.detach())


_current: ContextVar[Machines | None] = ContextVar("machines", default=None)


@contextmanager
def first_machine(config: ExperimentConfig) -> Iterator[None]:
    """Networks that are trained inside are trained by all machines; nothing changes where there is one.

    Raises:
        ConfigError: the environment says not where they meet, or the port is taken.
    """
    if config.nodes == 1:
        yield
        return
    place = Place.of(config)
    with _own_address(place):
        store = store_at(place.host, place.port)
    machines = Machines(place, store)
    before = _current.set(machines)
    try:
        yield
        machines.end()
    finally:
        _current.reset(before)


def check_meeting(config: ExperimentConfig) -> None:
    """See that others can meet here, before recordings are read.

    Raises:
        ConfigError: as for `first_machine`.
    """
    if config.nodes > 1:
        place = Place.of(config)
        with _own_address(place), _listening(place.host, place.port):
            pass


@contextmanager
def _own_address(place: Place) -> Iterator[None]:
    """Say in one message that nobody can listen at a place.

    Raises:
        ConfigError: it is no address of this machine, or somebody has the port.
    """
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{ADDRESS} and {PORT} of the environment: {place.host} port {place.port} cannot be used "
            f"({error.strerror or error}); name an address of this machine, and a free port"
        ) from None


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens at this address alone."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((host, port), family=family)


def announced(config: ExperimentConfig, job: JsonMapping) -> tuple[Machines, str]:
    """Say to the other machines what is trained next, and under which name its processes meet.

    Raises:
        ConfigError: what is trained is none of a search or a retraining, in which other machines could take part.
    """
    machines = _current.get()
    if machines is None:
        raise several_machines(config)
    return machines, machines.say(job)


def same_corpus(digest: str, job: JsonMapping) -> None:
    """Refuse to take part in what is trained on another manifest.

    Raises:
        ConfigError: the digest of this machine's is not the one that the first machine says.
    """
    if job["manifest"] != digest:
        raise ConfigError("data.manifest: the first machine has another content of it; give all machines the same file")


@contextmanager
def reached(place: Place) -> Iterator[Machines]:
    """Wait for the first machine, which may have features to extract before it begins; it hears how this one ends.

    Raises:
        ConfigError: its name is none that this machine knows.
    """
    with _first_machine_at(place) as line:
        machines = Machines(place, TCPStore(place.host, place.port, is_master=False, wait_for_workers=False), line)
        try:
            yield machines
        except LostProcessError:  # of the first machine, or known there by its own connections
            raise
        except BaseException as error:
            machines.leave(str(error) or type(error).__name__)
            raise
        machines.leave()


def _first_machine_at(place: Place) -> socket.socket:
    """A line to the first machine, once it listens."""
    told = False
    while True:
        try:
            return socket.create_connection((place.host, place.port), timeout=_PATIENCE)
        except socket.gaierror as error:
            raise ConfigError(
                f"{ADDRESS} of the environment: {place.host!r} is no name that this machine knows "
                f"({error.strerror or error}); set it to an address of the first machine"
            ) from None
        except OSError:
            if not told:
                logger.warning("waiting for the first machine at %s port %s", place.host, place.port)
            told = True
            time.sleep(_LOOK)
