"""The tuner of experiments over folds and seeds: every point of the grid once, also after nnictl stop and resume."""

import os
from urllib.parse import urlparse

import nni
from nni.algorithms.hpo.gridsearch_tuner import GridSearchTuner
from nni.common.serializer import load

from nni_emodarts.nni_bridge.rest import ask
from nni_emodarts.runtime.plain_data import JsonObject

_TRIES = 5


class EachPointOnce(GridSearchTuner):  # type: ignore[misc]
    """NNI's grid search, mended for experiments that go on.

    A manager that goes on repeats the trials that were interrupted, and tells its tuner of finished ones alone. NNI's
    own grid search then hands an interrupted or failed point out again, and the last points never. This one asks the
    manager which trials there are.
    """

    def __init__(self, optimize_mode: str | None = None) -> None:
        super().__init__(optimize_mode)
        self._knows_all = os.environ.get("NNI_MODE") != "resume"

    def generate_parameters(self, *args: object, **kwargs: object) -> JsonObject:
        """A point that no trial of the experiment has; NNI calls this."""
        if not self._knows_all:
            for trial in ask(f"{_manager()}/api/v1/nni/trial-jobs", _TRIES):
                noted = trial.get("hyperParameters") or []
                self.history.update(nni.dump(load(text)["parameters"], sort_keys=True) for text in noted)
            self._knows_all = True
        point: JsonObject = super().generate_parameters(*args, **kwargs)
        return point


def _manager() -> str:
    """Address of the manager, which tells its tuner where to listen to it: ws://localhost:PORT/PREFIX/tuner."""
    channel = urlparse(os.environ["NNI_TUNER_COMMAND_CHANNEL"])
    return f"http://{channel.netloc}{channel.path.removesuffix('/tuner')}"
