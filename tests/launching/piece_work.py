"""Work that jobs of the tests do: what a piece says."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple


class Piece(NamedTuple):
    """What a job is to do, and the folder where it says that it does."""

    folder: Path
    name: str
    what: str = ""

    def say(self, text: str) -> None:
        with (self.folder / self.name).open("a") as file:
            file.write(text)


def work(pieces: Sequence[Piece]) -> Iterator[str]:
    for piece in pieces:
        piece.say("begun\n")
        _DO[piece.what](piece)
        piece.say("done\n")
        yield "it has failed" if piece.what == "fails" else ""


def _wait(piece: Piece) -> None:
    """For a file of that name."""
    while not (piece.folder / "wait").exists():
        time.sleep(0.05)


def _endless(piece: Piece) -> None:
    while True:
        time.sleep(0.1)


def _fill_memory(piece: Piece) -> None:
    held = [bytearray(b"x") * 20_000_000 for _ in range(40) if time.sleep(0.1) is None]
    del held


def _fill_disk(piece: Piece) -> None:
    raise OSError(28, "No space left on device", str(piece.folder / "weights"))


def _fail(piece: Piece) -> None:
    raise ValueError("a defect of the program")


_DO: dict[str, Callable[[Piece], object]] = {
    "": lambda piece: None,
    "fails": lambda piece: None,
    "wait": _wait,
    "endless": _endless,
    "memory": _fill_memory,
    "full": _fill_disk,
    "defect": _fail,
    "time": lambda piece: os.kill(os.getpid(), signal.SIGUSR2),  # what submitit sends when it is nearly over
    "killed": lambda piece: os.kill(os.getpid(), signal.SIGKILL),
}
