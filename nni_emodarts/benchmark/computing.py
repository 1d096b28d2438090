"""The figures of one cell: search where the method searches, train, score."""

from typing import Any

from nni_emodarts.benchmark.cells import Cell, settings_digest, settled
from nni_emodarts.benchmark.flops import cell_flops
from nni_emodarts.benchmark.methods import RANDOM_SAMPLING
from nni_emodarts.benchmark.random_search import search_at_random
from nni_emodarts.benchmark.svm import measure_svm
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.overlap import find_overlap, refuse_overlap
from nni_emodarts.data.protocols import Fold
from nni_emodarts.metrics.ensemble import pack_answers
from nni_emodarts.metrics.intervals import speaker_confusions
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.baselines import BASELINES, Baseline
from nni_emodarts.models.baselines.svm import SVMS, SvmDesign
from nni_emodarts.models.space.draws import draw_architectures
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import ARCHITECTURE, CONFIG, METRICS, PREDICTIONS, RunFolder
from nni_emodarts.search.run import search, search_cost
from nni_emodarts.training.retrain import Design, retrain_fold

_NO_COST: dict[str, Any] = {"seconds": 0.0, "cpu_seconds": 0.0}


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
    config = settled(config, cell.method)
    fold = corpus.fold(cell.fold)
    design, cost = _given(config, corpus, cell, fold), _NO_COST
    if design is None:
        design, cost = run_search(config, corpus, cell, fold, folder.child("search"), progress, budget)
    if not folder.has(METRICS):
        if isinstance(design, SvmDesign):
            measure_svm(config, corpus, design, fold, cell.seed, folder, progress)
        else:
            retrain_fold(config, corpus, design, fold, cell.seed, folder, progress=progress, validate=False)
    figures, predictions = folder.read_json(METRICS), folder.read_csv(PREDICTIONS)
    data = {
        "method": cell.method.name,
        "fold": cell.fold,
        "seed": cell.seed,
        "settings": settings_digest(config, cell.method, corpus.manifest.digest),
        "recordings": corpus.recordings,
        **{key: figures[key] for key in ("val_uar", "test_uar", "test_wa", "best_epoch", "parameters", "classes")},
        "speakers": speaker_confusions(predictions, figures["classes"]),
        "seconds": round(figures["seconds"] + cost["seconds"], 1),
        "cpu_seconds": round(figures["cpu_seconds"] + cost["cpu_seconds"], 1),
        "search_cpu_seconds": round(cost["cpu_seconds"], 1),
        "environment": folder.read_json("environment.json"),
    }
    if not isinstance(design, SvmDesign):
        data["answers"] = pack_answers(predictions, figures["classes"])
    if isinstance(design, Architecture):
        data["architecture"] = design.to_dict()
    if "val_uar" in cost:
        data["search_val_uar"] = cost["val_uar"]
    if "candidates" in cost:
        data["candidates"] = cost["candidates"]
    data["flops"] = cell_flops(config, data)
    return data


def _given(config: ExperimentConfig, corpus: Corpus, cell: Cell, fold: Fold) -> Design | SvmDesign | None:
    """What a cell measures where nothing is searched for."""
    method = cell.method
    if method.architecture is not None:
        design = Architecture.load(method.architecture)
        refuse_overlap({fold.index: find_overlap(design.origin, corpus, fold.test)})
        return design
    if method.name in SVMS:
        return SVMS[method.name]
    if method.name in BASELINES:
        return Baseline(method.name, config.space.dropout)
    if method.name == RANDOM_SAMPLING:
        origin = {"strategy": RANDOM_SAMPLING, "seed": cell.seed, "fold": cell.fold}
        seed = [cell.seed, cell.fold]
        return next(draw_architectures(config.space, corpus.num_classes, corpus.input_shape, seed, origin))
    return None


def run_search(
    config: ExperimentConfig,
    corpus: Corpus,
    cell: Cell,
    fold: Fold,
    folder: RunFolder,
    progress: Progress = silent,
    budget: float = 0.0,
) -> tuple[Architecture, dict[str, Any]]:
    """What a cell's search finds in its fold, and what that costs; arguments as for `compute_cell`.

    The folder's name says the settings, so that a search goes on wherever its corpus lies now.
    """
    if not folder.has(METRICS):
        folder.write_text(CONFIG, config.to_yaml())
        if cell.method.bought:
            search_at_random(config, corpus, fold, cell.seed, budget, folder, progress)
        else:
            search(config, corpus, fold, cell.seed, folder, progress)
    metrics = folder.read_json(METRICS)
    cost = {"seconds": metrics["seconds"], "cpu_seconds": search_cost(metrics), "val_uar": metrics["val_uar"]}
    if "candidates" in metrics:
        cost["candidates"] = metrics["candidates"]
    return Architecture.load(folder.path / ARCHITECTURE), cost
