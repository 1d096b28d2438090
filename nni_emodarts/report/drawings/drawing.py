"""Drawings of an architecture, and of the search behind it, as files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from pydantic import ValidationError

from nni_emodarts.config import ExperimentConfig, Frames, load_config
from nni_emodarts.data.front_ends.costs import EncoderCost, encoder_costs
from nni_emodarts.errors import ConfigError, FrontEndError, RunFolderError
from nni_emodarts.models.architecture import Architecture, cell_kinds
from nni_emodarts.models.costs import frames_per_second
from nni_emodarts.report.drawings.alphas import Alphas, kinds, strengths
from nni_emodarts.report.drawings.canvas import png, svg
from nni_emodarts.report.drawings.cells import draw_cell
from nni_emodarts.report.drawings.film import animate, draw_alphas, draw_candidates, draw_layers, draw_search
from nni_emodarts.report.drawings.network import draw_network
from nni_emodarts.report.drawings.records import read_candidates, read_epochs
from nni_emodarts.runtime.layout import search_places
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import ARCHITECTURE, CONFIG, PREDICTIONS, WEIGHTS, RunFolder
from nni_emodarts.runtime.writing import write_atomically

_SECONDS = 3
_FRAMES = 300  # where no configuration says how many frames a second has


@dataclass(frozen=True)
class Subject:
    """What is drawn.

    Attributes:
        architecture: the architecture.
        search: folder of the search that found it, where it is known.
        config: the configuration that it was searched or trained with, where it is known.
        width: of the network, as a multiple of the architecture's.
    """

    architecture: Architecture
    search: RunFolder | None = None
    config: ExperimentConfig | None = None
    width: float = 1.0

    @property
    def network(self) -> Architecture:
        """The architecture as wide as it was trained."""
        return self.architecture.widened(self.width)

    @property
    def alphas(self) -> Alphas | None:
        """Alphas of its search."""
        return None if self.search is None else Alphas.read(self.search)

    @property
    def history(self) -> pd.DataFrame | None:
        """Figures of its search by epoch."""
        return None if self.search is None else read_epochs(self.search)

    @property
    def candidates(self) -> pd.DataFrame | None:
        """Figures of its search by candidate."""
        return None if self.search is None else read_candidates(self.search)

    @property
    def strengths(self) -> dict[str, float]:
        """How much of its node each edge carried in the search, where known."""
        alphas = self.alphas
        return {} if alphas is None else strengths(self.architecture, alphas.last)

    @property
    def length(self) -> tuple[Frames, str]:
        """Frames that shapes and FLOPs are given for, and the same in words."""
        if self.config is None:
            return _FRAMES, f"maps of {_FRAMES} frames"
        frames = frames_per_second(self.config.features)
        whole = {name: _whole(each) for name, each in frames.items()} if isinstance(frames, Mapping) else _whole(frames)
        return whole, f"{_SECONDS} s of audio"

    @property
    def encoders(self) -> tuple[EncoderCost, ...]:
        """What the pretrained encoders cost that are heard; none where their models are not on this machine."""
        streams = () if self.config is None else self.config.features.pretrained
        try:
            return encoder_costs(streams, self.architecture.levels, _SECONDS)
        except FrontEndError:
            return ()


def _whole(frames: int) -> int:
    """Frames of what is drawn, of those of one second."""
    return 1 + _SECONDS * (frames - 1)


def find_subject(path: str | Path) -> Subject:
    """The architecture of a file, or of a run folder, and what is known of its search.

    Raises:
        RunFolderError: the folder holds none, or several.
        ArchitectureError: the file is no architecture.
    """
    path = Path(path)
    if not path.is_dir():
        architecture = Architecture.load(path)
        folder = RunFolder(path.parent)
        beside = folder.has(ARCHITECTURE) and Architecture.load(folder.path / ARCHITECTURE).id == architecture.id
        return read_subject(folder, architecture) if beside else Subject(architecture)
    folder = RunFolder(path)
    if not folder.has(ARCHITECTURE):
        _refuse_folder(path)
    return read_subject(folder, Architecture.load(path / ARCHITECTURE))


def read_subject(folder: RunFolder, architecture: Architecture) -> Subject:
    """What a run folder knows of its architecture."""
    config = read_config(folder)
    trained = folder.has(WEIGHTS) or folder.has(PREDICTIONS)  # a folder over folds has predictions alone
    width = config.retrain.width if config is not None and trained else 1.0
    return Subject(architecture, find_search(folder, architecture), config, width)


def find_search(folder: RunFolder, architecture: Architecture | None = None) -> RunFolder | None:
    """The folder of a run's search: the run's own, or `search` in it; only of that architecture where one is given."""
    for found in search_places(folder):
        file = found.path / ARCHITECTURE
        if architecture is None or (file.is_file() and Architecture.load(file).id == architecture.id):
            return found
    return None


def read_config(folder: RunFolder) -> ExperimentConfig | None:
    """A run's configuration; None where there is none that this version understands."""
    if not folder.has(CONFIG):
        return None
    try:
        return load_config(None, folder.path / CONFIG)
    except (ConfigError, ValidationError):
        return None


