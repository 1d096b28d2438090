"""Disks that are full, read-only or out of inodes, files that may not grow, two writers: one message, and nothing lost.

Small file systems are mounted for it, which needs root; elsewhere each trial says that it was left out.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.soak.kills import CORPUS, environment_in, run
from tests.soak.outcomes import Outcome

_COMMANDS = {
    "search": f"search {CORPUS} --fold 0 --seed 1 --strategy darts --out {{out}}",
    "benchmark": f"benchmark --name small --methods cnn --folds 0 --out {{out}} --runs {{out}}/runs {CORPUS}",
    "synthesize": "synthesize --out {out}/corpus --speakers 3",
}
_MOUNTS = {
    "full after 100 kB": "size=100k",
    "full after 1 MB": "size=1m",
    "read-only": "size=1m,ro",
    "without inodes": "size=64m,nr_inodes=6",
}
FAULTS = [
    *((disk, where, command) for disk in _MOUNTS for where in ("results", "features") for command in _COMMANDS),
    ("files of 50 kB at most", "results", "search"),
    ("two writers", "results", "search"),
]
"""What is wrong, what lies there, and the command."""


def trials(folder: Path, seed: int, numbers: range) -> Iterator[Outcome]:
    """Run a command on each disk: it ends well, or with exit code 2 and a message without a traceback."""
    folder.mkdir(parents=True, exist_ok=True)
    cache = folder / "cache"
    if len(numbers) and not (folder / "corpus/manifest.csv").exists():
        run(folder, "synthesize --out corpus --speakers 6 --utterances 2", cache)
    for number in numbers:
        disk, where, command = FAULTS[number]
        began = time.monotonic()
        if disk == "two writers":
            fault = _two_writers(folder, cache)
        elif os.geteuid():
            fault = ""
            disk = f"{disk} (left out: no root)"
        else:
            fault = _on_disk(folder, *FAULTS[number])
        yield Outcome(number, disk, f"{command}, {where}", fault, round(time.monotonic() - began, 1))


def _on_disk(folder: Path, disk: str, where: str, command: str) -> str:
    with _mounted(folder / "disk", _MOUNTS.get(disk, "size=64m")) as mounted:
        work = folder / "work"
        work.mkdir(exist_ok=True)
        out, cache = (mounted / "out", folder / "cache") if where == "results" else (work / "out", mounted / "cache")
        line = _COMMANDS[command].format(out=out)
        words = [sys.executable, "-m", "nni_emodarts", *line.split()]
        if disk.startswith("files of"):
            words = ["bash", "-c", 'ulimit -f 50; exec "$@"', "-", *words]
        environment = {**environment_in(work, folder / "cache"), "EMODARTS_CACHE": str(cache)}
        try:
            done = subprocess.run(words, cwd=work, env=environment, capture_output=True, text=True, timeout=600)
        finally:
            subprocess.run(["rm", "-rf", str(work)], check=True)
    if "Traceback" in done.stderr:
        return f"a traceback: {done.stderr[-600:]}"
    return "" if done.returncode in (0, 1, 2) else f"exit code {done.returncode}: {done.stderr[-300:]}"


@contextmanager
def _mounted(place: Path, options: str) -> Iterator[Path]:
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _two_writers(folder: Path, cache: Path) -> str:
    """Of two searches into one folder, one is refused in one message and the other ends well."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    words = [sys.executable, "-m", "nni_emodarts", *_COMMANDS["search"].format(out="out").split(), "--overwrite"]
    environment = environment_in(work, cache)
    both = [
        subprocess.Popen(words, cwd=work, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    texts = [each.communicate(timeout=900)[1] for each in both]
    codes = sorted(each.returncode for each in both)
    subprocess.run(["rm", "-rf", str(work)], check=True)
    if any("Traceback" in text for text in texts):
        return f"a traceback: {texts}"
    return "" if codes in ([0, 2], [0, 0]) else f"exit codes {codes}: {texts}"
