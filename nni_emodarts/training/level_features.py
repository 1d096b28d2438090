"""What a linear probe hears of a pretrained stream: mean and deviation over time of each level's features."""

from collections.abc import Sequence

import numpy as np

from nni_emodarts.data.enrolment import ALL, Enrolment
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.protocols import Rows
from nni_emodarts.models.baselines.probe import DRAWS
from nni_emodarts.models.baselines.probe_fitting import Heard


def read_levels(task: FoldTask, rows: Rows, places: Sequence[int]) -> list[Heard]:
    """What a probe learns from and is judged by, for each of some levels of the one stream that a task hears.

    Args:
        task: the fold; its training speakers are those of its train part.
        rows: what is read.
        places: of the levels, as they are stored.
    """
    draws = np.stack([features_of(task, rows, draw) for draw in range(DRAWS)]) if task.config.speaker_adapted else None
    judged = features_of(task, rows, ALL)
    found = []
    for place in places:
        columns = columns_of_level(task, place)
        own = judged[:, columns]
        found.append(Heard(own[np.newaxis] if draws is None else draws[:, :, columns], own))
    return found


def columns_of_level(task: FoldTask, place: int) -> np.ndarray:
    """Columns of `features_of` that are of a level: its means, then its deviations."""
    levels, features = task.corpus.input_shape
    means = np.arange(place * features, (place + 1) * features)
    return np.concatenate([means, means + levels * features])


def features_of(task: FoldTask, rows: Rows, by: Enrolment | int) -> np.ndarray:
    """Means and deviations (n, 2 R) over time of the normalised features of rows, from the statistics of each.

    Args:
        task: the fold; its training speakers are those of its train part.
        rows: what is read.
        by: the enrolment; or the number of a draw, where rows are learnt from.
    """
    moments = task.corpus.store.moments(rows)
    means, deviations = moments.means, np.sqrt(moments.squares / moments.frames[:, np.newaxis])
    if task.config.speaker_adapted:
        normalizers = task.drawing(by) if isinstance(by, int) else task.enrolling(by)
        for number, row in enumerate(rows):
            normalizer = normalizers.for_row(int(row))
            means[number] = (means[number] - normalizer.mean) / normalizer.std
            deviations[number] = deviations[number] / normalizer.std
    return np.concatenate([means, deviations], axis=1).astype(np.float32)
