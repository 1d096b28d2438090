"""What the validation part says of a supernet."""

import numpy as np
import numpy.typing as npt
import torch

from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.metrics.scores import uar
from nni_emodarts.search.one_shot.contract import OneShotSearch
from nni_emodarts.training.recalibration import recalibrate
from nni_emodarts.training.task import predict

_RECALIBRATION_BATCHES = 8
"""Training batches that the statistics of batch normalisation are measured on."""


class Validation:
    """The validation part of a fold, for a search to be asked about. Each answer draws nothing."""

    def __init__(self, task: FoldTask, device: torch.device) -> None:
        size, rows = task.config.search.batch_size, task.fold.validation
        drawn = np.random.default_rng(task.seed).permutation(task.fold.train)[: _RECALIBRATION_BATCHES * size]
        self._device = device
        self._loader = task.evaluation_batches(rows, size)
        self._training_batches = task.evaluation_batches(drawn, size)
        self.num_classes = task.corpus.num_classes
        self.true = task.labels(np.sort(rows))

    def answers(self, search: OneShotSearch) -> npt.NDArray[np.int64]:
        """(n,) classes that a supernet answers as it stands."""
        if search.recalibrates:
            self.recalibrate(search)
        return np.asarray(predict(search.model, self._loader, self._device, len(self.true)).argmax(1))

    def uar(self, search: OneShotSearch) -> float:
        """The UAR of these answers."""
        return uar(self.true, self.answers(search), self.num_classes)

    def recalibrate(self, search: OneShotSearch) -> None:
        """Measure the statistics of batch normalisation anew, for the weights that choices have now."""
        recalibrate(search.model, self._training_batches, self._device)
