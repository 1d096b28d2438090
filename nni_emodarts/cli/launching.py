"""Options of commands whose work may be done by jobs."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from nni_emodarts.errors import ConfigError
from nni_emodarts.launching.launch import MINUTES_OF_A_DAY, Launch

_JOBS = 4
_PARAMETER = "launch"
"""Name of the parameter by which a command is given what these options mean."""


def _launch(
    launcher: Annotated[
        str | None,
        typer.Option(help="Let jobs do the work: slurm, or local, processes of this machine. docs/slurm.md says more."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="With --launcher: jobs that share the work.")] = _JOBS,
    partition: Annotated[str | None, typer.Option(help="Partition of SLURM.")] = None,
    time: Annotated[int, typer.Option(min=1, help="Minutes that a job may take.")] = MINUTES_OF_A_DAY,
    gpus: Annotated[int, typer.Option(min=0, help="GPUs of a job.")] = 0,
    memory: Annotated[float | None, typer.Option(help="Memory of a job in GB.")] = None,
    cpus: Annotated[int, typer.Option(min=1, help="Processor cores of a job.")] = 1,
) -> Launch | None:
    """What these options mean; nothing where no jobs are asked for."""
    if launcher is not None:
        return Launch(launcher, jobs, partition, time, gpus, memory, cpus)
    asked = {
        "jobs": jobs != _JOBS, "partition": partition, "time": time != MINUTES_OF_A_DAY, "gpus": gpus,
        "memory": memory, "cpus": cpus != 1,
    }  # fmt: skip
    given = [name for name, value in asked.items() if value]
    if given:
        raise ConfigError(f"{', '.join(given)}: of jobs alone; add --launcher slurm, or leave it out")
    return None


def launchable(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of jobs in place of its parameter `launch`."""
    options = inspect.signature(_launch).parameters

    @wraps(command)
    def run(**given: Any) -> None:
        launch = _launch(**{name: given.pop(name) for name in options})
        command(**given, **{_PARAMETER: launch})

    own = inspect.signature(command)
    kept = [parameter for name, parameter in own.parameters.items() if name != _PARAMETER]
    every = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*kept, *options.values())]
    run.__signature__ = own.replace(parameters=every)  # type: ignore[attr-defined]  # what typer reads
    run.__annotations__ = {each.name: each.annotation for each in every}
    return run
