"""Runs as a report reads them: networks with their figures, and their searches, whichever command wrote them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.errors import RunFolderError
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.distributions import table_figures
from nni_emodarts.metrics.intervals import gather_speakers, speaker_confusions, stack_speakers
from nni_emodarts.metrics.pooled import pooled_figures
from nni_emodarts.metrics.scores import pool
from nni_emodarts.metrics.summaries import MethodSummary
from nni_emodarts.metrics.tracks import Track, one_track
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.nni_bridge.candidates import candidates_of
from nni_emodarts.report.drawings.drawing import Subject, read_config, read_subject
from nni_emodarts.runtime.cell_table import CellKey, CellTable
from nni_emodarts.runtime.digests import read_predictions, read_undecided
from nni_emodarts.runtime.experiment_folder import find_experiment
from nni_emodarts.runtime.layout import finished_runs, search_places
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject
from nni_emodarts.runtime.reading import read_json
from nni_emodarts.runtime.run_folder import (
    ARCHITECTURE,
    CONFIG,
    ENVIRONMENT,
    HISTORY,
    METRICS,
    PREDICTIONS,
    RunFolder,
    refuse_different_corpora,
)  # fmt: skip

Confusions = JsonMapping
"""Speaker -> confusion matrix (K, K)."""


@dataclass(frozen=True)
class Network:
    """A network that was trained and measured.

    Attributes:
        fold: number of its fold.
        seed: its seed.
        metrics: what its metrics.json or its cell of a benchmark holds.
        speakers: a confusion matrix for each test speaker; empty where the test part was not read.
        predictions: its test predictions, where they are there.
        history: a row for each epoch, where it is there.
        subject: its architecture with what is known of the search; None of a hand-designed network.
        undecided: its answers to utterances without a majority, where votes were learnt.
    """

    fold: int
    seed: int
    metrics: JsonMapping
    speakers: Confusions = field(default_factory=dict)
    predictions: pd.DataFrame | None = None
    history: pd.DataFrame | None = None
    subject: Subject | None = None
    undecided: pd.DataFrame | None = None

    @property
    def name(self) -> str:
        """Fold and seed in words."""
        return f"fold {self.fold}, seed {self.seed}"


@dataclass(frozen=True)
class Search:
    """A finished search, or one that is under way.

    Attributes:
        name: fold and seed in words.
        folder: its folder.
        subject: what it found, where it has finished.
        metrics: what its metrics.json holds.
    """

    name: str
    folder: RunFolder
    subject: Subject | None
    metrics: JsonMapping


@dataclass(frozen=True, eq=False)
class Run:
    """What one argument of a report stands for, or one method of a benchmark.

    Attributes:
        name: its name in the report.
        path: where it lies.
        networks: by seed and fold.
        searches: by seed and fold.
        environment: versions and hardware.
        config_text: its configuration, as it stands in its folder.
        config: the same, typed; None where this version does not understand it.
    """

    name: str
    path: Path
    networks: tuple[Network, ...] = ()
    searches: tuple[Search, ...] = ()
    environment: JsonMapping = field(default_factory=dict)
    config_text: str = ""
    config: ExperimentConfig | None = None

    @property
    def parts(self) -> "list[Network | Search]":
        """Networks, then searches."""
        return [*self.networks, *self.searches]

    @property
    def scored(self) -> list[Network]:
        """Networks whose test part was read."""
        return [network for network in self.networks if network.speakers]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(self.networks[0].metrics["classes"]) if self.networks else ()

    @property
    def seeds(self) -> list[int]:
        """Seeds of its networks."""
        return sorted({network.seed for network in self.networks})

    @property
    def folds(self) -> list[int]:
        """Folds of its networks."""
        return sorted({network.fold for network in self.networks})

    @property
    def overlap(self) -> list[str]:
        """Test speakers that the search saw: its figures flatter it."""
        return sorted({speaker for network in self.networks for speaker in network.metrics.get("overlap", ())})

    @cached_property
    def predictions(self) -> pd.DataFrame | None:
        """Test predictions of all networks, where they are there."""
        tables = [network.predictions for network in self.networks if network.predictions is not None]
        return pool(tables) if tables else None

    @cached_property
    def pooled(self) -> JsonObject | None:
        """The pooled figures, of votes, too, as `table_figures` gives them; None where only confusions are there."""
        if self.predictions is None:
            return None
        undecided = [each.undecided for each in self.scored]
        voted = table_figures([self.predictions, *undecided], self.classes)
        return {**pooled_figures(self.predictions, self.classes, undecided), **voted}

    @cached_property
    def stacked(self) -> npt.NDArray[np.int64] | None:
        """Confusions (seeds, speakers, K, K); None where nothing was scored, or the seeds on different speakers."""
        seeds = sorted({network.seed for network in self.scored})
        if not seeds:
            return None
        try:
            return stack_speakers(
                [gather_speakers((each.fold, each.speakers) for each in self.scored if each.seed == s) for s in seeds]
            )
        except ValueError:
            return None

    @property
    def confusion(self) -> npt.NDArray[np.int64] | None:
        """Confusion matrix (K, K), all folds and seeds together; None where nothing was scored."""
        matrices = [np.asarray(counts) for network in self.scored for counts in network.speakers.values()]
        return np.sum(matrices, axis=0, dtype=np.int64) if matrices else None

    @property
    def subjects(self) -> dict[str, tuple[Subject, list[str]]]:
        """Architecture's id -> the architecture, and the networks and searches that have it."""
        found: dict[str, tuple[Subject, list[str]]] = {}
        for part in self.parts:
            if part.subject is not None:
                names = found.setdefault(part.subject.architecture.id, (part.subject, []))[1]
                names += [part.name] if part.name not in names else []
        return found

    @property
    def track(self) -> Track:
        """What its figures may be compared with.

        Raises:
            RunFolderError: its parts are of two tracks.
        """
        try:
            return one_track({part.name: Track.of(part.metrics) for part in self.parts if part.metrics})
        except ValueError as error:
            raise RunFolderError(f"run {self.path}: {error}; name the folder of each by itself") from None

    @property
    def kind(self) -> str:
        """What was done."""
        if not self.networks:
            return "search"
        return "searched and trained" if self.searches else "trained"

    @property
    def method(self) -> str:
        """What its networks come from: a search strategy, or a network designed by hand."""
        if not self.parts:
            return "unknown"
        first = self.parts[0]
        subject = first.subject
        if subject is not None:
            return str(subject.architecture.origin.get("strategy", "given architecture"))
        return str(first.metrics.get("method", first.metrics.get("architecture", "unknown")))


