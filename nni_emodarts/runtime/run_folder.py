"""What a run leaves behind, by name."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from nni_emodarts.errors import RunFolderError
from nni_emodarts.runtime.reading import MEGABYTE, UnreadableError, read_json, read_table_bytes, read_text
from nni_emodarts.runtime.writing import write_atomically

if TYPE_CHECKING:
    import pandas as pd

CONFIG = "config.yml"
ARCHITECTURE = "architecture.json"
ALPHAS = "alphas.csv"
HISTORY = "history.csv"
METRICS = "metrics.json"
PREDICTIONS = "predictions.csv"
ENVIRONMENT = "environment.json"
NORMALIZATION = "normalization.json"
WEIGHTS = "weights.safetensors"
GRAPH = "model.onnx"
SKIPPED = "skipped.csv"
CORPUS = "corpus.json"
"""Digests of the manifest and the recordings that a run is computed from, and the protocol that divides them."""
CHECKPOINT = "checkpoint.ckpt"
BEGUN = "search.json"
"""What a search is to do, and what it has cost so far."""
CANDIDATES = "candidates.csv"
FAILURE = "failure.json"
"""What the training of a candidate cost that failed."""
ERROR = "error.txt"
"""Why it failed."""
STUDY = "study.json"
NETWORKS = "networks.csv"
MODEL_CARD = "model_card.md"
DRAWING = "architecture.svg"

FILES = (
    CONFIG, ARCHITECTURE, ALPHAS, HISTORY, METRICS, PREDICTIONS, ENVIRONMENT, NORMALIZATION, WEIGHTS, GRAPH,
    CORPUS, SKIPPED, CHECKPOINT, BEGUN, CANDIDATES, FAILURE, ERROR, STUDY, NETWORKS, MODEL_CARD, DRAWING,
)  # fmt: skip
_COLUMNS = {
    ALPHAS: [("epoch", "label", "choice", "probability")],
    CANDIDATES: [("candidate", "val_uar")],
    HISTORY: [("epoch",), ("candidate", "val_uar")],
    PREDICTIONS: [("fold", "seed", "file", "speaker", "emotion", "predicted")],
    SKIPPED: [("file",)],
}
"""What tables hold at least; a history is one of epochs or of candidates."""
REMEDY = "restore it from a copy, or make the run anew in another folder"
"""What helps where a file of a run is cut or was edited."""
FINAL = "final"
CANDIDATE_FOLDERS = "candidates"
"""Folder of a search that holds a run of each candidate."""
SEARCH = "search"
"""Folder of a run that holds the search of its architecture."""
CELLS = "fold_*/seed_*"
"""Pattern of the folders of a run's networks, a fold and seed each."""
_CHILDREN = ("fold_[0-9][0-9]*", "seed_[0-9]*", FINAL, SEARCH, CANDIDATE_FOLDERS, "searched", "sample_[0-9]*")
"""Folders of the runs inside a run."""
_GIVEN = (CONFIG, ARCHITECTURE)
"""Files that a person may have put there: either alone is no sign of a run."""


