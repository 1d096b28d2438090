"""What a supernet answers on a part of a fold that its weights did not learn from."""

import numpy as np
import numpy.typing as npt
import torch

from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.protocols import Rows
from nni_emodarts.search.one_shot.contract import OneShotSearch
from nni_emodarts.training.recalibration import recalibrate
from nni_emodarts.training.task import predict

_RECALIBRATION_BATCHES = 8
"""Training batches that the statistics of batch normalisation are measured on."""


class Judge:
    """A part of a fold, for a search to be asked about. Nothing random is drawn for it."""

    def __init__(self, task: FoldTask, rows: Rows, device: torch.device) -> None:
        """Take those rows of the part that can be measured."""
        rows = task.corpus.manifest.measured(rows)
        size = task.config.search.batch_size
        drawn = np.random.default_rng(task.seed).permutation(task.fold.train)[: _RECALIBRATION_BATCHES * size]
        self._device = device
        self._batches = task.evaluation_batches(rows, size)
        self._training_batches = task.evaluation_batches(drawn, size)
        self._outputs = task.outputs
        self._truth = task.truth(np.sort(rows))
        self.figure = self._truth.headline.val

    def score(self, search: OneShotSearch) -> float:
        """The figure that chooses of a supernet as it stands."""
        return self._truth.score(self._answers(search))

    def chance_p(self, search: OneShotSearch) -> float:
        """p of the hypothesis that it answers no better than chance."""
        return self._truth.chance_p(self._answers(search))

    def recalibrate(self, search: OneShotSearch) -> None:
        """Measure the statistics of batch normalisation anew, for the weights that choices have now."""
        recalibrate(search.model, self._training_batches, self._device)

    def _answers(self, search: OneShotSearch) -> npt.NDArray[np.floating]:
        """(n, K + D) in the order of the rows."""
        if search.recalibrates:
            self.recalibrate(search)
        return predict(search.model, self._batches, self._device, len(self._truth), self._outputs)
