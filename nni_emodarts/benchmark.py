"""Methods x folds x seeds on one corpus, each computed once, whatever interrupts it.

A cell is one method on one fold with one seed. It is a small JSON file, written when the cell is finished: its figures,
its cost, and a confusion matrix for each test speaker, which is all that pooling, intervals and tests need.
"""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
import yaml

from nni_emodarts.architecture import Architecture
from nni_emodarts.baselines import BASELINES, Baseline, build_baseline
from nni_emodarts.baselines.svm import SVMS, SvmDesign
from nni_emodarts.comparisons import compare_with, pick_reference
from nni_emodarts.config import ExperimentConfig, nearest, validate
from nni_emodarts.costs import architecture_cost, count_flops, frames_per_second
from nni_emodarts.environment import threads_each
from nni_emodarts.errors import ConfigError, RunFolderError
from nni_emodarts.overlap import find_overlap
from nni_emodarts.preparation import Corpus, load_manifest, prepare
from nni_emodarts.progress import Progress, silent
from nni_emodarts.protocols import Fold
from nni_emodarts.random_draws import draw_architectures
from nni_emodarts.random_search import RANDOM_SEARCH, search_at_random
from nni_emodarts.retrain import Design, refuse_overlap, retrain_fold, settle_space
from nni_emodarts.run_folder import ARCHITECTURE, METRICS, PREDICTIONS, RunFolder, write_atomically
from nni_emodarts.search import search, search_cost
from nni_emodarts.statistics import speaker_confusions
from nni_emodarts.strategy_options import STRATEGY_OPTIONS, options_for
from nni_emodarts.summaries import read_cell, summarize
from nni_emodarts.svm import measure_svm, prepare_functionals

Tell = Callable[[int, int, dict[str, Any]], None]
"""Told the number of a cell that has finished, the number of cells to compute, and the cell's figures."""
RANDOM_SAMPLING = "random_sampling"
"""One architecture drawn evenly for each fold and seed: what the space and the recipe give without a search."""
PAYER = "darts"
"""The method whose search on the same fold and seed says what random search may spend."""
METHODS = (*STRATEGY_OPTIONS, *BASELINES, *SVMS, RANDOM_SAMPLING, RANDOM_SEARCH)
"""Names of all methods that need no architecture."""
_NO_COST = {"seconds": 0.0, "cpu_seconds": 0.0}


@dataclass(frozen=True)
class Method:
    """Something to measure.

    Attributes:
        name: name of its row; one of `METHODS`, or any name where `architecture` is given.
        architecture: path of an architecture that was searched elsewhere; it is carried over as it is.
    """

    name: str
    architecture: str | None = None

    def __post_init__(self) -> None:
        if self.architecture is None and self.name not in METHODS:
            raise ConfigError(f"method {self.name!r} is unknown{nearest(self.name, METHODS)}")

    @property
    def strategy(self) -> str | None:
        """The strategy whose settings decide what it finds, where it searches inside each fold.

        Of random search they are those of the search that it is given the cost of.
        """
        if self.bought:
            return PAYER
        return self.name if self.architecture is None and self.name in STRATEGY_OPTIONS else None

    @property
    def bought(self) -> bool:
        """Whether it is random search, which spends what another method's search cost."""
        return self.architecture is None and self.name == RANDOM_SEARCH

    @property
    def machine(self) -> bool:
        """Whether it is a support vector machine, which has features of its own and no recipe."""
        return self.architecture is None and self.name in SVMS


@dataclass(frozen=True)
class Cell:
    """One method on one fold with one seed."""

    method: Method
    fold: int
    seed: int

    def file(self, folder: Path) -> Path:
        """Where its figures go."""
        return folder / f"{self.method.name}-fold_{self.fold:02d}-seed_{self.seed}.json"


