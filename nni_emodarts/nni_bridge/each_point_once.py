"""The tuner of experiments over folds and seeds: every point of the grid once, also after nnictl stop and resume."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlparse

import nni
from nni.algorithms.hpo.gridsearch_tuner import GridSearchTuner

from nni_emodarts.nni_bridge.manager import Manager, to_repeat
from nni_emodarts.nni_bridge.remote import carried
from nni_emodarts.nni_bridge.remote.share import carried_trials, link_shared
from nni_emodarts.runtime.experiment_folder import serve_drawing
from nni_emodarts.runtime.plain_data import JsonObject

logger = logging.getLogger(__name__)

_TRIES = 5


class EachPointOnce(GridSearchTuner):  # type: ignore[misc]
    """NNI's grid search, mended for experiments that go on, and for trials on other machines.

    A manager that goes on repeats the trials that were interrupted, and tells its tuner of finished ones alone. NNI's
    own grid search then hands an interrupted or failed point out again, and the last points never. This one asks the
    manager which trials there are.

    Args:
        optimize_mode: of NNI; without meaning here.
        again: a point whose trial ended without a result is handed out once more, at the end.
        shared: the folder that trials on other machines write to, which becomes a part of the experiment's.
    """

    def __init__(self, optimize_mode: str | None = None, again: bool = False, shared: str | None = None) -> None:
        super().__init__(optimize_mode)
        self._knows_all = os.environ.get("NNI_MODE") != "resume"
        self._again = again
        self._repeated: set[str] = set()
        if shared is not None:
            link_shared(_experiment(), Path(shared))

    def generate_parameters(self, *args: object, **kwargs: object) -> JsonObject:
        """A point that no trial of the experiment has, or none with a result; NNI calls this."""
        if not self._knows_all:
            self.history.update(nni.dump(trial.parameters, sort_keys=True) for trial in _manager().trials())
            self._knows_all = True
        try:
            point: JsonObject = super().generate_parameters(*args, **kwargs)
        except nni.NoMoreTrialError:
            return self._point_to_repeat()
        return point

    def _point_to_repeat(self) -> JsonObject:
        """A point whose one trial has ended without a result.

        Raises:
            nni.NoMoreTrialError: there is none, or none is to be handed out again.
        """
        for point in to_repeat(_manager().trials()) if self._again else ():
            if (name := nni.dump(point, sort_keys=True)) not in self._repeated:
                self._repeated.add(name)
                return point
        raise nni.NoMoreTrialError("every point was handed out")

    def receive_trial_result(self, parameter_id: int, parameters: JsonObject, value: object, **kwargs: object) -> None:
        """Keep what came with a trial's result, and show its drawing; NNI calls this."""
        _keep(value)
        if isinstance(trial := kwargs.get("trial_job_id"), str):
            serve_drawing(_experiment(), trial)

    def import_data(self, data: list[JsonObject]) -> None:
        """Know the trials of an experiment that goes on, with what came with their results; NNI calls this."""
        super().import_data(data)
        for trial in data:
            _keep(trial["value"])


def _keep(result: object) -> None:
    """Unpack a run folder that came with a result; one that cannot be is no reason to end the experiment."""
    packed = result.get(carried.COLUMN) if isinstance(result, Mapping) else None
    if not isinstance(packed, str):
        return
    try:
        serve_drawing(_experiment(), carried.unpack(packed, carried_trials(_experiment())).name)
    except (OSError, ValueError) as error:
        logger.error("the figures that came with a result cannot be kept (%s)", error)  # noqa: TRY400 - no defect


def _experiment() -> Path:
    """The folder of the experiment, in which NNI has its tuner log."""
    return Path(os.environ["NNI_LOG_DIRECTORY"]).parent


def _manager() -> Manager:
    """The manager, which tells its tuner where to listen to it: ws://localhost:PORT/PREFIX/tuner."""
    channel = urlparse(os.environ["NNI_TUNER_COMMAND_CHANNEL"])
    return Manager(channel.port or 0, channel.path.removesuffix("/tuner"), tries=_TRIES)
