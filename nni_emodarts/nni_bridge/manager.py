"""A running experiment, as NNI's manager tells of it."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nni_emodarts.nni_bridge.rest import ask
from nni_emodarts.runtime.experiment_folder import trial_folder
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.run_folder import METRICS

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
        place: the folder with its logs, `HOST:FOLDER` on another machine.
    """

    id: str
    status: str
    parameters: JsonObject
    folder: Path
    figure: float | None
    reported: bool
    place: str

    @property
    def ended(self) -> bool:
        """Whether it succeeded or failed."""
        return self.status == _SUCCEEDED or self.failed

    @property
    def failed(self) -> bool:
        """Whether it ended without a result; what NNI calls a success is none without a figure."""
        return self.status in _FAILED or (self.status == _SUCCEEDED and not self.reported)

    @property
    def is_remote(self) -> bool:
        """Whether it ran on another machine."""
        return not self.place.startswith("/")

    @property
    def has_result(self) -> bool:
        """Whether it left one: its machine may be lost once all is computed and before it says so."""
        return not self.failed if self.status == _SUCCEEDED else (self.folder / METRICS).is_file()


def to_repeat(trials: Iterable[Trial]) -> list[JsonObject]:
    """Parameters of which one trial was tried, and ended without a result, as when its machine was lost."""
    return [of_it[0].parameters for of_it in _by_point(trials) if len(of_it) == 1 and _is_lost(of_it[0])]


def standing(trials: Iterable[Trial]) -> list[Trial]:
    """The trial that stands for each of the parameters: of several the one with a result, else the last."""
    return [next((trial for trial in of_it if trial.has_result), of_it[-1]) for of_it in _by_point(trials)]


def _by_point(trials: Iterable[Trial]) -> list[Sequence[Trial]]:
    found: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        found[json.dumps(trial.parameters, sort_keys=True)].append(trial)
    return [*found.values()]


def _is_lost(trial: Trial) -> bool:
    return trial.ended and not trial.has_result


class Manager:
    """The REST interface of a running experiment.

    Args:
        port: its port on this machine.
        prefix: what its addresses begin with, where the experiment has a URL prefix.
        tries: how often it is asked where it does not answer.
    """

    def __init__(self, port: int, prefix: str = "", tries: int = 1) -> None:
        self.port = port
        self._root = f"http://localhost:{port}{prefix}/api/v1/nni"
        self._tries = tries

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
        return ask(f"{self._root}/{what}", self._tries)


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
    folder = trial_folder(root, name)
    return Trial(name, job["status"], parameters, folder, figure, reported, _place(job, folder))


def _place(job: JsonObject, folder: Path) -> str:
    """NNI gives another machine's as HOST:FOLDER, and of this one what is its folder anyway."""
    place = str(job.get("logPath") or "")
    return str(folder) if not place or place.startswith("/") else place
