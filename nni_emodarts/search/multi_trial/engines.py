"""Engines that train candidates: one after another in this process, or as trials of NNI."""

import logging
import random
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import requests
import torch

from nni_emodarts.errors import ExperimentError, message_for_person
from nni_emodarts.models.flat_space import flat_sample
from nni_emodarts.nni_bridge.candidates import REPLICATES_LABEL
from nni_emodarts.nni_bridge.nas import (
    ExecutionEngine,
    FinalMetricEvent,
    ModelStatus,
    TrainingEndEvent,
    TrainingServiceExecutionEngine,
)
from nni_emodarts.search.multi_trial.space import ChoiceSpace

logger = logging.getLogger(__name__)

_TAIL = 15  # lines of a failed trial's log
_PATIENCE = 2.0  # seconds for the last words of NNI's manager


class InlineTraining(ExecutionEngine):  # type: ignore[misc]
    """Trains candidates one after another in this process, such as inside a trial, where no experiment may be nested.

    NNI's SequentialExecutionEngine would overwrite the surrounding trial's parameters, so that its figures were booked
    under another.
    """

    def __init__(self, train: Callable[[ChoiceSpace], float]) -> None:
        """Set how a candidate is trained: candidate -> what it is chosen by."""
        super().__init__()
        self._train = train
        self._errors: dict[ChoiceSpace, str] = {}

    def submit_models(self, *models: ChoiceSpace) -> None:
        """Train candidates; a failure is theirs alone."""
        for model in models:
            model.status = ModelStatus.Training
            try:
                with _same_random_state():
                    score = self._train(model)
            except Exception as error:
                message = message_for_person(error)
                logger.error("candidate %s failed", model.architecture.id, exc_info=message is None)  # noqa: TRY400
                self._errors[model] = message or f"{type(error).__name__}: {error}"
                self.dispatch_model_event(TrainingEndEvent(model, ModelStatus.Failed))
            else:
                self.dispatch_model_event(FinalMetricEvent(model, score))
                self.dispatch_model_event(TrainingEndEvent(model, ModelStatus.Trained))

    def explain(self, candidate: ChoiceSpace) -> str:
        """Why a candidate failed."""
        return self._errors.get(candidate, "it gave no figure")

    def idle_worker_available(self) -> bool:
        """Always: a training is over when `submit_models` returns."""
        return True

    def budget_available(self) -> bool:
        """Always: the ledger counts."""
        return True

    def shutdown(self) -> None:
        """Nothing to close."""


class TrialTraining(TrainingServiceExecutionEngine):  # type: ignore[misc]
    """Trains candidates as trials of NNI.

    NNI's own engine sends a serialised model, part of it pickled, whose choices the web UI does not show. This one
    sends the flat choices, `{label: choice}`, as a tuner would: readable columns of the web UI, and data.
    """

    def __init__(self, experiment: Any, trials: Path) -> None:
        """Connect to a running experiment.

        Args:
            experiment: NNI's experiment.
            trials: folder of its trials' folders.
        """
        super().__init__(experiment)
        self._trials = trials
        self._sent = 0
        self._logs: dict[ChoiceSpace, Path] = {}

    def submit_models(self, *models: ChoiceSpace) -> None:
        """Send candidates to NNI's manager."""
        for model in models:
            number, self._sent = self._sent, self._sent + 1
            self._models[number] = weakref.ref(model)
            self._workers -= 1
            model.status = ModelStatus.Training
            further = {} if model.replicates is None else {REPLICATES_LABEL: model.replicates}
            self._channel.send_trial(parameter_id=number, parameters={**flat_sample(model.architecture), **further})

    def explain(self, candidate: ChoiceSpace) -> str:
        """The tail of a failed trial's log."""
        folder = self._logs.get(candidate)
        if folder is None:
            return "NNI did not run it"
        for name in ("trial.stderr", "trial.log"):
            file = folder / name
            if file.is_file() and (lines := file.read_text(encoding="utf-8", errors="replace").strip().splitlines()):
                return "\n".join([f"{file}:", *lines[-_TAIL:]])
        return f"it gave no figure; see {folder}"

    def budget_available(self) -> bool:
        """Whether NNI still runs; the ledger counts.

        Raises:
            ExperimentError: the manager was stopped or does not answer.
        """
        try:
            status = self.nodejs_binding.get_status()
        except requests.RequestException:
            status = "it does not answer"
        if status in ("INITIALIZED", "RUNNING", "TUNER_NO_MORE_TRIAL", "NO_MORE_TRIAL", "DONE"):
            return True
        raise ExperimentError(
            f"NNI's experiment {self.nodejs_binding.id} was stopped or is gone ({status}); the candidates that have "
            f"finished are kept: go on with --resume"
        )

    def shutdown(self) -> None:
        """Close the connection. NNI's own waits for the last command of a manager that may be gone."""
        self._stopped = True
        self._channel_listen_stop_event.set()
        self._channel_listen_thread.join(_PATIENCE)

    def _trial_end_callback(self, command: Any) -> None:
        model = self._find_reference_model(command.parameter_ids[0])
        if model is not None:
            self._logs[model] = self._trials / command.trial_job_id
        super()._trial_end_callback(command)


@contextmanager
def _same_random_state() -> Iterator[None]:
    """Leave the global generators as they were, since a strategy may draw from them."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - what libraries draw from
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
