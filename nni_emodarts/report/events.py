"""Runs as event files that TensorBoard shows."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nni_emodarts.errors import ConfigError, RunFolderError
from nni_emodarts.report.alphas import Alphas
from nni_emodarts.report.runs import Run, Search, read_runs
from nni_emodarts.run_folder import CANDIDATES, HISTORY

Curves = Mapping[str, Sequence[tuple[int, float]]]
"""Tag -> (step, value) in order."""

_FILES = "events.out.tfevents.*"


def write_events(names: Sequence[str], out: str | Path, overwrite: bool = False) -> list[Path]:
    """Write what runs recorded by epoch as event files, a folder for each network and each search.

    Args:
        names: runs, as `read_runs` takes them.
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
    parts = [(out / _safe(run.name) / name, curves) for run in read_runs(names) for name, curves in _parts(run)]
    if not parts:
        raise RunFolderError(f"{', '.join(names)}: nothing was recorded by epoch; name run folders with a {HISTORY}")
    for folder, curves in parts:
        _write(folder, curves)
    return [folder for folder, _ in parts]


def _safe(name: str) -> str:
    """A name that is one folder's."""
    return re.sub(r"[^\w.=+-]+", "_", name).strip(".") or "run"


def _parts(run: Run) -> Iterator[tuple[str, Curves]]:
    for network in run.networks:
        if network.history is not None:
            yield f"{_safe(network.name)}/network", _columns(network.history, "epoch")
    for search in run.searches:
        curves = _search_curves(search)
        if curves:
            yield f"{_safe(search.name)}/search", curves


def _search_curves(search: Search) -> Curves:
    """Figures by epoch or by candidate, and every probability."""
    folder = search.folder
    curves: dict[str, Sequence[tuple[int, float]]] = {}
    if folder.has(CANDIDATES):
        curves |= _columns(folder.read_csv(CANDIDATES)[["candidate", "val_uar"]], "candidate")
    elif folder.has(HISTORY):
        curves |= _columns(folder.read_csv(HISTORY), "epoch")
    alphas = Alphas.read(folder)
    for label, track in (alphas.tracks if alphas is not None else {}).items():
        for choice, values in zip(track.choices, track.values, strict=True):
            curves[f"{label}/{choice}"] = list(zip(alphas.epochs if alphas else [], map(float, values), strict=True))
    return curves


def _columns(table: pd.DataFrame, step: str) -> Curves:
    """A curve for each column of numbers; cells without a number are left out."""
    numbers = table.apply(pd.to_numeric, errors="coerce")
    curves = {}
    for name in numbers.columns:
        if name != step:
            known = numbers[[step, name]].dropna()
            curves[str(name)] = [(int(at), float(value)) for at, value in known.itertuples(index=False)]
    return {name: curve for name, curve in curves.items() if curve}


def _write(folder: Path, curves: Curves) -> None:
    """One event file; earlier ones in the folder would be shown together with it."""
    writer_module, events, summaries = _tensorboard()
    folder.mkdir(parents=True, exist_ok=True)
    for earlier in folder.glob(_FILES):
        earlier.unlink()
    writer = writer_module.EventFileWriter(str(folder))
    for tag, curve in curves.items():
        for step, value in curve:
            # The step stands for the time: when an epoch ended is not in the run folder.
            point = summaries.Summary(value=[summaries.Summary.Value(tag=tag, simple_value=value)])
            writer.add_event(events.Event(wall_time=float(step), step=step, summary=point))
    writer.close()


def _tensorboard() -> tuple[Any, Any, Any]:
    try:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer import event_file_writer
    except ImportError:
        raise ConfigError("TensorBoard is not installed; pip install 'nni_emodarts[tensorboard]'") from None
    return event_file_writer, event_pb2, summary_pb2
