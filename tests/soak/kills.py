"""SIGKILL at a random moment: nothing is left running, and the run that goes on ends as one that was never stopped."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.unchanged import digests
from tests.soak.outcomes import Outcome

TRIAL = "EMODARTS_SOAK"
"""Variable by which the processes of a trial are found, whatever has become of their parents."""
LEFT_SECONDS = 30.0
"""How long after a kill something may still run."""
HUNG_SECONDS = 900.0
MOST_KILLS = 3
"""Kills of one run before it may finish."""
_POLL = 0.1

_SET = " ".join(f"--set {part}.{each}" for part in ("search", "retrain") for each in ("epochs=2", "batch_size=8"))
CORPUS = f"--manifest ../corpus/manifest.csv --preset tiny --protocol loso {_SET}"


@dataclass(frozen=True)
class Job:
    """A command that is killed.

    Attributes:
        begin: its words.
        out: the folder that it writes, with which `--resume` goes on; where absent, the same words go on.
        needs: jobs whose results it reads.
        warm: whether features are there before it starts.
        experiment: whether it runs an experiment, which is written first.
    """

    begin: str
    out: str = ""
    needs: tuple[str, ...] = ()
    warm: bool = True
    experiment: bool = False

    def line_in(self, work: Path) -> str:
        """Its words in a folder where it may have begun."""
        return f"{self.begin} --resume" if self.out and (work / self.out).exists() else self.begin


JOBS = {
    "search": Job(f"search {CORPUS} --fold 0 --seed 1 --strategy darts --out searched", "searched"),
    "retrain": Job(
        f"retrain --architecture ../search/searched {CORPUS} --folds 0 --seeds 1,2 --final --allow-overlap --out kept",
        "kept",
        needs=("search",),
    ),
    "extraction": Job(
        f"search {CORPUS} --fold 0 --seed 1 --strategy darts --out searched --set features.contours=[pitch,energy]",
        "searched",
        warm=False,
    ),
    "benchmark": Job(f"benchmark --name small --methods darts,cnn_lstm --folds 0,1 --out results --runs runs {CORPUS}"),
    "trials": Job(
        f"search {CORPUS} --fold 0 --seed 1 --strategy random --set search.options.candidates=3 "
        "--set search.options.concurrency=1 --set search.options.epochs=1 --out searched",
        "searched",
    ),
    "run": Job("run experiment.yml", experiment=True),
}


def trials(folder: Path, seed: int, numbers: range) -> Iterator[Outcome]:
    """Kill, look what is left, go on, compare."""
    references = _references(folder) if len(numbers) else {}
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        name = list(JOBS)[number % len(JOBS)]
        began = time.monotonic()
        what, fault, kills = _trial(folder, name, references[name], rng)
        yield Outcome(number, name, what, fault, round(time.monotonic() - began, 1), kills)


@dataclass(frozen=True)
class Reference:
    """A job that nothing stopped.

    Attributes:
        cpu_seconds: of all its processes. By them a moment is a share of the work, whatever else the machine does.
        digests: of what it left or printed.
    """

    cpu_seconds: float
    digests: Mapping[str, str]


def _references(folder: Path) -> dict[str, Reference]:
    """Each job to its end; results that others need are kept."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    cache = folder / "cache"
    cache.mkdir()
    run(folder, "synthesize --out corpus --speakers 6 --utterances 2", cache)
    run(begin(folder, "search"), JOBS["search"].begin, cache)  # fills the cache that the others copy
    found = {}
    for name, job in JOBS.items():
        work = begin(folder, name)
        with ThreadPoolExecutor(1) as pool:
            running, spent = pool.submit(run, work, job.begin, work.parent / "cache"), 0.0
            while not running.done():
                spent = max(spent, _cpu_seconds(work))
                time.sleep(_POLL)
        done = running.result()
        if done.returncode:
            raise SystemExit(f"{name} fails without any kill:\n{done.stderr}")
        found[name] = Reference(spent, _left(job, work, done.stdout))
        if any(name in other.needs for other in JOBS.values()):
            shutil.copytree(work, folder / name)
    return found


def begin(folder: Path, name: str) -> Path:
    """The folder in which a job works, with what it needs beside it; always the same, since runs note their paths."""
    job, trial = JOBS[name], folder / "trial"
    shutil.rmtree(trial, ignore_errors=True)
    for there in ("corpus", *job.needs, *(["cache"] if job.warm else [])):
        shutil.copytree(folder / there, trial / there)
    work = trial / "job"
    work.mkdir()
    if job.experiment:
        run(work, f"experiment --out experiment.yml {CORPUS} --folds 0,2 --strategy darts", trial / "cache")
    return work