class RunFolder:
    """A folder of one run: a search, a retrained network, or a run over folds and seeds."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._replaces = False

    @classmethod
    def claim(cls, path: str | Path, resume: bool = False, overwrite: bool = False) -> Self:
        """Take a folder for a new run.

        Args:
            path: the folder; made where absent.
            resume: go on with what an earlier run left there.
            overwrite: let an earlier run give way, as soon as the new one begins (`begin`).

        Raises:
            RunFolderError: it is taken, and neither `resume` nor `overwrite` is set.
        """
        cls.check(path, resume, overwrite)
        folder = cls(path)
        folder._replaces = overwrite
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(f"output folder {folder.path}: {error.strerror or error}; name another") from None
        return folder

    @staticmethod
    def check(path: str | Path, resume: bool = False, overwrite: bool = False) -> None:
        """Whether `claim` would take a folder; nothing is changed, so that long preparations can stand between.

        Raises:
            RunFolderError: as for `claim`.
        """
        path = Path(path)
        if path.exists() and not path.is_dir():
            raise RunFolderError(f"output {path} is a file; name a folder")
        folder = RunFolder(path)
        given = [name for name in _GIVEN if folder.has(name)]
        if given and not folder._holds_run:
            raise RunFolderError(
                f"output folder {path} holds no run, but a file {given[0]}, which a run would replace; name another "
                f"folder, or move that file"
            )
        if path.exists() and any(path.iterdir()) and not (overwrite or resume):
            raise RunFolderError(
                f"output folder {path} is not empty; name another, or add --resume to go on with the run in it, or "
                f"--overwrite to replace that run"
            )

    def begin(self) -> None:
        """Delete the files of the run that this one replaces, and no others; no run beside it either.

        Called once nothing can be refused any more, and before anything is read: nobody loses a run to one that never
        begins. Without `overwrite` nothing happens.
        """
        replaces, self._replaces = self._replaces, False  # even where there is nothing: what comes now is its own
        if not replaces or not self._holds_run:
            return
        runs = [run for run in self._inside() if any(each._holds_run for each in (run, *run._inside()))]
        self._clear(runs)

    def _clear(self, runs: Iterable["RunFolder"]) -> None:
        """Delete a run's files here and in runs inside it; a folder that then holds something else stays."""
        for name in FILES:
            for file in (self.path / name, *self.path.glob(f".{name}.*")):  # what a kill left half written, too
                file.unlink(missing_ok=True)
        for run in runs:
            run._clear(run._inside())
            with suppress(OSError):
                run.path.rmdir()

    def _inside(self) -> list["RunFolder"]:
        """Folders inside that have a run's names; those of candidates are named by their architectures."""
        patterns = ("*",) if self.path.name == CANDIDATE_FOLDERS else _CHILDREN
        found = [child for pattern in patterns for child in self.path.glob(pattern)]
        return [RunFolder(child) for child in found if child.is_dir() and not child.is_symlink()]

    @property
    def _holds_run(self) -> bool:
        """Whether there are files that only a run writes."""
        there = {name for name in FILES if self.has(name)}
        return bool(there - {*_GIVEN}) or there == {*_GIVEN}

    def child(self, *names: str) -> "RunFolder":
        """A run inside this one."""
        child = RunFolder(self.path.joinpath(*names))
        child.path.mkdir(parents=True, exist_ok=True)
        return child

    def cell(self, fold: int, seed: int) -> "RunFolder":
        """The run of one fold and seed: `fold_00/seed_1`."""
        return self.child(f"fold_{fold:02d}", f"seed_{seed}")

    def cells(self, name: str) -> dict[tuple[int, int], Path]:
        """Folders of the runs inside that hold a file of this name, by fold and seed."""
        found = {}
        for file in self.path.glob(f"{CELLS}/{name}"):
            fold, seed = (part.rpartition("_")[2] for part in file.parts[-3:-1])
            if fold.isdigit() and seed.isdigit():
                found[int(fold), int(seed)] = file.parent
        return dict(sorted(found.items()))

    def has(self, name: str) -> bool:
        """Whether a file is there; each is written whole, so that it is complete."""
        return (self.path / name).exists()

    def holds_network(self) -> bool:
        """Whether this is one trained network and its figures, and not a search or figures of several networks."""
        return self.has(METRICS) and {"classes", "fold", "seed"} <= set(self.read_json(METRICS))

    def holds_search(self) -> bool:
        """Whether a search left its files here."""
        return any(self.has(name) for name in (ALPHAS, BEGUN, CANDIDATES))

    def write_json(self, name: str, data: Mapping[str, Any]) -> None:
        """Write data as JSON; numbers that are not finite become null."""
        self.write_bytes(name, (json.dumps(_finite(data), indent=2, ensure_ascii=False) + "\n").encode())

    def write_csv(self, name: str, table: "pd.DataFrame") -> None:
        """Write a table."""
        self.write_bytes(name, table.to_csv(index=False, float_format="%.8g").encode())

    def write_text(self, name: str, text: str) -> None:
        """Write a text."""
        self.write_bytes(name, text.encode())

    def write_bytes(self, name: str, data: bytes) -> None:
        """Write to a temporary name, then rename."""
        write_atomically(self.path / name, data)

    def read_text(self, name: str) -> str:
        """Read a text of the run.

        Raises:
            RunFolderError: it is missing, or no text.
        """
        try:
            return read_text(self.path / name, MEGABYTE)
        except (OSError, ValueError) as error:
            raise self._unreadable(name, error) from None

    def _unreadable(self, name: str, error: Exception) -> RunFolderError:
        reason = str(error) if isinstance(error, UnreadableError) else f"cannot be read ({error})"
        return RunFolderError(f"run folder {self.path}: {name} {reason}")

    def read_json(self, name: str) -> dict[str, Any]:
        """Read a JSON file of the run.

        Raises:
            RunFolderError: it is missing or broken.
        """
        try:
            data = read_json(self.path / name)
        except (OSError, ValueError) as error:
            raise self._unreadable(name, error) from None
        if not isinstance(data, dict):
            raise RunFolderError(f"run folder {self.path}: {name} holds no object")
        return data

    def read_csv(self, name: str) -> "pd.DataFrame":
        """Read a table of the run; labels stay text.

        Raises:
            RunFolderError: it is missing or broken, or lacks a column.
        """
        import pandas as pd  # which reads the number of threads: not before a trial has set it

        texts = dict.fromkeys(("file", "speaker", "emotion", "predicted"), str)
        try:
            data = read_table_bytes(self.path / name)
            table = pd.read_csv(BytesIO(data), dtype=texts, keep_default_na=False, low_memory=False)
            table = table.copy()  # in one piece: of many classes pandas would warn whoever adds a column
        except (OSError, ValueError) as error:
            raise self._unreadable(name, error) from None
        lacking = [[column for column in columns if column not in table] for columns in _COLUMNS.get(name, [()])]
        if all(lacking):
            lack = " or ".join(", ".join(columns) for columns in lacking)
            raise RunFolderError(f"run folder {self.path}: {name} lacks the columns {lack}; {REMEDY}")
        return table


