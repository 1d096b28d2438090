"""What one job does: its share of the work, one piece after the other."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nni_emodarts.errors import message_for_person
from nni_emodarts.runtime.processes import is_alive
from nni_emodarts.runtime.writing import write_json_file

Work = Callable[[Sequence[Any]], Iterable[str]]
"""Does pieces of work; why a piece failed, or an empty text, for each. A function of a module, sent by name."""
_LOOKS = 1.0
"""Seconds between two looks whether a local job's command lives."""


@dataclass(frozen=True)
class Share:
    """Pieces of work that one job does, and nobody else.

    Attributes:
        work: does them.
        pieces: of plain data.
        outcome: the file that says what became of them; it is there once the job has ended by itself.
        command: the process that a local job ends with, as `process_name` has it; a job of SLURM outlives its command.
    """

    work: Work
    pieces: tuple[Any, ...]
    outcome: Path
    command: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a share.

    Attributes:
        failures: of pieces that failed by themselves; the others are done.
        error: what ended the share before all was done, for a person.
    """

    failures: tuple[str, ...] = ()
    error: str = ""

    @classmethod
    def read(cls, file: Path) -> "Outcome | None":
        """That of a share whose job has ended by itself; None of another."""
        try:
            data = json.loads(file.read_bytes())
        except FileNotFoundError:
            return None
        return cls(tuple(map(str, data["failures"])), str(data["error"]))


def do_share(share: Share) -> None:
    """Do a share, and say what became of it. What is finished already its work leaves out, so that it may be repeated.

    A defect of the program is raised, and stands in the job's log.
    """
    if share.command is not None:
        threading.Thread(target=_end_with, args=[share.command, share.outcome.parent], daemon=True).start()
    failures: list[str] = []
    message = ""
    try:
        failures += filter(None, share.work(share.pieces))
    except Exception as error:
        found = message_for_person(error)
        if found is None:
            raise
        message = found
    write_json_file(share.outcome, {"failures": failures, "error": message})


def _end_with(command: str, place: Path) -> None:
    """End this process with the command, be it that it is killed, or once it has deleted what its jobs were given."""
    while is_alive(command) and place.exists():
        time.sleep(_LOOKS)
    os._exit(1)
