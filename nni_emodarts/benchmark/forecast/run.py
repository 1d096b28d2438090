"""What a benchmark or an experiment will take: do a part of a fold here, then reckon."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from nni_emodarts.benchmark.forecast.forecast import Forecast, Shape, Work, forecast
from nni_emodarts.benchmark.forecast.measured import Extraction, Measured
from nni_emodarts.benchmark.forecast.pilot import Order, Part, disk_usage, load_part, measure
from nni_emodarts.benchmark.side_by_side import side_by_side
from nni_emodarts.config import ExperimentConfig, refuse_several_machines
from nni_emodarts.data.corpus import Corpus, cache_root, extractors_of, load_manifest, manifest_paths
from nni_emodarts.data.features.building import missing_rows
from nni_emodarts.data.fold_choice import FoldChoice
from nni_emodarts.data.front_ends.pinning import pinned
from nni_emodarts.data.manifest import Manifest
from nni_emodarts.data.protocols import Fold, Rows
from nni_emodarts.data.unfit import checked_folds
from nni_emodarts.errors import ConfigError
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.progress import Progress, silent

LEARNT = 192
"""Utterances of a part that are learnt from, at most; a quarter of them validates."""
FIRST = 16
"""Utterances that are extracted first, to tell the start of extraction from the rest."""


@dataclass(frozen=True)
class Planned:
    """What was measured, and what follows.

    Attributes:
        hours: of speech of the corpus, as its part has it on average.
        work: the whole that is to be done.
        measured: on this machine.
        forecasts: of each number of machines that was asked for.
    """

    hours: float
    work: Work
    measured: Measured
    forecasts: tuple[Forecast, ...]

    def to_data(self) -> JsonObject:
        """As an object for JSON."""
        told = {key: getattr(self.work, key) for key in ("utterances", "missing", "cells", "longer", "trainings")}
        return {
            "hours": self.hours,
            **told,
            "measured": self.measured.to_data(),
            "forecasts": [each.to_data() for each in self.forecasts],
        }


def plan(
    config: ExperimentConfig,
    *,
    machines: Sequence[int] = (1,),
    workers: int = 1,
    folds: FoldChoice | None = None,
    seeds: int = 1,
    hours: float | None = None,
    trials: bool = False,
    progress: Progress = silent,
    note: Callable[[str], None] = lambda text: None,
) -> Planned:
    """Do a part of the first fold on this machine, and reckon what the whole takes.

    Args:
        config: the whole configuration.
        machines: numbers of machines, each like this one.
        workers: processes that compute cells on each.
        folds: folds of the configuration's protocol; all of them where absent.
        seeds: seeds of each fold.
        hours: speech of a corpus that is otherwise like the configuration's; the latter's own where absent.
        trials: the cells are trials of an experiment, which are validated as well.
        progress: called after each step of extraction.
        note: called with what a person should know.

    Raises:
        ConfigError: a number is out of its bounds.
        EmodartsError: as for `load_corpus`, `search` and `retrain_fold`.
    """
    refuse_several_machines(config)
    _check(machines, workers, hours)
    config = pinned(config)
    manifest = load_manifest(config)
    chosen = checked_folds(config, manifest, folds)
    part = _part_of(chosen[0])
    if part.rows.size < 2 * FIRST:
        note(f"the part that is measured has {part.rows.size} utterances: the forecast is rough")
    with TemporaryDirectory(prefix="emodarts-plan-") as made:
        there = Path(made)
        own = _elsewhere(config, there / "features")
        extraction, corpus = _extract(own, part, progress)
        part = part.within(manifest, corpus)
        note("a part of a fold is searched and trained now, which takes a minute or a few")
        orders = [Order(own.to_yaml(), part, 1, there / f"run_{n}", time.time()) for n in range(workers)]
        remedy = "give fewer workers: the run itself would have no more memory"
        pilots = tuple(side_by_side(measure, orders, workers, remedy))
    measured = Measured(extraction, pilots)
    own_hours = _hours(config, corpus) * len(manifest) / part.rows.size
    work = Work(
        utterances=len(manifest),
        missing=_missing(config, manifest) if hours is None else len(manifest),
        parts=(len(chosen[0].train), len(chosen[0].validation)),
        cells=len(chosen) * seeds,
        longer=1.0 if hours is None else hours / own_hours,
        trainings=2 if trials and config.retrain.refit else 1,
    )
    forecasts = tuple(forecast(measured, work, Shape(number, workers)) for number in machines)
    return Planned(own_hours * work.longer, work, measured, forecasts)


def _check(machines: Sequence[int], workers: int, hours: float | None) -> None:
    for number in machines:
        if number < 1:
            raise ConfigError(f"machines: {number} is below 1; name numbers such as 1,2,4")
    if workers < 1:
        raise ConfigError(f"workers: {workers} is below 1")
    if hours is not None and not 0 < hours < math.inf:
        raise ConfigError(f"hours: {hours} is no number above 0; name the hours of speech, such as 324")


def _part_of(fold: Fold) -> Part:
    """Utterances of a fold, drawn at random, so that they stand for all of it."""
    return Part(_drawn(fold.train, LEARNT), _drawn(fold.validation, LEARNT // 4))


def _drawn(rows: Rows, most: int) -> tuple[int, ...]:
    drawn = np.random.default_rng(0).permutation(rows)[:most]
    return tuple(int(row) for row in np.sort(drawn))


def _elsewhere(config: ExperimentConfig, cache: Path) -> ExperimentConfig:
    """The configuration with another cache; the embedded corpus stays where it is."""
    manifest = ",".join(manifest_paths(config.data.manifests, config.data))
    return config.model_copy(
        update={"data": config.data.model_copy(update={"cache": str(cache), "manifest": manifest})}
    )


def _extract(config: ExperimentConfig, part: Part, progress: Progress) -> tuple[Extraction, Corpus]:
    """Extract the features of a part twice, few and then all, which tells the start from the rest."""
    first = part.rows[:: max(1, part.rows.size // FIRST)]
    seconds = []
    for rows in (first, part.rows):
        watch = time.monotonic()
        corpus = load_part(config, rows, progress)
        seconds.append(time.monotonic() - watch)
    few, others = len(first), part.rows.size - len(first)
    each = max(0.0, seconds[1] - seconds[0]) / (others - few) if others > few else seconds[1] / max(1, others)
    disk, files = disk_usage([Path(str(config.data.cache))])
    start = max(0.0, seconds[0] - few * each)
    return Extraction(start, part.rows.size, each * part.rows.size, disk, files), corpus


def _missing(config: ExperimentConfig, manifest: Manifest) -> int:
    """Utterances whose features are not all there."""
    root = cache_root(config.data)
    return max(len(missing_rows(manifest, extractor, root)) for extractor in extractors_of(config))


def _hours(config: ExperimentConfig, corpus: Corpus) -> float:
    """Speech of a corpus, by its frames."""
    hop = config.features.heard[0].hop_ms
    return float(corpus.store.lengths.sum()) * hop / 3.6e6
