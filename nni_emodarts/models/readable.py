"""The small files of run folders, read before what draws and trains is loaded: a broken one is refused at once."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.layout import finished_runs, search_places
from nni_emodarts.runtime.run_folder import ARCHITECTURE, CONFIG, METRICS, RunFolder


def check_readable(paths: Iterable[str | Path]) -> None:
    """Read what describes the runs in folders; what is no folder, such as an experiment's id, is left alone.

    Args:
        paths: folders; also as `NAME=PATH`.

    Raises:
        RunFolderError: figures are broken.
        ArchitectureError: an architecture is broken, or larger than any that is built.
    """
    for text in map(str, paths):
        path = Path(text) if Path(text).exists() else Path(text.partition("=")[2])
        if str(path) != "." and path.is_dir():
            for folder in _described(path):
                _check(folder)


def _described(path: Path) -> Iterator[RunFolder]:
    for folder in (RunFolder(path), *finished_runs(path)):
        yield folder
        yield from search_places(folder)


def _check(folder: RunFolder) -> None:
    if folder.has(METRICS):
        folder.read_json(METRICS)
    if folder.has(ARCHITECTURE):
        Architecture.load(folder.path / ARCHITECTURE)
    if folder.has(CONFIG):
        folder.read_text(CONFIG)