def compare(
    name: str,
    config: ExperimentConfig,
    methods: Sequence[Method],
    folds: Sequence[int],
    seeds: Sequence[int],
    out: Path,
    runs: Path,
    workers: int = 1,
    tell: Tell = lambda number, count, figures: None,
    reference: str | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Run a benchmark and write `OUT/NAME.json`; its cells lie in `OUT/cells/NAME`. Arguments as for `benchmark`.

    `comparisons` holds each method against the method `reference`: `darts`, or the last, where it is absent.

    Raises:
        ConfigError: `reference` is not among the methods.
    """
    try:
        chosen = pick_reference([method.name for method in methods], reference)
    except ValueError as error:
        raise ConfigError(f"reference {error}; name one of them, or add it to the methods") from None
    folder = out / "cells" / name
    summaries = benchmark(config, methods, folds, seeds, folder, runs, workers, tell, progress)
    cells = {method.name: _read_all(config, method, folds, seeds, folder) for method in methods}
    summary = {
        "name": name,
        "preset": config.preset,
        "protocol": config.data.protocol,
        "methods": summaries,
        "comparisons": [] if chosen is None else compare_with(chosen, cells),
    }
    write_atomically(out / f"{name}.json", (json.dumps(summary, indent=1, ensure_ascii=False) + "\n").encode())
    return summary


def benchmark(
    config: ExperimentConfig,
    methods: Sequence[Method],
    folds: Sequence[int],
    seeds: Sequence[int],
    cells: Path,
    runs: Path,
    workers: int = 1,
    tell: Tell = lambda number, count, figures: None,
    progress: Progress = silent,
) -> list[dict[str, Any]]:
    """Compute the cells that are missing, and summarise each method.

    Search, retraining and scoring of a cell see one fold; a search never sees its test speakers.

    Args:
        config: the whole configuration; `search.strategy` gives way to each method's own.
        methods: what to measure.
        folds: folds of the configuration's protocol.
        seeds: seeds of each method and fold.
        cells: folder of the finished cells.
        runs: folder of the run folders behind them, where an interrupted cell goes on.
        workers: cells at once; the processor's threads are divided among them.
        tell: told of each cell as it finishes.
        progress: told of the extraction of features that machines need.

    Returns:
        A summary of each method, as `summarize` gives it.

    Raises:
        RunFolderError: a finished cell was computed with other settings.
    """
    cells.mkdir(parents=True, exist_ok=True)
    wanted = [Cell(method, fold, seed) for method in methods for seed in seeds for fold in folds]
    manifest = load_manifest(config.data).digest
    _refuse_without_payer(wanted, cells)
    for cell in (*wanted, *map(_payer, filter(_buys, wanted))):
        _refuse_other_settings(cell.file(cells), settings_digest(config, cell.method, manifest))
    missing = [cell for cell in wanted if not cell.file(cells).exists()]
    _prepare_functionals(config, missing, progress)
    computed = _compute_all(config, missing, cells, runs, workers)
    for number, figures in enumerate(computed, 1):
        tell(number, len(missing), figures)
    return [summarize(method.name, _read_all(config, method, folds, seeds, cells)) for method in methods]


def compute_cell(
    config: ExperimentConfig,
    corpus: Corpus,
    cell: Cell,
    folder: RunFolder,
    progress: Progress = silent,
    budget: float = 0.0,
) -> dict[str, Any]:
    """Search where the method searches, train, score the test part once; then say all of it as plain data.

    Args:
        config: the whole configuration.
        corpus: manifest and features.
        cell: what to compute.
        folder: where the run's files go.
        progress: told of the steps.
        budget: CPU seconds that random search may spend; other methods have no use for it.
    """
    config = _settled(config, cell.method)
    fold = corpus.fold(cell.fold)
    design, cost = _design(config, corpus, cell, fold, folder, progress, budget)
    if not folder.has(METRICS):
        if isinstance(design, SvmDesign):
            measure_svm(config, corpus, design, fold, cell.seed, folder, progress)
        else:
            retrain_fold(config, corpus, design, fold, cell.seed, folder, progress=progress)
    figures = folder.read_json(METRICS)
    data = {
        "method": cell.method.name,
        "fold": cell.fold,
        "seed": cell.seed,
        "settings": settings_digest(config, cell.method, corpus.manifest.digest),
        **{key: figures[key] for key in ("val_uar", "test_uar", "test_wa", "best_epoch", "parameters", "classes")},
        "speakers": speaker_confusions(folder.read_csv(PREDICTIONS), figures["classes"]),
        "seconds": round(figures["seconds"] + cost["seconds"], 1),
        "cpu_seconds": round(figures["cpu_seconds"] + cost["cpu_seconds"], 1),
        "search_cpu_seconds": round(cost["cpu_seconds"], 1),
        "environment": folder.read_json("environment.json"),
    }
    if isinstance(design, Architecture):
        data["architecture"] = design.to_dict()
    if "candidates" in cost:
        data["candidates"] = cost["candidates"]
    data["flops"] = _flops(config, data)
    return data


def _design(
    config: ExperimentConfig,
    corpus: Corpus,
    cell: Cell,
    fold: Fold,
    folder: RunFolder,
    progress: Progress,
    budget: float,
) -> tuple[Design | SvmDesign, dict[str, Any]]:
    """What a cell measures, and what it cost to find."""
    method = cell.method
    if method.architecture is not None:
        design = Architecture.load(method.architecture)
        refuse_overlap({fold.index: find_overlap(design.origin, corpus, fold.test)})
        return design, _NO_COST
    if method.name in SVMS:
        return SVMS[method.name], _NO_COST
    if method.name in BASELINES:
        return Baseline(method.name), _NO_COST
    if method.name == RANDOM_SAMPLING:
        origin = {"strategy": RANDOM_SAMPLING, "seed": cell.seed, "fold": cell.fold}
        seed = [cell.seed, cell.fold]
        return next(draw_architectures(config.space, corpus.num_classes, corpus.input_shape, seed, origin)), _NO_COST
    return _search(config, corpus, cell, fold, folder.child("search"), progress, budget)


def settings_digest(config: ExperimentConfig, method: Method, manifest: str) -> str:
    """A short digest of all that decides a cell's figures: not of paths, workers or the device.

    Args:
        config: the whole configuration.
        method: what is measured.
        manifest: the manifest's own digest.
    """
    data = _settled(config, method).model_dump(mode="json", exclude={"device": True, "preset": True})
    for key in ("manifest", "cache", "workers"):
        del data["data"][key]
    data["manifest"] = manifest
    if method.architecture is not None:
        data["architecture"] = Architecture.load(method.architecture).id
    if method.strategy is None:
        del data["search"]
    if method.machine:
        for section in ("features", "space", "retrain"):
            del data[section]
        data["svm"] = SVMS[method.name].settings()
    return sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:12]


def _settled(config: ExperimentConfig, method: Method) -> ExperimentConfig:
    """The configuration as a method uses it."""
    if method.architecture is not None:
        return settle_space(config, Architecture.load(method.architecture), explicit=False)
    strategy = method.strategy
    if strategy is None or strategy == config.search.strategy:
        return config
    data = config.model_dump(mode="json")
    data["search"]["strategy"] = strategy
    data["search"]["options"] = options_for(strategy, config.search.options)
    return validate(data)


def _search(
    config: ExperimentConfig,
    corpus: Corpus,
    cell: Cell,
    fold: Fold,
    folder: RunFolder,
    progress: Progress,
    budget: float,
) -> tuple[Architecture, dict[str, Any]]:
    if not folder.has(METRICS):
        if cell.method.bought:
            search_at_random(config, corpus, fold, cell.seed, budget, folder, progress)
        else:
            search(config, corpus, fold, cell.seed, folder, progress)
    metrics = folder.read_json(METRICS)
    cost = {"seconds": metrics["seconds"], "cpu_seconds": search_cost(metrics)}
    if "candidates" in metrics:
        cost["candidates"] = metrics["candidates"]
    return Architecture.load(folder.path / ARCHITECTURE), cost


def _read_all(
    config: ExperimentConfig, method: Method, folds: Sequence[int], seeds: Sequence[int], cells: Path
) -> list[dict[str, Any]]:
    """All finished cells of a method."""
    found = [read_cell(Cell(method, fold, seed).file(cells)) for seed in seeds for fold in folds]
    return [cell if "flops" in cell else {**cell, "flops": _flops(config, cell)} for cell in found]


def _flops(config: ExperimentConfig, cell: Mapping[str, Any]) -> int | None:
    """FLOPs of a cell's network for one second of audio; None of a machine, whose features are not counted."""
    frames, shape, classes = frames_per_second(config.features), config.features.input_shape, len(cell["classes"])
    if "architecture" in cell:
        # An architecture of another corpus says how many classes that one has; the recipe says how wide it becomes.
        network = Architecture.from_dict(cell["architecture"]).widened(config.retrain.width)
        return round(architecture_cost(network, "flops", frames, classes, shape))
    if cell["method"] in BASELINES:
        return _baseline_flops(cell["method"], classes, shape, frames)
    return None


@lru_cache(maxsize=64)
def _baseline_flops(name: str, num_classes: int, input_shape: tuple[int, int], frames: int) -> int:
    with torch.random.fork_rng(devices=[]):  # its weights are drawn in vain
        network = build_baseline(Baseline(name), num_classes, input_shape)
    return count_flops(network, input_shape, frames)


def _prepare_functionals(config: ExperimentConfig, missing: Sequence[Cell], progress: Progress) -> None:
    """Extract once, over all cores, what cells side by side would each begin to extract."""
    for name in sorted({cell.method.name for cell in missing if cell.method.machine}):
        settled, corpus = _corpus(config.to_yaml())
        prepare_functionals(settled, corpus, SVMS[name], progress)


def _refuse_other_settings(file: Path, digest: str) -> None:
    if file.exists() and read_cell(file).get("settings") != digest:
        raise RunFolderError(
            f"cell {file} was computed with other settings or of another manifest; name another folder, or delete "
            f"it to compute it again"
        )


def _buys(cell: Cell) -> bool:
    return cell.method.bought


def _payer(cell: Cell) -> Cell:
    """The cell whose search says what this one may spend."""
    return Cell(Method(PAYER), cell.fold, cell.seed)


def _refuse_without_payer(wanted: Sequence[Cell], cells: Path) -> None:
    """Random search spends what another search did: that one is computed in the same run, or is finished already."""
    lacking = [
        payer for payer in map(_payer, filter(_buys, wanted)) if payer not in wanted and not payer.file(cells).exists()
    ]
    if lacking:
        raise ConfigError(
            f"method {RANDOM_SEARCH} spends what the search of {PAYER} cost on the same fold and seed, but "
            f"{lacking[0].file(cells)} is missing ({len(lacking)} in all); add {PAYER} to the methods"
        )


def _compute_all(
    config: ExperimentConfig, missing: Sequence[Cell], cells: Path, runs: Path, workers: int
) -> Iterator[dict[str, Any]]:
    """Figures of each missing cell, in the order in which they finish; those that spend after those that pay."""
    yield from _compute_batch(config, [cell for cell in missing if not _buys(cell)], cells, runs, workers)
    yield from _compute_batch(config, [cell for cell in missing if _buys(cell)], cells, runs, workers)


def _compute_batch(
    config: ExperimentConfig, missing: Sequence[Cell], cells: Path, runs: Path, workers: int
) -> Iterator[dict[str, Any]]:
    jobs = [(config.to_yaml(), cell, cell.file(cells), runs) for cell in missing]
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from (_compute_job(*job) for job in jobs)
        return
    with _threads(threads_each(workers)):
        pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
        try:
            for done in as_completed([pool.submit(_compute_job, *job) for job in jobs]):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _compute_job(text: str, cell: Cell, file: Path, runs: Path) -> dict[str, Any]:
    config, corpus = _corpus(text)
    # Each setting has a folder of its own, so that no run goes on with another's.
    names = cell.method.name, settings_digest(config, cell.method, corpus.manifest.digest)
    folder = RunFolder(runs).child(*names).cell(cell.fold, cell.seed)
    budget = read_cell(_payer(cell).file(file.parent))["search_cpu_seconds"] if _buys(cell) else 0.0
    data = compute_cell(config, corpus, cell, folder, budget=budget)
    write_atomically(file, (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode())
    return data


@lru_cache(maxsize=1)
def _corpus(text: str) -> tuple[ExperimentConfig, Corpus]:
    """The configuration and its corpus, prepared once in each process."""
    config = validate(yaml.safe_load(text))
    return config, prepare(config.data, config.features)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Processes started inside use so many threads; two that use all of them spin against each other."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(count)
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
