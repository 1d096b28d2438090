"""Runs as event files for TensorBoard: what was recorded by epoch, also of runs that still grow."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nni_emodarts.errors import ConfigError, RunFolderError
from nni_emodarts.metrics.headline import shown_in
from nni_emodarts.report.drawings.alphas import Alphas
from nni_emodarts.report.drawings.records import read_candidates, read_epochs
from nni_emodarts.report.runs import named_path
from nni_emodarts.runtime.experiment_folder import below_trials
from nni_emodarts.runtime.run_folder import ALPHAS, CANDIDATES, HISTORY, RunFolder

Curves = Mapping[str, Sequence[tuple[int, float]]]
"""Tag -> (step, value) in order."""

_FILES = "events.out.tfevents.*"
_RECORDS = (HISTORY, CANDIDATES, ALPHAS)
_FIGURES = "figures"
"""Group of tags that comes before those of the cells."""


def write_events(names: Sequence[str], out: str | Path, overwrite: bool = False) -> list[Path]:
    """Write what runs recorded by epoch as event files, a folder for each network and each search.

    Args:
        names: any folders with runs in them, or ids of NNI experiments; each may be given a name as in `NAME=PATH`.
        out: the folder to write to.
        overwrite: replace event files that are there.

    Returns:
        The folders.

    Raises:
        ConfigError: the package tensorboard is not installed.
        RunFolderError: a run cannot be read or recorded nothing by epoch, or the output folder is taken.
    """
    out = Path(out)
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not overwrite):
        raise RunFolderError(f"output {out} is not an empty folder; name another, or add --overwrite")
    events = Events(names, out)
    events.update()
    events.close()
    if not events.folders:
        raise RunFolderError(f"{', '.join(names)}: nothing was recorded by epoch; name run folders with a {HISTORY}")
    return events.folders


class Events:
    """Event files of runs, to which what is new can be added again and again.

    Args:
        names: runs, as for `write_events`.
        out: the folder to write to.

    Raises:
        ConfigError: the package tensorboard is not installed.
        RunFolderError: there is no such run.
    """

    def __init__(self, names: Sequence[str], out: Path) -> None:
        require_tensorboard()
        self._roots = {_safe(name): path for name, path in map(_root, names)}
        if len(self._roots) < len(names):
            raise RunFolderError(f"two of {', '.join(names)} have one name; give them names: first=PATH second=PATH")
        self._out = out
        self._files: dict[Path, _EventFile] = {}

    @property
    def folders(self) -> list[Path]:
        """Folders with event files."""
        return list(self._files)

    def update(self) -> None:
        """Add what was recorded since the last time."""
        for name, root in self._roots.items():
            for folder in _recorded(root):
                place = self._out.joinpath(name, *_place(root, folder.path))
                if place not in self._files:
                    self._files[place] = _EventFile(place)
                self._files[place].add(_curves(folder))

    def close(self) -> None:
        """Write what is still in memory."""
        for file in self._files.values():
            file.close()


class _EventFile:
    """The event file of one network or search; earlier ones in the folder would be shown together with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._begin()

    def _begin(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for earlier in self._folder.glob(_FILES):
            earlier.unlink()
        self._writer = require_tensorboard()[0].EventFileWriter(str(self._folder))
        self._written: dict[str, int] = {}

    def add(self, curves: Curves) -> None:
        """Add the points that are not there yet; a run that was begun anew has fewer, and is written anew."""
        if any(len(curves.get(tag, ())) < count for tag, count in self._written.items()):
            self._writer.close()
            self._begin()
        for tag, curve in curves.items():
            for step, value in curve[self._written.get(tag, 0) :]:
                self._write(tag, step, value)
            self._written[tag] = len(curve)
        self._writer.flush()

    def _write(self, tag: str, step: int, value: float) -> None:
        _, events, summaries = require_tensorboard()
        point = summaries.Summary(value=[summaries.Summary.Value(tag=tag, simple_value=value)])
        # The step stands for the time: when an epoch ended is not in the run folder.
        self._writer.add_event(events.Event(wall_time=float(step), step=step, summary=point))

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


def _root(argument: str) -> tuple[str, Path]:
    name, path = named_path(argument)
    if not path.is_dir():
        raise RunFolderError(
            f"{path} is a file, and curves by epoch are in run folders; name the folder of its runs (of a benchmark "
            f"that of --runs)"
        )
    return name, path


def _recorded(root: Path) -> list[RunFolder]:
    """Folders at or below a folder in which something was recorded by epoch."""
    found = {file.parent for name in _RECORDS for file in root.rglob(name)}
    return [RunFolder(folder) for folder in sorted(found)]


def _place(root: Path, folder: Path) -> tuple[str, ...]:
    """A folder's name in TensorBoard: its path below the run, and below the trials of an NNI experiment."""
    return below_trials(folder.relative_to(root).parts)


def _safe(name: str) -> str:
    """A name that is one folder's."""
    return re.sub(r"[^\w.=+-]+", "_", name).strip(".") or "run"


def _curves(folder: RunFolder) -> Curves:
    """Figures by epoch or by candidate, and every probability."""
    curves: dict[str, Sequence[tuple[int, float]]] = {}
    if (candidates := read_candidates(folder)) is not None:
        curves |= _columns(candidates[["candidate", shown_in(candidates.columns).val]], "candidate")
    elif (history := read_epochs(folder)) is not None:
        curves |= _columns(history, "epoch")
    return {**curves, **dict(_alphas(folder))}


def _alphas(folder: RunFolder) -> Iterator[tuple[str, Sequence[tuple[int, float]]]]:
    alphas = Alphas.read(folder)
    if alphas is not None:
        for label, track in alphas.tracks.items():
            for choice, values in zip(track.choices, track.values, strict=True):
                yield f"{label}/{choice}", list(zip(alphas.epochs, map(float, values), strict=True))


def _columns(table: pd.DataFrame, step: str) -> Curves:
    """A curve for each column of numbers; cells without a number are left out."""
    numbers = table.apply(pd.to_numeric, errors="coerce")
    curves = {}
    for name in numbers.columns:
        if name != step:
            known = numbers[[step, name]].dropna()
            curves[f"{_FIGURES}/{name}"] = [(int(at), float(value)) for at, value in known.itertuples(index=False)]
    return {name: curve for name, curve in curves.items() if curve}


def require_tensorboard() -> tuple[Any, Any, Any]:
    """The modules of TensorBoard that write events.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer import event_file_writer
    except ImportError:
        raise ConfigError("TensorBoard is not installed; pip install 'nni_emodarts[tensorboard]'") from None
    return event_file_writer, event_pb2, summary_pb2
