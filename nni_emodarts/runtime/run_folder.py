"""What a run leaves behind, by name."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Self

from nni_emodarts.errors import RunFolderError
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject
from nni_emodarts.runtime.reading import MEGABYTE, UnreadableError, read_json, read_table_bytes, read_text
from nni_emodarts.runtime.run_contents import RunContents
from nni_emodarts.runtime.run_lock import FolderLock, refuse_held
from nni_emodarts.runtime.run_names import (
    ALPHAS,
    ARCHITECTURE,
    BEGUN,
    CANDIDATE_FOLDERS,
    CANDIDATES,
    CELLS,
    CHECKPOINT,
    CONFIG,
    CORPUS,
    DISTILLED,
    DRAWING,
    ENSEMBLE,
    ENSEMBLE_RUN,
    ENVIRONMENT,
    ERROR,
    FAILURE,
    FILES,
    FINAL,
    GRAPH,
    HISTORY,
    KINDS,
    MEMBERS,
    METRICS,
    MODEL_CARD,
    NETWORKS,
    NORMALIZATION,
    OTHER_CORPORA,
    PREDICTIONS,
    REPLICATES,
    RESTART,
    RETRAINING,
    SEARCH,
    SEARCH_RUN,
    SEARCHED,
    SKIPPED,
    STUDY,
    STUDY_RUN,
    UNDECIDED,
    WEIGHTS,
    WRITTEN,
    cell_name,
    names_run,
    read_cell_name,
)
from nni_emodarts.runtime.run_refusals import refuse_file, refuse_taken
from nni_emodarts.runtime.writing import write_atomically

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ALPHAS", "ARCHITECTURE", "BEGUN", "CANDIDATES", "CANDIDATE_FOLDERS", "CELLS", "CHECKPOINT", "CONFIG",
    "CORPUS", "DISTILLED", "DRAWING", "ENSEMBLE", "ENSEMBLE_RUN", "ENVIRONMENT", "ERROR", "FAILURE", "FILES", "FINAL",
    "GRAPH", "HISTORY", "MEMBERS", "METRICS", "MODEL_CARD", "NETWORKS", "NORMALIZATION", "OTHER_CORPORA",
    "PREDICTIONS", "REMEDY", "REPLICATES", "RESTART", "RETRAINING", "SEARCH", "SEARCHED", "SEARCH_RUN", "SKIPPED",
    "STUDY", "STUDY_RUN", "UNDECIDED", "WEIGHTS", "WRITTEN", "RunFolder", "architecture_file", "config_beside",
    "corpus_beside", "refuse_different_corpora", "refuse_other",
]  # fmt: skip

_COLUMNS: dict[str, list[tuple[str, ...]]] = {
    ALPHAS: [("epoch", "label", "choice", "probability")],
    CANDIDATES: [("candidate", "val_uar")],
    HISTORY: [("epoch",), ("candidate", "val_uar")],
    PREDICTIONS: [("fold", "seed", "file", "speaker", "emotion", "predicted")],
    OTHER_CORPORA: [("corpus", "fold", "seed", "file", "speaker", "emotion", "predicted")],
    SKIPPED: [("file",)],
    UNDECIDED: [("fold", "seed", "file", "speaker", "predicted")],
}
"""What tables hold at least; a history is one of epochs or of candidates."""
_IN_PLACE = {"predicted": "predicted_", "val_uar": "val_"}
"""Where dimensions are learnt alone, columns that begin so stand in place of others."""
REMEDY = "restore it from a copy, or make the run anew in another folder"
"""What helps where a file of a run is cut or was edited."""


class RunFolder:
    """A folder of one run: a search, a retrained network, or a run over folds and seeds."""

    def __init__(self, path: str | Path, within: "RunFolder | None" = None) -> None:
        """A folder, in which nothing is touched.

        Args:
            path: the folder.
            within: the run that this one lies in, under a name of its own.
        """
        self.path = Path(path)
        self._within = within
        self._contents = RunContents(self.path, inside=within is not None)
        self._replaces = False
        self._lock: FolderLock | None = None
        self._is_held = False

    @classmethod
    def claim(cls, path: str | Path, resume: bool = False, overwrite: bool = False, shared: bool = False) -> Self:
        """Take a folder for a new run; nobody else can, until this one is over (`held`) or forgotten.

        Args:
            path: the folder; made where absent.
            resume: go on with what an earlier run left there.
            overwrite: let an earlier run give way, as soon as the new one begins (`begin`).
            shared: it is for many runs, each in a folder of its own inside; several processes may hold it.

        Raises:
            RunFolderError: it is taken, and neither `resume` nor `overwrite` is set; another process writes to it; a
                run would replace a file that no run wrote; or it is to be gone on with, and holds no run.
        """
        cls.check(path, resume, overwrite, shared)
        folder = cls(path)
        folder._replaces = overwrite
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(f"output folder {folder.path}: {error.strerror or error}; name another") from None
        if not shared:
            folder._lock = FolderLock.take(folder.path)
            refuse_taken(folder.path, resume, overwrite)  # somebody else may have come and gone
        return folder

    @staticmethod
    def check(path: str | Path, resume: bool = False, overwrite: bool = False, shared: bool = False) -> None:
        """Whether `claim` would take a folder; nothing is changed, so that long preparations can stand between.

        Raises:
            RunFolderError: as for `claim`.
        """
        refuse_file(Path(path))
        if not shared:
            refuse_held([Path(path)])
            refuse_taken(Path(path), resume, overwrite)

    @contextmanager
    def held(self, wait: bool = False) -> Iterator[None]:
        """Be the folder's one writer for a while; within another `held` of this object nothing happens.

        Args:
            wait: for the end of another writer.

        Raises:
            RunFolderError: another process writes to it, and its end is not waited for.
        """
        if self._is_held:
            yield
            return
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = self._lock or FolderLock.take(self.path, wait)
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
            self._lock.release()
            self._lock = None

    def begin(self, kind: str = "") -> None:
        """Delete the files of the run that this one replaces, and no others; no run beside it either.

        Called once nothing can be refused any more, and before anything is read: nobody loses a run to one that never
        begins. Without `overwrite` only what killed writers left half written is deleted.

        Args:
            kind: what begins or goes on, of `KINDS`.

        Raises:
            RunFolderError: another process writes to a run inside, or there is a run of another kind to go on with.
        """
        replaces, self._replaces = self._replaces, False  # even where there is nothing: what comes now is its own
        if replaces:
            refuse_held(self._contents.all_runs)
            self._contents.clear()
            return
        others = [name for name in KINDS if name != kind and self._is_of(name)]
        if kind and others and not self._is_of(kind):
            raise RunFolderError(f"output folder {self.path} holds a {others[0]} and no {kind}; name another folder")
        self._contents.sweep()

    def _is_of(self, kind: str) -> bool:
        """Whether there is what only a run of this kind leaves."""
        return any(self.has(name) for name in KINDS[kind]) or (kind == RETRAINING and bool(self.cells("")))

    def child(self, *names: str) -> "RunFolder":
        """A run inside this one."""
        child = RunFolder(self.path.joinpath(*names), within=self)
        child.path.mkdir(parents=True, exist_ok=True)
        return child

    def cell(self, fold: int, seed: int) -> "RunFolder":
        """The run of one fold and seed: `fold_00/seed_1`."""
        return self.child(*cell_name(fold, seed).split("/"))

    def cells(self, name: str) -> dict[tuple[int, int], Path]:
        """Folders of the runs inside that hold a file of this name, by fold and seed."""
        found = {}
        for place in self.path.glob(CELLS):
            key = read_cell_name(place.relative_to(self.path).as_posix())
            if key is not None and (place / name).exists():
                found[key] = place
        return dict(sorted(found.items()))

    def has(self, name: str) -> bool:
        """Whether a file is there; each is written whole, so that it is complete."""
        return (self.path / name).exists()

    @property
    def remedy(self) -> str:
        """What helps where the run that is here is not the one that is asked for; nothing that is finished is lost."""
        return "name another folder" + ("" if self._contents.finished else ", or --overwrite the run that is there")

    def holds_network(self) -> bool:
        """Whether this is one trained network and its figures, and not a search or figures of several networks."""
        return self.has(METRICS) and {"classes", "fold", "seed"} <= set(self.read_json(METRICS))

    def holds_search(self) -> bool:
        """Whether a search left its files here."""
        return any(self.has(name) for name in (ALPHAS, BEGUN, CANDIDATES))

    def write_json(self, name: str, data: JsonMapping) -> None:
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
        self.note(name)
        write_atomically(self.path / name, data)

    def note(self, name: str) -> None:
        """Put a file on the list of what the run wrote, which whoever does not use `write_bytes` does beforehand.

        The run that this one lies in lists its folder.

        Raises:
            RunFolderError: the folder was deleted meanwhile; a new one of its name would lack what stood in it.
        """
        self._refuse_deleted()
        if self._within is not None:
            inside = self.path.relative_to(self._within.path).as_posix()
            if names_run(self._within.path.name, inside):
                self._within.note(f"{inside}/")
        self._contents.note(name)

    def _refuse_deleted(self) -> None:
        if self._lock is not None and self._lock.is_lost:
            raise RunFolderError(f"output folder {self.path} was deleted or moved meanwhile; run the command again")
        if self._within is not None:
            self._within._refuse_deleted()

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

    def read_json(self, name: str) -> JsonObject:
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
            table = _with_numbers(table).copy()  # in one piece: of many classes pandas would warn whoever adds a column
        except (OSError, ValueError) as error:
            raise self._unreadable(name, error) from None
        lacking = [[column for column in columns if _lacks(table, column)] for columns in _COLUMNS.get(name, [()])]
        if all(lacking):
            lack = " or ".join(", ".join(columns) for columns in lacking)
            raise RunFolderError(f"run folder {self.path}: {name} lacks the columns {lack}; {REMEDY}")
        return table


def _lacks(table: "pd.DataFrame", column: str) -> bool:
    begins = _IN_PLACE.get(column)
    return column not in table and not (begins and any(str(name).startswith(begins) for name in table))


def _with_numbers(table: "pd.DataFrame") -> "pd.DataFrame":
    """The table with numbers in the columns of dimensions, where a blank stands for a missing value."""
    import pandas as pd

    rated = [str(name) for name in table if f"{_IN_PLACE['predicted']}{name}" in table]
    return table.assign(**{name: pd.to_numeric(table[name], errors="coerce") for name in rated}) if rated else table


def refuse_other(what: str, folder: RunFolder, held: JsonMapping, asked: JsonMapping) -> None:
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
        raise RunFolderError(f"output folder {folder.path} holds a {what} with another {differing[0]}; {folder.remedy}")


def architecture_file(path: str | Path) -> Path:
    """The architecture of a run folder; any other path as it is."""
    path = Path(path)
    return path / ARCHITECTURE if path.is_dir() else path


def config_beside(path: str | Path) -> Path | None:
    """The configuration that a run left beside one of its files, if it is there."""
    found = Path(path).with_name(CONFIG)
    return found if found.exists() else None


def corpus_beside(path: str | Path) -> JsonObject:
    """What a run noted of its corpus, beside one of its files; nothing where there is no such note."""
    with suppress(RunFolderError):
        return RunFolder(Path(path).parent).read_json(CORPUS)
    return {}


def _finite(data: object) -> object:
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
