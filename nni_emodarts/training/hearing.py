"""Features of utterances, as they are learnt from and as they are judged, whatever reads them."""

from collections.abc import Callable, Sequence

import numpy as np

from nni_emodarts.data.enrolment import ALL, Enrolment
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.models.baselines.probe import DRAWS
from nni_emodarts.models.baselines.probe_fitting import Heard

Read = Callable[[Enrolment | int], Sequence[np.ndarray]]
"""Features (n, F) of the same rows by each of several parts, such as levels, under an enrolment or a draw."""


def hear(task: FoldTask, read: Read) -> list[Heard]:
    """Features by each part; several times where random recordings of their speaker normalise what is learnt from."""
    draws = range(DRAWS) if task.config.speaker_adapted else ()
    judged, *learnt = (read(by) for by in (ALL, *draws))
    return [Heard(np.stack(own), told) if own else Heard.once(told) for told, *own in zip(judged, *learnt, strict=True)]