def _left(job: Job, work: Path, printed: str) -> dict[str, str]:
    """What a job left in its folder; of an experiment, whose results lie in NNI's, the table that it printed."""
    if not job.experiment:
        return dict(digests(work))
    return {"table": printed.partition("UAR")[2].partition("run folders")[0]}  # which lie by the experiment's id


def _trial(folder: Path, name: str, reference: Reference, rng: np.random.Generator) -> tuple[str, str, int]:
    """What was done, what went wrong, and how often the command was killed before it had ended."""
    job, work = JOBS[name], begin(folder, name)
    cache = work.parent / "cache"
    moments: list[str] = []
    what, kills = "", 0
    for number in range(int(rng.integers(1, MOST_KILLS + 1))):
        left = reference.cpu_seconds / (number + 1)  # what was finished is not done again
        moment = float(rng.uniform(0, left))
        moments.append(f"{moment:.1f} CPU s")
        what = f"killed after {', '.join(moments)}"
        killed, fault = _kill(work, job.line_in(work), cache, moment)
        kills += killed
        if fault:
            return what, fault, kills
    done = run(work, job.line_in(work), cache)
    if done.returncode:
        return what, f"went on with exit code {done.returncode}: {done.stderr[-500:]}", kills
    found = _left(job, work, done.stdout)
    differing = sorted(key for key in found.keys() | reference.digests if found.get(key) != reference.digests.get(key))
    return what, f"differs: {', '.join(differing[:5])}" if differing else "", kills


def environment_in(work: Path, cache: Path) -> dict[str, str]:
    home = cache.parent / "home"
    home.mkdir(exist_ok=True)
    return {
        **os.environ, "OMP_NUM_THREADS": "1", "HOME": str(home), "NNI_HOME": str(home / "nni"), "COLUMNS": "120",
        "EMODARTS_CACHE": str(cache), "PYTHONHASHSEED": "0", TRIAL: str(work),
    }  # fmt: skip


def run(work: Path, line: str, cache: Path) -> "subprocess.CompletedProcess[str]":
    """A command to its end."""
    words = [sys.executable, "-m", "nni_emodarts", *line.split()]
    environment = environment_in(work, cache)
    return subprocess.run(words, cwd=work, env=environment, capture_output=True, text=True, timeout=HUNG_SECONDS)


def _kill(work: Path, line: str, cache: Path, moment: float) -> tuple[bool, str]:
    """Start a command and kill it after so many CPU seconds; whether it still worked, and what runs a while later."""
    words = [sys.executable, "-m", "nni_emodarts", *line.split()]
    nowhere, environment = subprocess.DEVNULL, environment_in(work, cache)
    process = subprocess.Popen(words, cwd=work, env=environment, stdout=nowhere, stderr=nowhere, start_new_session=True)
    latest = time.monotonic() + HUNG_SECONDS
    while process.poll() is None and _cpu_seconds(work) < moment and time.monotonic() < latest:
        time.sleep(_POLL)
    killed = process.poll() is None
    process.kill()
    process.wait()
    deadline = time.monotonic() + LEFT_SECONDS
    while left := _alive(work):
        if time.monotonic() > deadline:
            for pid in left:
                os.kill(pid, 9)
            return killed, f"still there after {LEFT_SECONDS:.0f} s: {'; '.join(left.values())}"
        time.sleep(0.2)
    return killed, ""


def _alive(work: Path) -> dict[int, str]:
    """Processes of a trial, with their command lines; a zombie has none any more."""
    found = {}
    for folder in _processes(work):
        with suppress(OSError):  # it has ended meanwhile
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            found[int(folder.name)] = line[:100]
    return {pid: line for pid, line in found.items() if line}


def _cpu_seconds(work: Path) -> float:
    """CPU seconds of a trial's processes and of those that these have waited for."""
    ticks = 0
    for folder in _processes(work):
        with suppress(OSError):
            fields = (folder / "stat").read_text(encoding="latin-1").rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _processes(work: Path) -> Iterator[Path]:
    """Folders of /proc of a trial's processes."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another's
            if f"{TRIAL}={work}\0".encode() in (folder / "environ").read_bytes():
                yield folder
