"""The level of a pretrained stream, chosen by probes before all else is searched.

Which level is heard decides more than all that is built on it, and a linear probe of pooled features knows it within
seconds, while a supernet has to learn from scratch what each level says: so what carries the variance is decided first,
and cells last.
"""

from dataclasses import dataclass

import numpy as np

from nni_emodarts.data.draws import some
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.models.architecture import layer_choices
from nni_emodarts.models.baselines.level_choice import judge_levels
from nni_emodarts.models.levels import level_label, levels_of
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.training.heard_levels import hear_levels

MOST = 2_000
"""Utterances that probes learn from and answer: of a larger corpus so many are drawn, which rank levels as all do."""
Probed = dict[str, dict[str, float]]
"""Label of a level -> candidate -> what a probe of it reaches inside the training speakers."""


@dataclass(frozen=True)
class LevelFirst:
    """A task whose levels are decided.

    Attributes:
        task: the same fold, whose space has the levels fixed, and of which those alone are read.
        probed: what decided; nothing where levels are searched, or there are none.
    """

    task: FoldTask
    probed: Probed

    @property
    def figures(self) -> JsonObject:
        """What the metrics of a search say of it."""
        return {"probed": self.probed} if self.probed else {}


def level_first(task: FoldTask) -> LevelFirst:
    """Decide the level of each pretrained stream, where the configuration wants it before the search.

    Probes learn from the fold's training and validation speakers, each of whom is judged by probes that have not heard
    them. Of levels that are alike the first is taken. The test speakers' recordings are not read.

    Args:
        task: the fold to search on.
    """
    space = task.config.space
    options = {
        label: candidates
        for stream in space.hears
        if stream.is_pretrained and (label := level_label(stream.name)) not in dict(space.fixed)
        if len(candidates := layer_choices(space)[label]) > 1
    }
    if task.config.search.level == "searched" or not options:
        return LevelFirst(task, {})
    probed = {label: _probe(task, label, candidates) for label, candidates in options.items()}
    taken = {label: max(figures, key=lambda each: figures[each]) for label, figures in probed.items()}
    return LevelFirst(with_fixed(task, taken), probed)


def with_fixed(task: FoldTask, taken: dict[str, str]) -> FoldTask:
    """The task of a search whose space has these choices fixed."""
    config = task.config
    space = config.space.model_copy(update={"fixed": tuple({**dict(config.space.fixed), **taken}.items())})
    search = config.search.model_copy(update={"level": "searched"})
    return task.under(config.model_copy(update={"space": space, "search": search}))


def _probe(task: FoldTask, label: str, candidates: tuple[str, ...]) -> dict[str, float]:
    """What a probe of each candidate reaches."""
    space, manifest = task.config.space, task.corpus.manifest
    known = next(stream for stream in space.hears if level_label(stream.name) == label)
    place = next((n for n, each in enumerate(task.corpus.streams) if each.name == known.name), 0)
    rows = some(manifest.decided(np.union1d(task.fold.train, task.fold.validation)), MOST)
    heard = hear_levels(task.without_validation(), rows, place)
    truth, speakers = task.truth(rows), task.voices.numbers[rows]

    places = [known.places(levels_of(option)) for option in candidates]
    reached = judge_levels(heard, places, truth, speakers)
    return {option: round(figure, 5) for option, figure in zip(candidates, reached, strict=True)}
