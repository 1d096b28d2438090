"""Where a figure was computed: versions, hardware, cost."""

import os
import platform
import resource
import time
from importlib.metadata import PackageNotFoundError, version

from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject

_PACKAGES = (
    "nni_emodarts",
    "nni",
    "torch",
    "torchaudio",
    "pytorch-lightning",
    "librosa",
    "numpy",
    "pandas",
    "scikit-learn",
    "opensmile",
    "transformers",
)


class Stopwatch:
    """Wall-clock and processor seconds since it was made."""

    def __init__(self) -> None:
        self._wall = time.monotonic()
        self._cpu = _cpu_seconds()

    def read(self) -> dict[str, float]:
        """Seconds so far, of this process and its children."""
        return {"seconds": round(time.monotonic() - self._wall, 3), "cpu_seconds": round(_cpu_seconds() - self._cpu, 3)}


def threads_each(processes: int) -> int:
    """Threads of each of several processes at once; two that use every core spin against each other.

    Cores are those that this process may use, which on a cluster are a few of the machine's; `OMP_NUM_THREADS` bounds
    the threads of each.
    """
    share = max(1, len(os.sched_getaffinity(0)) // processes)
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(share, max(1, int(asked))) if asked.isdecimal() else share


def same_speed(one: JsonMapping, other: JsonMapping) -> bool:
    """Whether CPU seconds of two environments compare: the same processor, threads and device, a GPU by its name."""
    return all(one.get(key) == other.get(key) for key in ("processor", "threads", "device", "accelerator"))


def describe_environment(device: str, threads: int, accelerator: str | None = None) -> JsonObject:
    """Versions and hardware, as data.

    Args:
        device: torch's word for what computes, such as `cpu` or `cuda:0`.
        threads: threads of the process.
        accelerator: the name of a GPU, since all are called `cuda:0`.
    """
    return {
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name)) is not None},
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": threads,
        "device": device,
        **({} if accelerator is None else {"accelerator": accelerator}),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _cpu_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """The processor's name, with family and model where the name is that of several generations."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            first = file.read().partition("\n\n")[0]
    except OSError:
        return platform.processor()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}
    name = facts.get("model name", platform.processor())
    return f"{name} (family {facts['cpu family']}, model {facts['model']})" if "cpu family" in facts else name