def read_runs(names: Sequence[str]) -> list[Run]:
    """Every run that a list of arguments stands for.

    Args:
        names: run folders, folders or ids of NNI experiments, and JSON files of benchmarks; each may be given a name
            as in `NAME=PATH`.

    Raises:
        RunFolderError: an argument stands for no finished run, two runs have one name, or are of two tracks.
    """
    runs = [run for name in names for run in _read(name)]
    twice = [run.name for run in runs if [each.name for each in runs].count(run.name) > 1]
    if twice:
        raise RunFolderError(f"two runs are called {twice[0]!r}; give them names: first=PATH second=PATH")
    try:
        one_track({run.name: run.track for run in runs})
    except ValueError as error:
        raise RunFolderError(f"runs {error}; make a report of each track") from None
    return runs


def _read(argument: str) -> list[Run]:
    """The run of a folder, or the runs of a benchmark's methods."""
    name, path = named_path(argument)
    if path.suffix == ".json":
        return list(_read_benchmark(path, f"{name}: " if _is_named(argument) else ""))
    return [_read_folder(name, path)]


def named_path(argument: str) -> tuple[str, Path]:
    """A run's name, and where it lies: of `NAME=PATH`, of a path, or of the id of an NNI experiment.

    Raises:
        RunFolderError: there is no such run.
    """
    name, _, rest = argument.partition("=")
    if _is_named(argument):
        return name, _locate(rest)
    path = _locate(argument)
    return path.resolve().name, path


def _is_named(argument: str) -> bool:
    name, sign, _ = argument.partition("=")
    return bool(sign) and "/" not in name and not Path(argument).exists()


def _locate(text: str) -> Path:
    path = Path(text)
    if not path.exists():
        experiment = find_experiment(text)
        path = path if experiment is None else _search_of(experiment) or experiment
    if not path.exists():
        raise RunFolderError(f"run {text}: no such folder; name a run folder, a benchmark's JSON or an experiment's id")
    return path


def _search_of(experiment: Path) -> Path | None:
    """The folder of the search whose candidates an experiment trained."""
    candidates = candidates_of(experiment)
    return None if candidates is None or not candidates.is_dir() else candidates.parent


