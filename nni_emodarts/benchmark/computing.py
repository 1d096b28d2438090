"""The figures of one cell: search where the method searches, train, score."""

from collections.abc import Sequence

import pandas as pd

from nni_emodarts.benchmark.cells import settings_digest
from nni_emodarts.benchmark.flops import cell_flops
from nni_emodarts.benchmark.functionals import OnFunctionals, measure_on_functionals
from nni_emodarts.benchmark.methods import METHODS, Method
from nni_emodarts.benchmark.methods import SEARCH as CONFIGURED
from nni_emodarts.benchmark.probe import levels_of, measure_probe
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.dimensions import dimension_names, speaker_moments, with_undecided
from nni_emodarts.metrics.enrolment import enrolment_entries
from nni_emodarts.metrics.ensemble import pack_answers
from nni_emodarts.metrics.headline import UAR
from nni_emodarts.metrics.intervals import speaker_confusions
from nni_emodarts.metrics.other_corpora import CORPUS_COLUMN, of_people
from nni_emodarts.metrics.tracks import Track
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.baselines.probe import ProbeDesign
from nni_emodarts.runtime.digests import read_predictions, read_undecided
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import ARCHITECTURE, CONFIG, ENVIRONMENT, METRICS, OTHER_CORPORA, SEARCH, RunFolder
from nni_emodarts.search.run import search_cost
from nni_emodarts.training.retrain import Design, retrain_fold
from nni_emodarts.training.retrain.elsewhere import Elsewhere

Measured = OnFunctionals | ProbeDesign | Design
"""What a cell's network, machine or probe is built from."""

_KEPT = (
    "val_uar", "test_uar", "test_wa", "best_epoch", "parameters", "classes", "dimensions", "val_ccc", "test_ccc",
    "val_uar_ccc", "test_uar_ccc",
)  # fmt: skip
"""Figures of a network that its cell has, too."""
_ELSEWHERE = {"other_corpora": "speakers", "other_moments": "moments"}
"""Entries of a cell on further corpora, and those on its own that they are like."""
_NO_COST: JsonObject = {"seconds": 0.0, "cpu_seconds": 0.0}


def compute_cell(
    task: FoldTask,
    method: Method,
    folder: RunFolder,
    progress: Progress = silent,
    budget: float = 0.0,
    search_in: RunFolder | None = None,
    elsewhere: Elsewhere = Elsewhere(),  # noqa: B008 - it does not change
) -> FinishedCell:
    """Search where the method searches, train, score the test part once; then say all of it.

    Args:
        task: the fold and the seed, under the configuration as the method uses it (`settled`).
        method: what to measure.
        folder: where the run's files go.
        progress: called after each step.
        budget: CPU seconds that random search may spend; other methods have no use for it.
        search_in: the folder of the cell whose search is taken; the cell's own where absent.
        elsewhere: corpora that it is scored on besides.
    """
    if method.searches:
        designs, cost = _searched(task, method, folder, search_in or folder, progress, budget=budget)
    else:
        designs, cost = (method.entry.load()(task, method),), _NO_COST
    if not folder.has(METRICS):
        heard = task.hearing({}, [levels_of(task.config).name]) if method.needs_levels else task
        _measure(heard, designs[0], folder, progress, elsewhere)
    figures, predictions = folder.read_json(METRICS), read_predictions(folder)
    data = {
        "method": method.name,
        "fold": task.fold.index,
        "seed": task.seed,
        "settings": settings_digest(task.config, method, task.corpus.manifest.identity),
        "recordings": task.corpus.recordings,
        **{key: figures[key] for key in _KEPT if key in figures},
        **{key: value for key, value in figures.items() if key in ("level", "strength")},
        **Track.of(figures).to_dict(),
        **_by_speaker(predictions, read_undecided(folder), figures["classes"]),
        "seconds": round(figures["seconds"] + cost["seconds"], 1),
        "cpu_seconds": round(figures["cpu_seconds"] + cost["cpu_seconds"], 1),
        "search_cpu_seconds": round(cost["cpu_seconds"], 1),
        "environment": folder.read_json(ENVIRONMENT),
    }
    if not method.svm and figures["classes"]:
        data["answers"] = pack_answers(predictions, figures["classes"])
    data |= enrolment_entries(predictions, figures)
    data |= _answers_elsewhere(elsewhere, folder, figures["classes"])
    architectures = [each for each in designs if isinstance(each, Architecture)]
    if len(architectures) == 1:
        data["architecture"] = architectures[0].to_dict()
    if "members" in figures:
        data["members"] = figures["members"]
    if "val_uar" in cost:
        data["search_val_uar"] = cost["val_uar"]
    if "candidates" in cost:
        data["candidates"] = cost["candidates"]
    finished = FinishedCell.from_data(data)
    return finished.model_copy(update={"flops": cell_flops(task.config, finished, architectures)})


