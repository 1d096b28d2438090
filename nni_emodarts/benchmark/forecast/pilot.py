"""A part of a fold, searched and trained in earnest, with a clock at every step."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType

import numpy as np

from nni_emodarts.benchmark.forecast.measured import Pilot, Steps
from nni_emodarts.config import ExperimentConfig, validate
from nni_emodarts.config.strategies import STRATEGIES
from nni_emodarts.data.corpus import Corpus, load_corpus, load_manifest
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.manifest import TIMES, Manifest
from nni_emodarts.data.protocols import Fold
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.space.draws import draw_architectures
from nni_emodarts.runtime.memory import anonymous_bytes
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import SEARCH, RunFolder
from nni_emodarts.runtime.yaml_reading import parse_yaml
from nni_emodarts.search.run import search
from nni_emodarts.training.retrain import retrain_fold

EPOCHS = 3
"""Epochs of a network of a pilot, and steps of a search behind its warm-up."""
ARCHITECTURES = 2
"""Architectures that are drawn and trained, where no search has found one: their costs differ."""
_NETWORK = "network_{}"
_LOOK = 0.1
"""Seconds between two looks at the memory."""


@dataclass(frozen=True)
class Part:
    """A part of a fold.

    Attributes:
        train: rows of the manifest that are learnt from.
        validation: rows that validate.
    """

    train: tuple[int, ...]
    validation: tuple[int, ...]

    @property
    def rows(self) -> np.ndarray:
        """All of them."""
        return np.array([*self.train, *self.validation], dtype=np.int64)

    @property
    def fold(self) -> Fold:
        """The part as a fold of the manifest that holds nothing else; what validates stands for the test part."""
        count, heard = len(self.train), len(self.train) + len(self.validation)
        validation = np.arange(count, heard)
        return Fold(0, 1, np.arange(count), validation, validation)

    def within(self, manifest: Manifest, corpus: Corpus) -> "Part":
        """The part without the recordings that a corpus of it goes without."""
        there = {*_stretches(corpus.manifest)}
        usable = {row for row, stretch in enumerate(_stretches(manifest)) if stretch in there}
        train, validation = (tuple(row for row in rows if row in usable) for rows in (self.train, self.validation))
        return Part(train, validation)


def _stretches(manifest: Manifest) -> Iterator[tuple[str, ...]]:
    """What tells utterances apart: file, and start and end as text."""
    yield from manifest.table[["file", *TIMES]].astype(str).itertuples(index=False, name=None)


@dataclass(frozen=True)
class Order:
    """What a process is to measure.

    Attributes:
        config: the whole configuration, as text; its cache holds the part's features.
        part: of which fold.
        seed: seed of everything random.
        folder: where the run's files go.
        ordered: the clock as the order was given.
    """

    config: str
    part: Part
    seed: int
    folder: Path
    ordered: float


def load_part(config: ExperimentConfig, rows: np.ndarray, progress: Progress = silent) -> Corpus:
    """Rows of the manifest with their features, those that are not there computed."""
    return load_corpus(config, load_manifest(config).pick(rows), progress)


def measure(order: Order) -> Pilot:
    """Search and train on a part of a fold, as a cell does on the whole."""
    began = time.time()
    config = validate(parse_yaml(order.config))
    with _PeakMemory() as peak:
        watch = time.monotonic()
        corpus = load_part(config, order.part.rows)
        load = time.monotonic() - watch
        task = FoldTask(_shortened(config), corpus, order.part.fold, order.seed)
        folder = RunFolder(order.folder)
        searched, found = _searched(task, folder, config)
        networks = tuple(
            _trained(task, design, folder.child(_NETWORK.format(number)), config.retrain.epochs)
            for number, design in enumerate(found or _drawn(task, ARCHITECTURES))
        )
    return Pilot(
        start=max(0.0, began - order.ordered),
        load=load,
        parts=(len(order.part.train), len(order.part.validation)),
        search=searched,
        networks=networks,
        memory=peak.bytes,
        read=_read(corpus),
        disk=disk_usage([order.folder / SEARCH, order.folder / _NETWORK.format(0)])[0],
    )


def _shortened(config: ExperimentConfig) -> ExperimentConfig:
    """The configuration with few epochs, but those of a search in which its alphas move among them."""
    own = config.search
    epochs = min(own.epochs, _warm_up(config) + EPOCHS)
    network = config.retrain.model_copy(update={"epochs": min(config.retrain.epochs, EPOCHS), "refit": False})
    return config.model_copy(update={"search": own.model_copy(update={"epochs": epochs}), "retrain": network})


def _warm_up(config: ExperimentConfig) -> int:
    return int(getattr(config.search.strategy_options(), "warmup_epochs", 0))


class _EnoughError(Exception):
    """A search by trials has shown what one takes."""


class _Clock:
    """A progress that notes when each step was over.

    Attributes:
        moments: seconds as it was made, and at each step.
        of: steps of the whole.
    """

    def __init__(self, most: int | None = None) -> None:
        self.moments, self.of = [time.monotonic()], 0
        self._what, self._most, self._done = "", most, 0

    def __call__(self, what: str, done: int, total: int, **figures: float) -> None:
        """A step of the first job that says anything; what follows it is left to the rest."""
        self._what = self._what or what
        if what != self._what or (self.of and done <= self._done):
            return
        self.of = total
        if done > self._done:
            self._done = done
            self.moments.append(time.monotonic())
        if self._most is not None and self._done >= self._most:
            raise _EnoughError


def _searched(task: FoldTask, folder: RunFolder, whole: ExperimentConfig) -> tuple[Steps, list[Architecture]]:
    """The steps of the configured search, epochs of a supernet or the first trials; and what it found, if anything."""
    if STRATEGIES[task.config.search.strategy].family == "one-shot":
        clock = _Clock()
        found = search(task, folder.child(SEARCH), clock)
        return Steps.of_moments(clock.moments, time.monotonic(), whole.search.epochs), [found]
    clock = _Clock(EPOCHS)
    with suppress(_EnoughError):  # of trials that are as long as they will be
        search(task.under(whole), folder.child(SEARCH), clock)
    return Steps.of_moments(clock.moments, clock.moments[-1], clock.of), []


def _drawn(task: FoldTask, number: int) -> list[Architecture]:
    space, shapes = task.config.space, task.corpus.shapes
    drawn = draw_architectures(space, task.corpus.num_outputs, shapes, [task.seed], {"strategy": "random"})
    return [*islice(drawn, number)]


def _trained(task: FoldTask, architecture: Architecture, folder: RunFolder, epochs: int) -> Steps:
    clock = _Clock()
    retrain_fold(task, architecture, folder, progress=clock)
    return Steps.of_moments(clock.moments, time.monotonic(), epochs)


def _read(corpus: Corpus) -> tuple[int, int]:
    """Bytes of an utterance on average, as a search reads it and as a network does, which hears one level."""
    frames = float(np.mean([each.store.lengths.mean() for each in corpus.streams]))
    rows = sum(each.feature_rows for each in corpus.streams)
    heard = sum(each.frequency_bins if each.pretrained else each.feature_rows for each in corpus.streams)
    return round(4 * frames * rows), round(4 * frames * heard)


def disk_usage(folders: Sequence[Path]) -> tuple[int, int]:
    """Bytes that the files of folders take on the disk, and how many they are."""
    files = [file.stat() for folder in folders for file in folder.rglob("*") if file.is_file()]
    return sum(512 * each.st_blocks for each in files), len(files)


class _PeakMemory:
    """The most memory of its own that a process has while this is entered, looked at ten times a second."""

    def __init__(self) -> None:
        self.bytes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "_PeakMemory":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK):
            self.bytes = max(self.bytes, anonymous_bytes())
