"""Where a command's jobs run, and what each of them may use."""

import re
from dataclasses import dataclass

from nni_emodarts.errors import ConfigError

LOCAL, SLURM = "local", "slurm"
LAUNCHERS = (LOCAL, SLURM)
LAUNCHED = "launched"
"""Folder of what jobs are given and what they print, inside that of the run that they work for."""
MINUTES_OF_A_DAY = 24 * 60
_PARTITIONS = re.compile(r"[\w.-]+(,[\w.-]+)*")


@dataclass(frozen=True)
class Launch:
    """Where a command's jobs run, and what each of them may use.

    Attributes:
        launcher: `local`, processes of this machine, or `slurm`.
        jobs: how many share the work; there are fewer where there is less to do.
        partition: of SLURM; its own default where absent.
        minutes: that a job may take.
        gpus: of a job; local jobs share the first of the machine's.
        memory: of a job in GB; SLURM's own default where absent.
        cpus: processor cores of a job.
    """

    launcher: str
    jobs: int = 4
    partition: str | None = None
    minutes: int = MINUTES_OF_A_DAY
    gpus: int = 0
    memory: float | None = None
    cpus: int = 1

    def __post_init__(self) -> None:
        if self.launcher not in LAUNCHERS:
            raise ConfigError(f"launcher: {self.launcher!r} is unknown; known: {', '.join(LAUNCHERS)}")
        for name, least in {"jobs": 1, "minutes": 1, "gpus": 0, "cpus": 1}.items():
            if getattr(self, name) < least:
                raise ConfigError(f"{name}: {getattr(self, name)} must be at least {least}")
        if self.memory is not None and not self.memory > 0:
            raise ConfigError(f"memory: {self.memory:g} must be more than 0 GB")
        if self.partition is not None and not _PARTITIONS.fullmatch(self.partition):
            raise ConfigError(f"partition: {self.partition!r} must be a name, or several with commas; sinfo lists them")
        if self.launcher == LOCAL and (self.partition is not None or self.memory is not None):
            raise ConfigError("partition and memory are of SLURM; leave them out, or take --launcher slurm")

    @property
    def device(self) -> str:
        """Where jobs compute, which the machine that submits them need not have: `gpu` or `cpu`."""
        return "gpu" if self.gpus else "cpu"
