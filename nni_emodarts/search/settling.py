"""What is settled before a search begins: the levels of pretrained streams, by a linear probe."""

from dataclasses import replace

from nni_emodarts.config import ExperimentConfig, HeardStream
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.metrics.decision import SETTLED
from nni_emodarts.models.architecture import level_label
from nni_emodarts.models.baselines.probe import INNER_FOLDS
from nni_emodarts.models.baselines.probe_fitting import Chosen, choose
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.progress import Progress, counted, silent
from nni_emodarts.training.level_features import read_levels

STRENGTH = 0.01
"""C of the probe: levels are compared at one strength, which costs a third of choosing it too."""


def settle_levels(task: FoldTask, progress: Progress = silent) -> tuple[FoldTask, JsonObject]:
    """Choose the level of each pretrained stream before a search, where `search.level_by` says so.

    By the UAR of a logistic regression on mean and deviation over time, over inner folds of the training part's
    speakers. Neither validation nor test speakers are read.

    Args:
        task: the fold to search on.
        progress: called after each stream.

    Returns:
        The same task, whose space holds one level of each pretrained stream, and what metrics.json says of that; the
        task as it is and nothing where the search chooses levels itself.
    """
    choosing = [stream for stream in task.config.space.hears if len(stream.open_levels) > 1]
    if task.config.search.level_by == "search" or not choosing:
        return task, {}
    found = {stream.name: _probe(task, stream) for stream in counted(choosing, "levels by a linear probe", progress)}
    levels = {stream.name: stream.levels[found[stream.name].level] for stream in choosing}
    described = {
        level_label(name): {"choice": str(level), "probe_uar": found[name].uar} for name, level in levels.items()
    }
    return task.under(_settled(task.config, levels)), {SETTLED: described}


def _probe(task: FoldTask, stream: HeardStream) -> Chosen:
    """The best level of a stream."""
    if len(task.corpus.streams) > 1:
        task = replace(task, corpus=task.corpus.hearing((stream.name,), {}))
    rows = task.fold.train
    levels = read_levels(task, rows, range(len(stream.levels)))
    return choose(levels, (STRENGTH,), task.labels(rows), task.voices.numbers[rows], INNER_FOLDS)


def _settled(config: ExperimentConfig, levels: dict[str, int]) -> ExperimentConfig:
    """A configuration whose space holds these levels alone. What is written of it stays what the person asked for."""
    hears = [stream.model_copy(update={"settled": levels.get(stream.name)}) for stream in config.space.hears]
    return config.model_copy(update={"space": config.space.model_copy(update={"hears": tuple(hears)})})