def _refuse_folder(path: Path) -> None:
    inside = sorted(file.parent for file in path.glob(f"**/{ARCHITECTURE}"))
    named = ", ".join(str(folder) for folder in inside[:3])
    remedy = f"name one of those in it, such as {named}" if inside else "name a run folder or an architecture.json"
    raise RunFolderError(f"{path} holds no {ARCHITECTURE}; {remedy}")


def drawings(subject: Subject) -> Iterator[tuple[str, Figure]]:
    """Name and figure of each drawing: cells, network, and what is known of the search."""
    architecture, alphas, history = subject.architecture, subject.alphas, subject.history
    candidates = subject.candidates
    for kind in cell_kinds(architecture.space):
        yield kind, draw_cell(architecture, kind, subject.strengths)
    yield "network", draw_network(subject.network, *subject.length, subject.encoders)
    if alphas is not None:
        for kind in kinds(alphas, architecture):
            yield f"alphas_{kind}", draw_alphas(alphas, kind, architecture)
        if alphas.layers:
            yield "alphas_layers", draw_layers(alphas, architecture)
    if candidates is not None:
        yield "search", draw_candidates(candidates)
    elif history is not None and not history.empty:
        yield "search", draw_search(history)


def draw(path: str | Path, out: str | Path, overwrite: bool = False, progress: Progress = silent) -> list[Path]:
    """Write the drawings of an architecture as SVG and PNG, and of its search as a GIF.

    Args:
        path: an architecture.json, or a run folder that holds one.
        out: the folder to write to.
        overwrite: replace drawings that are there.
        progress: called after each drawing.

    Returns:
        The files.

    Raises:
        RunFolderError: there is nothing to draw, or the output folder is taken.
        ArchitectureError: the file is no architecture.
    """
    subject = find_subject(path)
    folder = _claim(Path(out), overwrite)
    alphas, history = subject.alphas, subject.history
    films = int(alphas is not None and history is not None)
    files: list[Path] = []
    figures = list(drawings(subject))
    for number, (name, figure) in enumerate(figures):
        progress("drawings", number, len(figures) + films)
        for suffix, data in ((".svg", svg(figure).encode()), (".png", png(figure))):
            files.append(folder / f"{name}{suffix}")
            write_atomically(files[-1], data)
    progress("drawings", len(figures), len(figures) + films)
    if alphas is not None and history is not None:
        files.append(folder / "search.gif")
        write_atomically(files[-1], animate(alphas, history, subject.architecture))
        progress("drawings", len(figures) + films, len(figures) + films)
    return files


def _claim(out: Path, overwrite: bool) -> Path:
    """The folder for drawings; a run folder's own files are never touched."""
    if out.exists() and not out.is_dir():
        raise RunFolderError(f"output {out} is a file; name a folder")
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise RunFolderError(
            f"output folder {out} is not empty; name another, or add --overwrite to replace the drawings in it"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"output folder {out}: {error.strerror or error}; name another") from None
    return out