def _read_folder(name: str, path: Path) -> Run:
    """A run folder of any kind."""
    folders = [run for run in finished_runs(path) if run.holds_network()]
    _refuse_twice(path, folders)
    networks = tuple(sorted((_read_network(folder) for folder in folders), key=lambda each: (each.seed, each.fold)))
    refuse_different_corpora(f"run {path}", folders)
    _refuse_different_classes(path, networks)
    searches = tuple(_read_search(folder) for folder in _search_folders(path, folders))
    if not networks and not searches:
        raise RunFolderError(
            f"run {path} holds no finished network and no search; name a folder that emodarts search, retrain or run "
            f"wrote, and each method's folder by itself"
        )
    sources = [RunFolder(path), *folders, *(search.folder for search in searches)]
    configured = next((source for source in sources if source.has(CONFIG)), None)
    return Run(
        name,
        path,
        networks,
        searches,
        next((source.read_json(ENVIRONMENT) for source in sources if source.has(ENVIRONMENT)), {}),
        configured.read_text(CONFIG) if configured is not None else "",
        read_config(configured) if configured is not None else None,
    )


def _refuse_different_classes(path: Path, networks: Sequence[Network]) -> None:
    classes = {tuple(network.metrics["classes"]) for network in networks}
    if len(classes) > 1:
        named = " and of ".join(", ".join(names) for names in sorted(classes)[:2])
        raise RunFolderError(
            f"run {path} holds networks of the classes {named}, which cannot be pooled; name the folder of each by "
            f"itself"
        )


def _refuse_twice(path: Path, folders: Sequence[RunFolder]) -> None:
    keys = [(metrics["fold"], metrics["seed"]) for metrics in (folder.read_json(METRICS) for folder in folders)]
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        fold, seed = twice[0]
        raise RunFolderError(
            f"run {path} holds several networks of fold {fold}, seed {seed}, which cannot be pooled; name the folder "
            f"of each by itself"
        )


def _read_network(folder: RunFolder) -> Network:
    metrics = folder.read_json(METRICS)
    predictions = read_predictions(folder) if folder.has(PREDICTIONS) else None
    speakers = (
        {} if predictions is None or not metrics["classes"] else speaker_confusions(predictions, metrics["classes"])
    )
    history = folder.read_csv(HISTORY) if folder.has(HISTORY) else None
    rest = history, _subject(folder), read_undecided(folder)
    return Network(metrics["fold"], metrics["seed"], metrics, speakers, predictions, *rest)


def _subject(folder: RunFolder) -> Subject | None:
    if not folder.has(ARCHITECTURE):
        return None
    return read_subject(folder, Architecture.load(folder.path / ARCHITECTURE))


def _search_folders(path: Path, networks: Sequence[RunFolder]) -> Iterator[RunFolder]:
    for folder in (RunFolder(path), *networks):
        for found in search_places(folder):
            if found.path != path or folder.path == path:
                yield found
                break


def _read_search(folder: RunFolder) -> Search:
    metrics = folder.read_json(METRICS) if folder.has(METRICS) else {}
    known = f"fold {metrics['fold']}, seed {metrics['seed']}" if {"fold", "seed"} <= set(metrics) else folder.path.name
    return Search(known, folder, _subject(folder), metrics)


def _read_benchmark(file: Path, prefix: str) -> Iterator[Run]:
    """The methods of a benchmark, from its cells."""
    try:
        data = read_json(file)
        methods = [MethodSummary.from_data(method) for method in data["methods"]]
        name = data["name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunFolderError(f"{file} is no summary of a benchmark ({error}); name the NAME.json of one") from None
    if data.get("rated"):
        raise RunFolderError(
            f"{file} is a benchmark of dimensions, whose cells hold no predictions to draw; name the run "
            f"folders behind it"
        )
    table = CellTable.beside(file.parent, name, FinishedCell.from_data)
    held = table.read()
    for method in methods:
        # others, of seeds that are not finished, are not summed up
        wanted = [CellKey(method.name, fold, seed) for seed in method.seeds for fold in method.folds]
        cells = [held.cells[key] for key in wanted if key in held.cells]
        if not cells or (held.damaged and len(cells) < len(wanted)):
            faults = "".join(f"; {text}" for text in held.damaged)
            raise RunFolderError(f"{file}: the cells of {method.name} are not in {table.file}{faults}")
        networks = tuple(map(_network_of, cells))
        yield Run(f"{prefix}{method.name}", file, networks, (), cells[0].environment)


def _network_of(cell: FinishedCell) -> Network:
    subject = None if cell.architecture is None else Subject(Architecture.from_dict(cell.architecture))
    return Network(cell.fold, cell.seed, cell.to_data(), cell.speakers, subject=subject)


def searches_by_architecture(runs: Sequence[Run]) -> dict[str, RunFolder]:
    """Architecture's id -> folder of the search that found it, over all runs."""
    return {
        search.subject.architecture.id: search.folder
        for run in runs
        for search in run.searches
        if search.subject is not None
    }
