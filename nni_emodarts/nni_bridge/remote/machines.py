"""The machines of an experiment: a list in a YAML file, in the words of NNI's `machineList`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from nni_emodarts.config.faults import describe_fault, enumerate_faults, nearest
from nni_emodarts.config.sections import PathText, PositiveInt, Section
from nni_emodarts.errors import ExperimentError
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject
from nni_emodarts.runtime.yaml_reading import read_yaml_file

_SECRETS = ("password", "sshPassphrase")
"""Keys of NNI's that are refused: they would stand in the experiment's file, its database and the web UI."""
_SHAPES = {"host": "name or address of a machine", "user": "name of a user", "pythonPath": "absolute path of a folder"}
"""What is meant by keys whose letters are limited."""


def _expanded(path: str) -> str:
    return str(Path(path).expanduser().absolute())


class Machine(Section):
    """A machine that trials run on; its keys are those of NNI."""

    model_config = ConfigDict(alias_generator=to_camel)

    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9:][A-Za-z0-9.:_-]*$", max_length=253)]
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    user: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][\w.-]*$", max_length=100)]
    ssh_key_file: Annotated[PathText, AfterValidator(_expanded)] = Field("~/.ssh/id_rsa", validate_default=True)
    python_path: Annotated[str, Field(pattern=r"^/[\w/.+@-]*$", max_length=4096)] | None = None
    """The folder of the interpreter, such as a virtual environment's `bin`."""
    gpu_indices: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    use_active_gpu: bool = False
    max_trial_number_per_gpu: PositiveInt = 1

    def __str__(self) -> str:
        return self.host if self.port == 22 else f"{self.host}:{self.port}"

    def to_nni(self) -> JsonObject:
        """An entry of `machineList`."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


@dataclass(frozen=True)
class Remote:
    """Where the trials of an experiment run, if not here.

    Attributes:
        machines: on which they run.
        manager: address of this machine, at which they reach NNI's manager.
        shared: folder that all machines share, which holds run folders and features; None where there is none.
        gpus: GPUs of each trial; 0 where NNI is not to count them.
        cores: processor cores of the machine that has the fewest.
    """

    machines: tuple[Machine, ...]
    manager: str
    shared: Path | None = None
    gpus: int = 0
    cores: int = 1

    def threads(self, concurrency: int) -> int:
        """Threads of each of so many trials, of which each machine has its share."""
        return max(1, self.cores // math.ceil(concurrency / len(self.machines)))

    def to_nni(self) -> JsonObject:
        """The part of an experiment's file that says so."""
        machines = [machine.to_nni() for machine in self.machines]
        counted = {"trialGpuNumber": self.gpus} if self.gpus else {}
        return {
            "nniManagerIp": self.manager,
            **counted,
            "trainingService": {"platform": "remote", "machineList": machines},
        }

    @classmethod
    def of(cls, experiment: JsonMapping, where: Path) -> "Remote | None":
        """What an experiment's file says of it; None where its trials run here, or as NNI's other services do.

        Args:
            experiment: the file's content.
            where: the file.

        Raises:
            ExperimentError: its machines are not such as `read_machines` takes.
        """
        service = experiment.get("trainingService")
        if not isinstance(service, dict) or service.get("platform") != "remote" or "nniManagerIp" not in experiment:
            return None
        options = (experiment.get("tuner") or {}).get("classArgs") or {}
        shared = options.get("shared")
        machines = _machines(service.get("machineList"), f"{where}: machineList")
        return cls(
            machines, str(experiment["nniManagerIp"]), Path(shared) if shared else None,
            int(experiment.get("trialGpuNumber") or 0),
        )  # fmt: skip


def read_machines(file: Path) -> tuple[Machine, ...]:
    """The machines of a YAML file.

    Raises:
        ExperimentError: it cannot be read, or has faults.
    """
    data = read_yaml_file(file, f"machines {file}", "name a YAML file", ExperimentError)
    return _machines(data, f"machines {file}")


def _machines(data: object, head: str) -> tuple[Machine, ...]:
    if not isinstance(data, list) or not data:
        raise ExperimentError(f"{head} must be a list of machines, such as: - {{host: 10.0.0.2, user: ann}}")
    found, faults = [], []
    for number, entry in enumerate(data, 1):
        if not isinstance(entry, dict):
            faults.append(f"machine {number}: {entry!r} is none; write it as {{host: 10.0.0.2, user: ann}}")
            continue
        try:
            found.append(Machine.model_validate(entry))
        except ValidationError as error:
            faults += [f"machine {number}: {_words(fault)}" for fault in error.errors()]
    if faults:
        raise ExperimentError(enumerate_faults(head, faults))
    _refuse_twice(found, head)
    return tuple(found)


def _words(fault: ErrorDetails) -> str:
    """A fault in the words of the file, whose keys are NNI's."""
    name = str(fault["loc"][-1]) if fault["loc"] else ""
    if name in _SECRETS:
        return f"{name} would stand in the experiment's file and in the web UI; name a key without one as sshKeyFile"
    if fault["type"] == "extra_forbidden":
        return f"{name}: unknown key{nearest(name, map(to_camel, Machine.model_fields))}"
    if fault["type"] == "missing":
        return f"{name}: missing"
    if fault["type"] == "string_pattern_mismatch":
        return f"{name}: {fault['input']!r} is no {_SHAPES[name]}"
    return describe_fault(fault, Machine)


def _refuse_twice(machines: Sequence[Machine], head: str) -> None:
    names = [str(machine) for machine in machines]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ExperimentError(f"{head} names {twice[0]} twice; name it once, with a larger --concurrency")
