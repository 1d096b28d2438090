"""Digests by which damage and edits are found: of a run's files beside its figures, and of a file inside itself."""

import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from nni_emodarts.errors import RunFolderError
from nni_emodarts.runtime.run_folder import METRICS, PREDICTIONS, REMEDY, UNDECIDED, RunFolder

if TYPE_CHECKING:
    import pandas as pd

DIGESTS = "digests"
"""Key of metrics.json: name of a file -> its SHA-256 (hex)."""
_OPEN_SEAL = b"sha256:" + 64 * b"0"
_SEAL = re.compile(rb"sha256:[0-9a-f]{64}")


def digests_of(folder: RunFolder, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """An entry of metrics.json: the digests of those files that are there, by name."""
    return {DIGESTS: {name: digest_of(folder.path / name) for name in names if folder.has(name)}}


def digest_of(file: Path) -> str:
    """SHA-256 of a file (hex)."""
    with file.open("rb") as stream:
        hashed = sha256()
        while block := stream.read(2**20):
            hashed.update(block)
    return hashed.hexdigest()


def refuse_damaged(folder: RunFolder, names: Iterable[str]) -> None:
    """Check that files are those that the run wrote. A run of an earlier version states no digests, and passes.

    Raises:
        RunFolderError: one is not; or metrics.json, which states the digests, is broken.
    """
    stated = folder.read_json(METRICS).get(DIGESTS) if folder.has(METRICS) else None
    if not isinstance(stated, dict):
        return
    for name in names:
        if name in stated and (folder.path / name).is_file() and digest_of(folder.path / name) != stated[name]:
            raise RunFolderError(
                f"run folder {folder.path}: {name} is damaged or was edited, for it is not what the run wrote (its "
                f"digest in {METRICS} is another); {REMEDY}"
            )


def read_predictions(folder: RunFolder) -> "pd.DataFrame":
    """The test predictions of a run, which are those that its figures are of.

    Raises:
        RunFolderError: they are missing or broken, or were cut, edited or mixed with those of another run.
    """
    refuse_damaged(folder, [PREDICTIONS])
    table = folder.read_csv(PREDICTIONS)
    figures = folder.read_json(METRICS) if folder.has(METRICS) else {}
    classes, stated = figures.get("classes"), figures.get("confusion")
    if isinstance(classes, list) and isinstance(stated, list) and _confusion(table, classes) != stated:
        raise RunFolderError(
            f"run folder {folder.path}: {PREDICTIONS} gives other figures than {METRICS} beside it, since one was cut "
            f"or edited, or comes from another run; {REMEDY}"
        )
    return table


def read_undecided(folder: RunFolder) -> "pd.DataFrame | None":
    """A run's answers to test utterances on which annotators did not agree; None where it has none.

    Raises:
        RunFolderError: they are broken, or were cut or edited.
    """
    if not folder.has(UNDECIDED):
        return None
    refuse_damaged(folder, [UNDECIDED])
    return folder.read_csv(UNDECIDED)


def _confusion(table: "pd.DataFrame", classes: list[str]) -> list[list[int]]:
    """Utterances by true class (row) and predicted one; nothing where there is any other class."""
    import pandas as pd

    numbers = [pd.Index(classes).get_indexer(pd.Index(table[name])) for name in ("emotion", "predicted")]
    counts = [[0] * len(classes) for _ in classes]
    for true, predicted in zip(*numbers, strict=True):
        if min(true, predicted) < 0:
            return []
        counts[true][predicted] += 1
    return counts


def seal(data: bytes) -> bytes:
    """A file whose digest stands in it, in place of `OPEN_SEAL`, which it holds once."""
    if data.count(_OPEN_SEAL) != 1:
        raise ValueError(f"{data.count(_OPEN_SEAL)} places for a digest; there must be one")
    return data.replace(_OPEN_SEAL, _closed(data))


OPEN_SEAL = _OPEN_SEAL.decode()
"""What stands in place of a digest before it is known."""


def is_damaged(data: bytes, mark: bytes) -> bool:
    """Whether a file is no longer what `seal` gave.

    Args:
        data: the file.
        mark: stands in every file that was sealed; one without mark and seal is of an earlier version.
    """
    seals = set(_SEAL.findall(data))
    if not seals:
        return mark in data
    return all(found != _closed(data.replace(found, _OPEN_SEAL)) for found in seals)


def _closed(data: bytes) -> bytes:
    return b"sha256:" + sha256(data).hexdigest().encode()
