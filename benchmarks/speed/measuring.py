"""Measurements, each in a process of its own: time, peak memory, and what the measured thing says of itself."""

import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nni_emodarts.config import SYNTHETIC
from nni_emodarts.runtime.memory import anonymous_bytes
from nni_emodarts.runtime.writing import write_atomically

_PAUSE = 0.01
"""Seconds between two looks at the memory."""

Step = Callable[[], dict[str, Any] | None]
"""What is timed; the facts that it returns are kept."""


@dataclass(frozen=True)
class Measurement:
    """What repeats of a step took.

    Attributes:
        seconds: median.
        all_seconds: of each repeat, in order.
        peak_bytes: largest anonymous memory (RssAnon) while steps ran, those of preparation included.
        facts: what the step says of itself.
    """

    seconds: float
    all_seconds: list[float]
    peak_bytes: int
    facts: dict[str, Any] = field(default_factory=dict)


def measure(
    make_step: str,
    arguments: dict[str, Any],
    repeats: int = 3,
    threads: int = 2,
    warm_up: bool = True,
    seconds: float = 0.0,
) -> Measurement:
    """Run `make_step(**arguments)` in a new process, then its step: once to warm up, then timed.

    Args:
        make_step: `package.module:function`, which returns a `Step`.
        arguments: of the function; JSON.
        repeats: timed steps at least.
        threads: threads of the process.
        warm_up: whether an untimed step comes first.
        seconds: how long to go on at least, so that a short step is not at the mercy of a moment.

    Raises:
        RuntimeError: the process failed; with the end of what it said.
    """
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    asked = {"make_step": make_step, "arguments": arguments, "repeats": repeats, "warm_up": warm_up, "seconds": seconds}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.measuring"],
        input=json.dumps(asked),
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{make_step} {arguments} failed: {done.stderr.strip()[-2000:]}")
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))


def machine() -> dict[str, Any]:
    """What a figure depends on: processor, memory, versions."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "nni", "nni-emodarts")},
    }


def write_figures(file: Path | None, figures: dict[str, Any]) -> None:
    """Write a benchmark's figures, and the machine that they were measured on, where a file is asked for."""
    if file is not None:
        write_atomically(file, json.dumps({**figures, "machine": machine()}, indent=2).encode() + b"\n")


def corpus_name(manifest: str) -> str:
    """What a document calls a corpus."""
    return "the embedded corpus" if manifest == SYNTHETIC else Path(manifest).parent.name


class Memory(threading.Thread):
    """Watches the anonymous memory of this process, in the background."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_bytes = 0

    def run(self) -> None:
        """Look again and again."""
        while True:
            self.peak_bytes = max(self.peak_bytes, anonymous_bytes())
            time.sleep(_PAUSE)


def _serve() -> None:
    request = json.loads(sys.stdin.read())
    module, _, name = request["make_step"].partition(":")
    step: Step = getattr(import_module(module), name)(**request["arguments"])
    memory = Memory()
    memory.start()
    facts = (step() or {}) if request["warm_up"] else {}
    taken: list[float] = []
    while len(taken) < request["repeats"] or sum(taken) < request["seconds"]:
        start = time.perf_counter()
        facts = step() or facts
        taken.append(time.perf_counter() - start)
    print(json.dumps(asdict(Measurement(statistics.median(taken), taken, memory.peak_bytes, facts))))


if __name__ == "__main__":
    _serve()
