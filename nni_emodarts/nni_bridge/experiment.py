"""Experiments under NNI: run them, and pool what their trials found."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import requests

from nni_emodarts.errors import ExperimentError
from nni_emodarts.nni_bridge.experiment_file import read_experiment, refuse_absent
from nni_emodarts.nni_bridge.manager import Manager, Trial
from nni_emodarts.nni_bridge.manager_environment import THIS_MACHINE, manager_environment
from nni_emodarts.nni_bridge.nnictl import NoAnswerError, nnictl
from nni_emodarts.nni_bridge.pooling import absent_points, pool_trials
from nni_emodarts.runtime.experiment_folder import refuse_unwritable_home
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.ports import free_port
from nni_emodarts.runtime.processes import ended_in_order, uninterrupted

_POLL = 2.0  # seconds
_STARTS = 3  # attempts, since NNI gives its manager 3 s to answer


@dataclass(frozen=True)
class Outcome:
    """What an experiment came to.

    Attributes:
        name: its id.
        port: where its web UI was.
        trials: its trials, ended where nobody stopped it.
        expected: number of trials that it was to run.
        pooled: the pooled figures, as `pool_trials` gives them; None where no trial has succeeded.
        absent: folds and seeds of its search space that the figures lack.
    """

    name: str
    port: int
    trials: Sequence[Trial]
    expected: int
    pooled: JsonObject | None = None
    absent: Sequence[tuple[int, int]] = ()

    @property
    def failed(self) -> list[Trial]:
        """Trials without a result."""
        return [trial for trial in self.trials if trial.failed]

    @property
    def folders(self) -> list[Path]:
        """Output folders of the trials that succeeded."""
        return [trial.folder for trial in self.trials if trial.ended and not trial.failed]

    @property
    def whole(self) -> bool:
        """Whether every trial that it was to run has succeeded, and no fold is missing."""
        return len(self.folders) >= self.expected and not self.failed and not self.absent


def run_experiment(
    config: Path,
    port: int | None = None,
    *,
    host: str = THIS_MACHINE,
    keep: bool = False,
    begun: Callable[[str, int, int], None],
    show: Callable[[Sequence[Trial], int], None],
) -> Outcome:
    """Run an experiment, wait for its trials, pool them, and stop it.

    Args:
        config: the experiment's YAML file.
        port: the web UI's port; a free one where absent.
        host: the address at which the manager listens.
        keep: leave it running, for its web UI.
        begun: called with the experiment's id, its port and its number of trials as soon as it runs.
        show: called with all trials so far and their number in the end, every few seconds.

    Raises:
        ExperimentError: NNI does not start it or reports an error, or its trials cannot be pooled.
    """
    asked = read_experiment(config)
    with started(config, port, keep, host) as manager:
        name = manager.profile()["id"]
        begun(name, manager.port, asked.trials)
        trials = wait(manager, asked.trials, lambda so_far: show(so_far, asked.trials))
    outcome = Outcome(name, manager.port, trials, asked.trials)
    if not outcome.folders:
        return replace(outcome, absent=asked.points)
    pooled = pool_trials(outcome.folders)
    return replace(outcome, pooled=pooled, absent=absent_points(outcome.folders, asked.points))


@contextmanager
def started(config: Path, port: int | None = None, keep: bool = False, host: str = THIS_MACHINE) -> Iterator[Manager]:
    """Run `nnictl create --config FILE` on a free port, and stop the experiment in the end; after SIGTERM, too.

    However this process ends, the manager and its trials end with it, unless they are to be kept.

    Args:
        config: the experiment's YAML file.
        port: the web UI's port; a free one where absent.
        keep: leave it running, for its web UI. An experiment that fails to start is never left behind.
        host: the address at which the manager listens.

    Raises:
        ExperimentError: NNI does not start it.
    """
    refuse_absent(config)
    refuse_unwritable_home()
    port = free_port(port)
    manager = Manager(port)
    finished = False
    with ended_in_order():
        try:
            with uninterrupted():  # half started, it could not be asked to stop
                _create(config, port, manager_environment(owned=not keep, host=host))
            yield manager
            finished = True
        finally:
            if not (keep and finished):
                stop(manager)


def _create(config: Path, port: int, environment: dict[str, str]) -> None:
    words = ("create", "--config", str(config), "--port", str(port))
    for attempt in range(1, _STARTS + 1):
        try:
            nnictl(*words, problem=f"NNI does not start {config}", environment=environment)
        except NoAnswerError:
            if attempt == _STARTS:
                raise
        else:
            return


def stop(manager: Manager) -> None:
    """Stop an experiment; its trials' folders stay."""
    try:
        name = manager.profile()["id"]
    except requests.RequestException:
        return
    nnictl("stop", name, problem=f"NNI does not stop experiment {name}", environment={})


def wait(manager: Manager, expected: int, show: Callable[[list[Trial]], None]) -> list[Trial]:
    """Wait until an experiment's trials have ended.

    Args:
        manager: the experiment.
        expected: number of trials that it will run.
        show: given all trials every few seconds.

    Raises:
        ExperimentError: the manager is gone or reports an error.
    """
    silent_since: float | None = None
    while True:
        try:
            trials, status = manager.trials(), manager.status()
            silent_since = None
        except (requests.RequestException, ValueError) as error:
            silent_since = silent_since or time.monotonic()
            if time.monotonic() - silent_since > 30:
                raise ExperimentError(
                    f"NNI's manager on port {manager.port} does not answer any more: {error}"
                ) from None
            time.sleep(_POLL)
            continue
        show(trials)
        if status == "ERROR":
            raise ExperimentError(f"NNI reports an error; see nnictl log stderr {manager.profile()['id']}")
        if sum(trial.ended for trial in trials) >= expected or (status in ("DONE", "STOPPED") and trials):
            return trials
        time.sleep(_POLL)
