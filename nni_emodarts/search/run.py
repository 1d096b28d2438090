"""The search phase: a fold's training speakers -> an architecture."""

import torch

from nni_emodarts.config import check_search_together, refuse_other_settings
from nni_emodarts.config.strategies import STRATEGIES
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.environment import Stopwatch
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject
from nni_emodarts.runtime.progress import Progress, Report, silent
from nni_emodarts.runtime.run_folder import (
    ARCHITECTURE,
    BEGUN,
    CHECKPOINT,
    CONFIG,
    ENVIRONMENT,
    METRICS,
    SEARCH_RUN,
    RunFolder,
    refuse_other,
)
from nni_emodarts.search.level_first import level_first
from nni_emodarts.search.multi_trial import search_by_trials
from nni_emodarts.search.one_shot import check_space
from nni_emodarts.search.one_shot.train import search_one_shot
from nni_emodarts.search.restarts import search_restarts
from nni_emodarts.training.parallel.start import check_devices
from nni_emodarts.training.trainer import environment_of, pick_device


def search(
    task: FoldTask, folder: RunFolder, progress: Progress = silent, report: Report | None = None
) -> Architecture:
    """Search an architecture on the training speakers of a fold; the test speakers' recordings are never read.

    A strategy that trains one supernet: see `one_shot`; one that trains candidates by themselves: see `multi_trial`. A
    search that was cut off in the same folder is gone on with; a finished one gives its architecture at once.

    Args:
        task: the fold to search on.
        folder: where the run's files go.
        progress: called after each epoch.
        report: given the supernet's validation figure after each epoch.

    Returns:
        The architecture, also written to the folder.

    Raises:
        ConfigError: the strategy cannot search this space, or lacks a package.
        DivergenceError: the loss is no number any more.
        RunFolderError: the folder holds a search with other settings, or another process writes to it.
    """
    config = task.config
    strategy = STRATEGIES[config.search.strategy]
    strategy.check_installed()
    check_search_together(config)
    if strategy.family == "multi-trial":
        return search_by_trials(task, folder, progress, report)
    device = pick_device(config.device)
    check_devices(config)
    check_space(config.search, config.space)
    with folder.held():
        return _search(task, folder, device, progress, report)


def _search(
    task: FoldTask, folder: RunFolder, device: torch.device, progress: Progress, report: Report | None
) -> Architecture:
    """Search with one supernet, as the one writer of the folder."""
    config = task.config
    folder.begin(SEARCH_RUN)
    earlier = start_search(folder, task)
    task.note_corpus(folder)
    if folder.has(METRICS):
        return Architecture.load(folder.path / ARCHITECTURE)
    watch = Stopwatch()
    first = level_first(task)
    task = first.task
    if config.search.restarts > 1:
        probing = watch.read()
        metrics = search_restarts(task, folder, lambda each, run: search(each, run, progress, report))
        folder.write_json(ENVIRONMENT, environment_of(device))
        folder.write_json(METRICS, {**_add(metrics, probing), **first.figures})
        return Architecture.load(folder.path / ARCHITECTURE)

    figure = task.headline.val

    def on_epoch(epochs: int, score: float | None) -> None:
        progress("search", epochs, config.search.epochs, **({} if score is None else {figure: score}))
        if score is None:
            return
        folder.write_json(BEGUN, _add(earlier, watch.read()))
        if report is not None:
            report(score)

    found = search_one_shot(task, folder, on_epoch)
    shape = task.corpus.num_outputs, task.corpus.shapes
    architecture = Architecture.from_choices(config.space, found.choices, *shape, task.origin())
    if found.figures["epochs"] < config.search.epochs:  # stopped early: nothing is left
        progress("search", found.figures["epochs"], found.figures["epochs"], **{figure: found.score})
    folder.write_json(ENVIRONMENT, environment_of(device))
    folder.write_json(ARCHITECTURE, architecture.to_dict())
    metrics = {figure: found.score, "architecture": architecture.id, "fold": task.fold.index, "seed": task.seed}
    metrics |= {**config.tracks, **first.figures}
    spent = {key: _add(earlier, watch.read())[key] for key in ("seconds", "cpu_seconds")}
    folder.write_json(METRICS, {**metrics, **found.figures, **spent})
    (folder.path / CHECKPOINT).unlink(missing_ok=True)
    return architecture


def start_search(folder: RunFolder, task: FoldTask) -> JsonObject:
    """Note what a search is to do, or check that a search that goes on is the same.

    Args:
        folder: the search's folder.
        task: the fold to search on. Another content of the manifest would divide the speakers otherwise.

    Returns:
        The note, with the seconds that earlier parts of the search took.

    Raises:
        RunFolderError: it is another one.
    """
    config = task.config
    asked = {"fold": task.fold.index, "seed": task.seed, "manifest": task.corpus.manifest.digest}
    note = {**asked, "seconds": 0.0, "cpu_seconds": 0.0}
    if folder.has(BEGUN):
        refuse_other_settings(folder, config)
        note = folder.read_json(BEGUN)
        refuse_other("search", folder, note, asked)
    folder.write_json(BEGUN, note)  # first, since it is the sign of a run
    folder.write_text(CONFIG, config.to_yaml())
    return note


def _add(earlier: JsonObject, spent: dict[str, float]) -> JsonObject:
    return {**earlier, **{key: round(earlier[key] + value, 3) for key, value in spent.items()}}


def search_cost(metrics: JsonMapping) -> float:
    """CPU seconds of a finished search, of its metrics.json; candidates are trained in processes of their own."""
    return max(float(metrics["cpu_seconds"]), float(metrics.get("candidate_cpu_seconds", 0.0)))
