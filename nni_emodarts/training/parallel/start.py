"""Several processes are started, train one network together, and end together."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.config.together import Place
from nni_emodarts.errors import ConfigError, LostProcessError
from nni_emodarts.runtime.environment_variables import environment_with
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject
from nni_emodarts.runtime.processes import Watch, run_at_once
from nni_emodarts.training.parallel.machines import announced, reached, store_at

LOOPBACK = "127.0.0.1"
_PATIENCE = timedelta(minutes=30)
"""That a process waits for the others at most."""
LOST = (
    "one of the processes that train together was killed, ran out of memory or failed on another machine; look there, "
    "and run the command again, with --resume where it has that"
)
_TORCHRUN = "TORCHELASTIC_RUN_ID"
_INTERFACE = "GLOO_SOCKET_IFNAME"


@dataclass(frozen=True)
class Meeting:
    """Where the processes of one training meet.

    Attributes:
        place: of their machines.
        name: sets this training apart from others that meet at the same place.
        devices: processes of each machine.
        device: their kind, as a configuration names it.
    """

    place: Place
    name: str
    devices: int
    device: str

    @property
    def processes(self) -> int:
        """Of all machines."""
        return self.devices * self.place.nodes


def train_together(
    config: ExperimentConfig,
    work: Callable[..., Any],
    *arguments: Any,
    tell: Callable[..., object],
    job: JsonMapping = MappingProxyType({}),
) -> Any:
    """Train one network in several processes of this machine, and of others.

    They are spawned and get what they need from this one: no command runs twice, nothing is asked twice, and the lock
    of the output folder stays here. What one of them raises ends all.

    Args:
        config: says how many, and on which kind of device.
        work: called in each with the arguments and, as `tell`, what reaches this process from the first alone.
        *arguments: of `work`; they are sent to each process.
        tell: called here with what the first process tells.
        job: by which other machines know what to take part in.

    Returns:
        What `work` returned in the first process; of the others it is dropped.

    Raises:
        ConfigError: there are fewer devices, or other machines cannot take part.
        LostProcessError: one of the processes was killed.
    """
    check_devices(config)
    if config.nodes > 1:
        machines, name = announced(config, {**job, "processes": config.processes})
        meeting = Meeting(machines.place, name, config.devices, config.device)
        return _run(config, meeting, work, arguments, Watch(tell, machines.look))
    store = store_at(LOOPBACK)
    meeting = Meeting(Place(LOOPBACK, store.port, 0, 1), "0", config.devices, config.device)
    with environment_with(_at_home()):
        return _run(config, meeting, work, arguments, Watch(tell))


def take_part(config: ExperimentConfig, find: Callable[[JsonObject], tuple[Any, ...]]) -> None:
    """Train what the first machine says, as one of the others, until all is done.

    Args:
        config: of the same command.
        find: the work of a job, and its arguments.

    Raises:
        ConfigError: the first machine goes by another number of processes.
        LostProcessError: it ended before, or a process was killed.
    """
    check_devices(config)
    with reached(Place.of(config)) as machines:
        for name, job in machines.jobs():
            if job["processes"] != config.processes:
                raise ConfigError(
                    f"devices: the first machine counts {job['processes']} processes, and this one {config.processes}; "
                    f"start the same command on each"
                )
            work, *arguments = find(job)
            _run(
                config,
                Meeting(machines.place, name, config.devices, config.device),
                work,
                tuple(arguments),
                Watch(_unheard),
            )


def _run(config: ExperimentConfig, meeting: Meeting, work: Callable[..., Any], arguments: Any, watch: Watch) -> Any:
    with _threads_shared(config):
        return run_at_once(config.devices, _join, meeting, work, arguments, watch=watch)


def check_devices(config: ExperimentConfig) -> None:
    """Refuse more processes than there is something to compute on; one alone is none too many.

    Raises:
        ConfigError: the machine has fewer accelerators, or fewer cores where CPUs compute; or torchrun has started
            this process, and others beside it.
    """
    if config.processes == 1:
        return
    if _TORCHRUN in os.environ:
        raise ConfigError(
            f"devices: torchrun has started this command, which starts its {config.devices} processes itself; start it "
            f"once on each machine, without torchrun"
        )
    on_cpu = config.device == "cpu" or not torch.accelerator.is_available()
    found = (os.cpu_count() or 1) if on_cpu else torch.accelerator.device_count()
    if config.devices > found:
        what = "CPU cores" if on_cpu else "accelerators"
        raise ConfigError(f"devices: {config.devices} are asked for, but there are {found} {what}; ask for fewer")


def local_rank() -> int:
    """Number of this process among those of its machine, which is that of its accelerator."""
    return int(os.environ.get("LOCAL_RANK", 0)) if dist.is_initialized() else 0


def _join(place: int, told: Callable[..., None], meeting: Meeting, work: Any, arguments: Any) -> Any:
    """Be one of the processes, from the meeting to the end of the work."""
    host, port, node = meeting.place.host, meeting.place.port, meeting.place.node
    rank = node * meeting.devices + place
    known = {
        "RANK": rank, "LOCAL_RANK": place, "WORLD_SIZE": meeting.processes, "LOCAL_WORLD_SIZE": meeting.devices,
        "GROUP_RANK": node, "MASTER_ADDR": host, "MASTER_PORT": port,
    }  # fmt: skip
    os.environ.update({name: str(value) for name, value in known.items()})  # as torchrun has them
    with _others_lost(), _group(meeting, rank, place):
        found = work(*arguments, tell=told if rank == 0 else _unheard)
    return found if rank == 0 else None


@contextmanager
def _others_lost() -> Iterator[None]:
    """Say in one message that a process waits in vain for another.

    Raises:
        LostProcessError: the connection to another process was lost.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            raise LostProcessError(LOST) from None
        raise


@contextmanager
def _group(meeting: Meeting, rank: int, place: int) -> Iterator[None]:
    """The process group; it is left in order, or not at all: whoever fails is ended with the others."""
    found = meeting.device != "cpu" and torch.accelerator.is_available()
    kind = torch.accelerator.current_accelerator() if found else None
    if kind is not None:
        torch.accelerator.set_device_index(place)
    backend = dist.get_default_backend_for_device(kind or torch.device("cpu"))
    store = TCPStore(meeting.place.host, meeting.place.port, is_master=False, timeout=_PATIENCE)
    dist.init_process_group(
        backend,
        store=PrefixStore(meeting.name, store),
        rank=rank,
        timeout=_PATIENCE,
        world_size=meeting.processes,
    )
    yield
    dist.destroy_process_group()


@contextmanager
def _threads_shared(config: ExperimentConfig) -> Iterator[None]:
    """The processes share the threads that this one would have; torch's warnings of lost connections stay unsaid."""
    threads = str(max(1, torch.get_num_threads() // config.devices))
    with environment_with({"TORCH_CPP_LOG_LEVEL": "ERROR", "OMP_NUM_THREADS": threads}):
        yield


def _at_home() -> dict[str, str]:
    """Processes of one machine talk through its own interface, where nobody else hears them."""
    names = [name for _, name in socket.if_nameindex()]
    return {_INTERFACE: "lo"} if _INTERFACE not in os.environ and "lo" in names else {}


def _unheard(*_: object) -> None:
    """What others than the first process tell."""