def _by_speaker(predictions: pd.DataFrame, undecided: pd.DataFrame | None, classes: Sequence[str]) -> JsonObject:
    """Sums of each speaker of a table of predictions, of all that was learnt."""
    names = dimension_names(predictions)
    told = {"speakers": speaker_confusions(predictions, classes)} if classes else {}
    rated = with_undecided(predictions, [undecided])
    return {**told, "moments": speaker_moments(rated, names)} if names else told


def _searched(
    task: FoldTask, method: Method, folder: RunFolder, search_in: RunFolder, progress: Progress, *, budget: float
) -> tuple[tuple[Measured, ...], JsonObject]:
    """What a search in a folder found, and what that cost; an ensemble of its candidates is then trained, too."""
    with search_in.held(wait=True):
        found, cost = run_search(task, method, search_in.child(SEARCH), progress, budget)
    if not method.ensemble:
        return (found,), cost
    return method.entry.load()(task, search_in.child(SEARCH), folder, progress), cost


def _answers_elsewhere(elsewhere: Elsewhere, folder: RunFolder, classes: Sequence[str]) -> JsonObject:
    """What a cell says of further corpora: sums of each of their speakers."""
    if not elsewhere.corpora:
        return {}
    groups = of_people(folder.read_csv(OTHER_CORPORA)).groupby(CORPUS_COLUMN, sort=False)
    each = {str(name): _by_speaker(rows, None, classes) for name, rows in groups}
    sums: JsonObject = {
        key: {name: own[of] for name, own in each.items() if of in own} for key, of in _ELSEWHERE.items()
    }
    said = folder.read_json(METRICS)["other_corpora"]
    sums["other_scales"] = {name: own["scale"] for name, own in said.items() if "scale" in own}
    return {key: found for key, found in sums.items() if found}


def _measure(task: FoldTask, design: Measured, folder: RunFolder, progress: Progress, elsewhere: Elsewhere) -> None:
    """Train or fit what a cell measures, and score it."""
    if isinstance(design, OnFunctionals):
        measure_on_functionals(task, design, folder, progress, elsewhere)
    elif isinstance(design, ProbeDesign):
        measure_probe(task, design, folder, progress, elsewhere)
    else:
        retrain_fold(task, design, folder, progress=progress, validate=False, elsewhere=elsewhere)


def run_search(
    task: FoldTask, method: Method, folder: RunFolder, progress: Progress = silent, budget: float = 0.0
) -> tuple[Architecture, JsonObject]:
    """What a cell's search finds in its fold, and what that costs; arguments as for `compute_cell`.

    The folder's name says the settings, so that a search goes on wherever its corpus lies now.
    """
    if not folder.has(METRICS):
        folder.write_text(CONFIG, task.config.to_yaml())
        search = METHODS[CONFIGURED].load() if method.ensemble else method.entry.load()
        if method.budget_source is None:
            search(task, folder, progress)
        else:
            search(task, budget, folder, progress)
    metrics = folder.read_json(METRICS)
    cost = {"seconds": metrics["seconds"], "cpu_seconds": search_cost(metrics)}
    if UAR.val in metrics:
        cost[UAR.val] = metrics[UAR.val]
    if "candidates" in metrics:
        cost["candidates"] = metrics["candidates"]
    return Architecture.load(folder.path / ARCHITECTURE), cost
