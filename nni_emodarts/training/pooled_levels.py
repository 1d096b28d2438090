"""What each level of a pretrained stream says of utterances as a whole: means and deviations over time."""

from collections.abc import Sequence

import numpy as np

from nni_emodarts.data.enrolment import Enrolment
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.protocols import Rows
from nni_emodarts.models.baselines.probe_fitting import Heard
from nni_emodarts.training.hearing import hear


def read_levels(task: FoldTask, rows: Rows, places: Sequence[int], stream: int = 0) -> list[Heard]:
    """Features of rows by each level.

    Args:
        task: the fold; its training speakers are those of its train part.
        rows: what is read.
        places: of the levels among those of the stream.
        stream: place of the stream among those of the corpus.
    """
    columns = [columns_of(task, place, stream) for place in places]

    def read(by: Enrolment | int) -> list[np.ndarray]:
        features = pooled_features(task, rows, by, stream)
        return [features[:, own] for own in columns]

    return hear(task, read)


def columns_of(task: FoldTask, place: int, stream: int = 0) -> np.ndarray:
    """Columns of `pooled_features` that are of a level: its means, then its deviations."""
    levels, features = task.corpus.streams[stream].input_shape
    means = np.arange(place * features, (place + 1) * features)
    return np.concatenate([means, means + levels * features])


def pooled_features(task: FoldTask, rows: Rows, by: Enrolment | int, stream: int = 0) -> np.ndarray:
    """Means and deviations (n, 2 R) over time of the normalised features of rows, from the statistics of each.

    Args:
        task: the fold; its training speakers are those of its train part.
        rows: what is read.
        by: the enrolment; or the number of a draw, where rows are learnt from.
        stream: place of the stream among those of the corpus.
    """
    moments = task.corpus.streams[stream].store.moments(rows)
    means, deviations = moments.means, np.sqrt(moments.squares / moments.frames[:, np.newaxis])
    if task.config.speaker_adapted:
        normalizers = task.drawing(by, place=stream) if isinstance(by, int) else task.enrolling(by, place=stream)
        for number, row in enumerate(rows):
            normalizer = normalizers.for_row(int(row))
            means[number] = (means[number] - normalizer.mean) / normalizer.std
            deviations[number] = deviations[number] / normalizer.std
    return np.concatenate([means, deviations], axis=1).astype(np.float32)
