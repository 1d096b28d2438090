"""Trainings that jobs on other machines have made: a file each, whole or absent, until a command appends them.

Not every shared file system can lock a file between machines, which appending to one table takes.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nni_emodarts.benchmark.table.records import Training, TrainingKey
from nni_emodarts.runtime.json_lines import Line, locked
from nni_emodarts.runtime.writing import look_anew, put_json_file

_FOLDER = ".made"
"""What the folder beside a table ends in that holds them."""


def put(file: Path, training: Training) -> None:
    """Keep a training beside a table."""
    put_json_file(_place(file, training.key), training.to_data())


def is_put(file: Path, key: TrainingKey) -> bool:
    """Whether a training waits beside a table."""
    return _place(file, key).exists()


def append_put(file: Path) -> list[Training]:
    """Append what waits beside a table; each file is deleted once its line is on the disk.

    Returns:
        The trainings. Files that hold none stay.
    """
    look_anew(file.with_suffix(_FOLDER))
    found = dict(_waiting(file))
    if not found:
        return []
    with locked(file) as lines:
        lines.append(training.to_data() for training in found.values())
    for place in found:
        place.unlink(missing_ok=True)
    with suppress(OSError):  # a job has put another one there
        file.with_suffix(_FOLDER).rmdir()
    return list(found.values())


def _waiting(file: Path) -> Iterator[tuple[Path, Training]]:
    for place in sorted(file.with_suffix(_FOLDER).glob("*.json")):
        with suppress(ValueError, FileNotFoundError):
            yield place, Training.from_data(Line(1, place.read_bytes()).parse())


def _place(file: Path, key: TrainingKey) -> Path:
    inner = "" if key.inner is None else f"-inner_{key.inner}"
    name = f"{key.architecture}-fold_{key.fold:02d}-seed_{key.seed}{inner}.json"
    return file.with_suffix(_FOLDER) / name
