"""Networks of several seeds that answer together: the mean of their probabilities."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.intervals import gather_speakers, stack_speakers
from nni_emodarts.metrics.scores import confusion

DIGITS = 4
"""Decimals of the probabilities that a cell keeps."""

Answers = Mapping[str, Sequence[Sequence[float]]]
"""As a cell holds them: speaker -> for each utterance the number of its true class, then each class's probability."""


def pack_answers(predictions: pd.DataFrame, classes: Sequence[str]) -> dict[str, list[list[float]]]:
    """What a network said of each utterance, in the order of the table, as small data.

    Args:
        predictions: columns `speaker`, `emotion` and `p_CLASS` of each class.
        classes: names of the classes.
    """
    number = {name: position for position, name in enumerate(classes)}
    columns = [f"p_{name}" for name in classes]
    return {
        str(speaker): [
            [number[emotion], *map(float, row)]
            for emotion, row in zip(rows["emotion"], rows[columns].to_numpy(np.float64).round(DIGITS), strict=True)
        ]
        for speaker, rows in predictions.groupby("speaker")
    }


def joint_confusions(cells: Iterable[FinishedCell]) -> npt.NDArray[np.int64]:
    """Confusions (1, speakers, K, K) of the mean probabilities of a method's seeds.

    Args:
        cells: the finished cells of a method, all folds and seeds, each with its `answers`.

    Raises:
        ValueError: the seeds were not scored on the same utterances, or a cell has no answers, or such as are no
            numbers.
    """
    by_fold: dict[int, list[Answers]] = {}
    for cell in cells:
        if cell.answers is None:
            raise ValueError(f"the cell of fold {cell.fold}, seed {cell.seed} does not say what was answered")
        by_fold.setdefault(cell.fold, []).append(cell.answers)
    return stack_speakers([gather_speakers((fold, _join(members)) for fold, members in by_fold.items())])


def _join(members: Sequence[Answers]) -> dict[str, npt.NDArray[np.int64]]:
    """Confusions of each speaker of a fold."""
    found = {}
    for speaker in members[0]:
        tables = [np.asarray(member.get(speaker, [])) for member in members]
        if any(table.shape != tables[0].shape or (table[:, 0] != tables[0][:, 0]).any() for table in tables):
            raise ValueError(f"the seeds were scored on other utterances of speaker {speaker!r}; finish their folds")
        true = tables[0][:, 0].astype(int)
        probabilities = np.mean([table[:, 1:] for table in tables], 0)
        if not np.isfinite(probabilities).all():
            raise ValueError(f"answers to utterances of speaker {speaker!r} are no numbers; compute their cells again")
        found[speaker] = confusion(true, probabilities.argmax(1), probabilities.shape[1])
    return found
