"""Files with random damage: each is read, or refused in one message, within bounds of time and memory.

A trial is made in a child that only watches: what it raises other than a message for a person, what it takes longer
than `HUNG_SECONDS` for, and what it needs more memory for than `MOST_BYTES` is a fault.
"""

import faulthandler
import multiprocessing
import resource
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import soundfile

from tests.soak.kills import JOBS, begin, run
from tests.soak.outcomes import Outcome

HUNG_SECONDS = 30
MOST_BYTES = 2**31
_ANSWER_SECONDS = HUNG_SECONDS + 10

Read = Callable[[Path], object]
Made = dict[str, tuple[list[Path], Read]]
"""Kind of file -> sound ones, and what reads one that lies in their place."""

_WORDS = (
    b'"', b"\n", b"\r", b"\0", b",", b";", b"\t", b"{", b"}", b"[", b"]", b": ", b"&a ", b"*a", b"- ", b"0x10",
    b"!!python/name:os.system ", b"\xff\xfe", b"\xef\xbb\xbf", b"1e999", b"-1", b"NaN", b"null", b"../", b"\x1b[2J",
    "\u202e".encode(), b"A" * 5000, b"[" * 200, b"99999999999999999999", b"<script>",
)  # fmt: skip


def _flip(data: bytes, at: int, end: int, rng: np.random.Generator) -> bytes:
    flipped = bytearray(data)
    for place in range(at, end, max(1, (end - at) // 4)):
        flipped[place] ^= 1 << int(rng.integers(0, 8))
    return bytes(flipped)


CHANGES: tuple[Callable[[bytes, int, int, np.random.Generator], bytes], ...] = (
    _flip,
    lambda data, at, end, rng: data[:at] + data[end:],
    lambda data, at, end, rng: data[:end] + data[at:end] * int(rng.integers(1, 50)) + data[end:],
    lambda data, at, end, rng: data[at:end] + data[:at] + data[end:],
    lambda data, at, end, rng: data[:at] + rng.bytes(end - at) + data[end:],
    lambda data, at, end, rng: data[:at],
    lambda data, at, end, rng: data[:at] + _WORDS[int(rng.integers(len(_WORDS)))] + data[at:],
)
"""Bits flipped; a stretch removed, repeated, moved to the front, replaced; the rest cut off; a word put in."""


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """One to five changes, each of up to 2 kB at a random place."""
    for _ in range(int(rng.integers(1, 6))):
        at = int(rng.integers(0, len(data) + 1))
        end = min(len(data), at + int(2 ** rng.integers(0, 12)))
        data = CHANGES[int(rng.integers(len(CHANGES)))](data, at, end, rng)
    return data


def trials(folder: Path, seed: int, numbers: range) -> Iterator[Outcome]:
    """Damage a file of each kind in turn and read it."""
    if not len(numbers):
        return
    _make(folder)
    with _Reader(folder) as reader:
        for number in numbers:
            rng = np.random.default_rng([seed, number])
            began = time.monotonic()
            kind, what, fault = reader.read(rng, number)
            yield Outcome(number, kind, what, fault, round(time.monotonic() - began, 3))


def _make(folder: Path) -> None:
    """Sound files of every kind: a corpus, a run, and recordings in other containers."""
    if (folder / "trial/job/kept/metrics.json").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "cache").mkdir(parents=True)
    run(folder, "synthesize --out corpus --speakers 6 --utterances 2", folder / "cache")
    work = begin(folder, "search")
    run(work, JOBS["search"].begin, folder / "cache")
    run(work, JOBS["retrain"].begin.replace("../search/", ""), folder / "cache")
    clip = next((folder / "corpus").glob("*.flac"))
    (folder / "sounds").mkdir()
    waveform, rate = soundfile.read(clip)
    for suffix in ("wav", "ogg", "mp3", "aiff"):
        soundfile.write(folder / f"sounds/a.{suffix}", waveform, rate)
    shutil.copy(clip, folder / "sounds/a.flac")


def _kinds(folder: Path) -> Made:
    """What is damaged, and how it is read."""
    from nni_emodarts.config import load_config
    from nni_emodarts.data.features.audio import read_audio
    from nni_emodarts.data.manifest import read_manifest
    from nni_emodarts.deploy import EmotionRecognizer
    from nni_emodarts.models.architecture import Architecture
    from nni_emodarts.report.runs import read_runs

    work = folder / "trial/job"
    run = work / "kept"
    clip = folder / "sounds/a.wav"

    def predict(_: Path) -> object:
        return EmotionRecognizer.load(run).predict(clip)

    def show(_: Path) -> object:
        return read_runs([str(run)])

    inside = [
        path
        for path in run.rglob("*")
        if path.is_file() and path.suffix in (".json", ".yml", ".csv", ".safetensors", ".txt")
    ]
    return {
        "manifest": ([folder / "corpus/manifest.csv"], read_manifest),
        "configuration": ([run / "config.yml"], lambda path: load_config(file=path)),
        "architecture": ([run / "architecture.json"], Architecture.load),
        "run, predicted with": (sorted(inside), predict),
        "run, shown": (sorted(inside), show),
        "recording": (sorted((folder / "sounds").iterdir()), lambda path: read_audio(path, 16000)),
    }


class _Reader:
    """A child that reads damaged files; another takes its place where it dies or hangs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._context = multiprocessing.get_context("spawn")

    def __enter__(self) -> "_Reader":
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()

    def _start(self) -> None:
        self._pipe, theirs = self._context.Pipe()
        self._child = self._context.Process(target=_serve, args=(theirs, self._folder), daemon=True)
        self._child.start()
        theirs.close()
        self._pipe.recv()  # all is imported

    def read(self, rng: np.random.Generator, number: int) -> tuple[str, str, str]:
        """Kind, file, and fault of a trial."""
        self._pipe.send((rng, number))
        try:
            if self._pipe.poll(_ANSWER_SECONDS):
                kind, what, fault = self._pipe.recv()
                return str(kind), str(what), str(fault)
            fault = "hangs"
        except EOFError:
            fault = f"the process died ({self._child.exitcode})"
        self._child.kill()
        self._child.join()
        self._start()
        return "ended", f"number {number}", fault


def _serve(pipe: Connection, folder: Path) -> None:
    """Read one damaged file after the other."""
    faulthandler.enable()
    from nni_emodarts.errors import EmodartsError

    kinds = _kinds(folder)
    signal.signal(signal.SIGALRM, _hang)
    pipe.send("ready")
    while True:
        rng, number = pipe.recv()
        kind = list(kinds)[number % len(kinds)]
        files, read = kinds[kind]
        file = files[int(rng.integers(len(files)))]
        sound = file.read_bytes()
        file.write_bytes(mutate(sound, rng))
        fault = ""
        signal.alarm(HUNG_SECONDS)
        try:
            read(file)
        except EmodartsError:
            pass
        except BaseException:
            fault = traceback.format_exc(limit=-4)
        finally:
            signal.alarm(0)
            file.write_bytes(sound)
        if not fault and (peak := resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024) > MOST_BYTES:
            fault = f"{peak / 1e9:.1f} GB of memory"
        pipe.send((kind, file.relative_to(folder).as_posix(), fault))


def _hang(*_: object) -> None:
    raise TimeoutError(f"took more than {HUNG_SECONDS} s")