def refuse_other(what: str, folder: RunFolder, held: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Check that a run that goes on is the one that was begun.

    Args:
        what: what it is, such as a search.
        folder: its folder.
        held: what the folder says of it.
        asked: what it must say.

    Raises:
        RunFolderError: it says something else.
    """
    differing = [name for name, value in asked.items() if held.get(name) != value]
    if differing:
        raise RunFolderError(
            f"output folder {folder.path} holds a {what} with another {differing[0]}; name another folder, or "
            f"--overwrite that {what}"
        )


def architecture_file(path: str | Path) -> Path:
    """The architecture of a run folder; any other path as it is."""
    path = Path(path)
    return path / ARCHITECTURE if path.is_dir() else path


def config_beside(path: str | Path) -> Path | None:
    """The configuration that a run left beside one of its files, if it is there."""
    found = Path(path).with_name(CONFIG)
    return found if found.is_file() else None


def _finite(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {str(key): _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    if isinstance(data, float) and (data != data or data in (float("inf"), float("-inf"))):
        return None
    return data


def refuse_different_corpora(path: str | Path, runs: Iterable[RunFolder]) -> None:
    """Refuse to take networks of several corpora or protocols for folds and seeds of one run.

    Args:
        path: what was named, for the message.
        runs: folders of networks.

    Raises:
        RunFolderError: two note that they were computed from different corpora.
    """
    noted = {run.path: run.read_json(CORPUS) for run in runs if run.has(CORPUS)}
    for key, what in (("manifest", "manifests"), ("protocol", "protocols"), ("recordings", "recordings")):
        first = {found[key]: run for run, found in noted.items() if key in found}
        if len(first) > 1:
            one, other = sorted(first.values())[:2]
            raise RunFolderError(
                f"{path}: {one} and {other} are runs of different {what} ({CORPUS}), which cannot be pooled; name the "
                f"runs of each by themselves"
            )
