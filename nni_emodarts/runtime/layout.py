"""Where runs lie: below an NNI experiment, by fold and seed or side by side, and a search beside its network."""

from collections.abc import Iterator
from pathlib import Path

from nni_emodarts.runtime.experiment_folder import TRIALS
from nni_emodarts.runtime.run_folder import CANDIDATE_FOLDERS, DISTILLED, FINAL, MEMBERS, METRICS, SEARCH, RunFolder

_APART = (FINAL, SEARCH, CANDIDATE_FOLDERS, DISTILLED, MEMBERS)
"""Folders inside a run that are no network of its pooled figures."""


def finished_runs(path: str | Path) -> list[RunFolder]:
    """The finished runs whose figures belong together: the trials of an experiment, or the networks of a run folder.

    Args:
        path: the folder of an NNI experiment, of a run, or of runs side by side.

    Returns:
        Their folders, in the order of their names; the folder itself where it holds one network.
    """
    itself = RunFolder(path)
    if itself.holds_network():
        return [itself]
    for found in (_runs(itself.path, TRIALS), list(itself.cells(METRICS).values()), _runs(itself.path, "*")):
        if found:
            return [RunFolder(folder) for folder in found]
    return [itself] if itself.has(METRICS) else []


def _runs(root: Path, places: str) -> list[Path]:
    """Folders below one, by a pattern, that hold figures of their own."""
    files = sorted(root.glob(f"{places}/{METRICS}"))
    return [file.parent for file in files if file.parent.name not in _APART]


def search_places(folder: RunFolder) -> Iterator[RunFolder]:
    """The folders that may hold a run's search: its own, and `search` in it; only those that do."""
    for place in (folder, RunFolder(folder.path / SEARCH)):
        if place.holds_search():
            yield place
