"""What trials gave, a line each, so that a call that is stopped goes on where it was."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """What a trial gave.

    Attributes:
        number: of the trial.
        kind: what was tried, as it is counted.
        what: the trial in words.
        fault: what went wrong; empty where all held.
        seconds: how long it took.
        kills: processes that were killed while they worked.
    """

    number: int
    kind: str
    what: str
    fault: str = ""
    seconds: float = 0.0
    kills: int = 0


class Outcomes:
    """The outcomes in a file, in the order of their numbers; a line that a kill cut off counts as not there."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        whole = [f"{json.dumps(asdict(outcome))}\n" for outcome in self.read()]
        file.write_text("".join(whole), encoding="utf-8")
        self._count = len(whole)

    def __len__(self) -> int:
        return self._count

    def read(self) -> list[Outcome]:
        """All that are whole."""
        found = []
        for line in self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else []:
            try:
                found.append(Outcome(**json.loads(line)))
            except (ValueError, TypeError):
                break
        return found

    def add(self, outcome: Outcome) -> None:
        """Append one."""
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(f"{json.dumps(asdict(outcome))}\n")
        self._count += 1
