"""Work that jobs of the tests do: what a piece says."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple


class Piece(NamedTuple):
    """What a job is to do, and the folder where it says that it does."""

    folder: Path
    name: str
    what: str = ""


def work(pieces: Sequence[Piece]) -> Iterator[str]:
    for piece in pieces:
        with (piece.folder / piece.name).open("a") as file:
            file.write("begun\n")
        if piece.what.startswith("wait"):  # for a file of that name
            _wait(piece.folder / piece.what)
        if piece.what == "memory":
            held = [bytearray(b"x") * 20_000_000 for _ in range(40) if time.sleep(0.1) is None]
            del held
        while piece.what == "endless":
            time.sleep(0.1)
        if piece.what == "defect":
            raise ValueError("a defect of the program")
        if piece.what == "full":
            raise OSError(28, "No space left on device", str(piece.folder / "weights"))
        with (piece.folder / piece.name).open("a") as file:
            file.write("done\n")
        yield "it has failed" if piece.what == "fails" else ""


def _wait(file: Path) -> None:
    while not file.exists():
        time.sleep(0.05)
