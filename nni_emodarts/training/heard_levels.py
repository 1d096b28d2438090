"""What networks hear of each level of a pretrained stream, pooled over time: frames are normalised as theirs are."""

import numpy as np
import torch

from nni_emodarts.data.enrolment import Enrolment
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.protocols import Rows
from nni_emodarts.models.baselines.probe_fitting import Heard
from nni_emodarts.models.nn.levels import Level
from nni_emodarts.models.nn.shortcut import means_and_deviations
from nni_emodarts.training.hearing import hear

_BATCH = 32


def hear_levels(task: FoldTask, rows: Rows, stream: int = 0) -> list[Heard]:
    """Features of rows, in ascending order, by each level.

    Args:
        task: the fold; its training speakers are those of its train part.
        rows: what is heard.
        stream: place of the stream among those of the corpus.
    """
    return hear(task, lambda by: list(_pooled(task, rows, by, stream).transpose(1, 0, 2)))


def _pooled(task: FoldTask, rows: Rows, by: Enrolment | int, stream: int) -> np.ndarray:
    """(n, L, 2 D) means and deviations over time."""
    levels = task.corpus.streams[stream].input_shape[0]
    level, seen, found = Level(range(levels)), [], []
    for batch in task.evaluation_batches(rows, _BATCH, by):
        several = isinstance(batch.maps, tuple)
        maps, lengths = (batch.maps[stream], batch.lengths[:, stream]) if several else (batch.maps, batch.lengths)
        pooled = means_and_deviations(level(maps, lengths).flatten(1, 2), lengths)
        found.append(pooled.unflatten(1, (2, levels, -1)).transpose(1, 2).flatten(2))
        seen.append(batch.rows)
    order = torch.cat(seen).argsort()
    return torch.cat(found)[order].numpy()
