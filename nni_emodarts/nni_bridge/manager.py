"""A running experiment, as NNI's manager tells of it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nni_emodarts.nni_bridge.rest import ask
from nni_emodarts.runtime.experiment_folder import trial_folder
from nni_emodarts.runtime.plain_data import JsonObject

_SUCCEEDED = "SUCCEEDED"
_FAILED = ("FAILED", "USER_CANCELED", "SYS_CANCELED", "EARLY_STOPPED")


@dataclass(frozen=True)
class Trial:
    """A trial of a running or finished experiment.

    Attributes:
        id: NNI's id.
        status: NNI's word for its state.
        parameters: fold, seed, and choices, if a tuner makes them.
        folder: its output folder.
        figure: its final validation UAR, or its last intermediate one.
        reported: whether the figure is final.
    """

    id: str
    status: str
    parameters: JsonObject
    folder: Path
    figure: float | None
    reported: bool

    @property
    def ended(self) -> bool:
        """Whether it succeeded or failed."""
        return self.status == _SUCCEEDED or self.failed

    @property
    def failed(self) -> bool:
        """Whether it ended without a result; what NNI calls a success is none without a figure."""
        return self.status in _FAILED or (self.status == _SUCCEEDED and not self.reported)


class Manager:
    """The REST interface of a running experiment."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._root = f"http://localhost:{port}/api/v1/nni"

    def profile(self) -> JsonObject:
        """The experiment's id and settings."""
        profile: JsonObject = self._get("experiment")
        return profile

    def status(self) -> str:
        """NNI's word for the experiment's state."""
        return str(self._get("check-status")["status"])

    def trials(self) -> list[Trial]:
        """All trials so far."""
        profile = self.profile()
        root = Path(profile["params"]["experimentWorkingDirectory"]).expanduser() / profile["id"]
        jobs = self._get("trial-jobs")  # first: a figure is there before its trial has ended
        last: dict[str, JsonObject] = {}
        for metric in self._get("metric-data"):
            held = last.get(metric["trialJobId"])
            if held is None or held["type"] != "FINAL":
                last[metric["trialJobId"]] = metric
        return [_read_trial(job, root, last.get(job["trialJobId"])) for job in jobs]

    def _get(self, what: str) -> Any:
        return ask(f"{self._root}/{what}")


def _read_trial(job: JsonObject, root: Path, metric: JsonObject | None) -> Trial:
    noted = job.get("hyperParameters") or ['{"parameters": {}}']
    parameters = json.loads(noted[0])["parameters"]
    figure, reported = None, False
    if metric is not None:
        # NNI wraps a metric in JSON twice.
        value = json.loads(metric["data"])
        value = json.loads(value) if isinstance(value, str) else value
        figure = float(value["default"] if isinstance(value, dict) else value)
        reported = metric["type"] == "FINAL"
    name = job["trialJobId"]
    return Trial(name, job["status"], parameters, trial_folder(root, name), figure, reported)
