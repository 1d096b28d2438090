"""Experiments under NNI: run them, and pool what their trials found."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import requests

from nni_emodarts.errors import ExperimentError
from nni_emodarts.nni_bridge.experiment_file import Asked, read_experiment, refuse_absent
from nni_emodarts.nni_bridge.manager import Manager, Trial, standing, to_repeat
from nni_emodarts.nni_bridge.manager_environment import THIS_MACHINE, manager_environment
from nni_emodarts.nni_bridge.nnictl import NoAnswerError, nnictl
from nni_emodarts.nni_bridge.pooling import absent_points, pool_trials
from nni_emodarts.nni_bridge.remote.checks import check_machines
from nni_emodarts.nni_bridge.remote.machines import Remote
from nni_emodarts.runtime.experiment_folder import refuse_unwritable_home
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.ports import free_port
from nni_emodarts.runtime.processes import ended_in_order, uninterrupted
from nni_emodarts.runtime.run_folder import METRICS

_POLL = 2.0  # seconds
_SILENCE = 30.0  # seconds after which a manager is gone
_ARRIVAL = 30.0  # seconds that figures of another machine may take to be seen here
_STARTS = 3  # attempts, since NNI gives its manager 3 s to answer


class GoneError(ExperimentError):
    """A manager that does not answer any more.

    Attributes:
        trials: the last that it told of.
    """

    def __init__(self, message: str, trials: Sequence[Trial]) -> None:
        super().__init__(message)
        self.trials = trials


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
        remote: where its trials ran, if not here.
        broken_off: why it ended before its trials had, as when all machines are lost; empty where it did not.
    """

    name: str
    port: int
    trials: Sequence[Trial]
    expected: int
    pooled: JsonObject | None = None
    absent: Sequence[tuple[int, int]] = ()
    remote: Remote | None = None
    broken_off: str = ""

    @property
    def failed(self) -> list[Trial]:
        """Trials without a result; not one that was repeated."""
        return [trial for trial in self._standing if trial.failed and not self._has_result(trial)]

    @property
    def repeated(self) -> list[Trial]:
        """Trials that were lost on another machine, and for which others stand."""
        return [trial for trial in self.trials if trial not in self._standing]

    @property
    def folders(self) -> list[Path]:
        """Output folders of the trials that succeeded."""
        return [trial.folder for trial in self._standing if self._has_result(trial)]

    @property
    def _standing(self) -> Sequence[Trial]:
        return self.trials if self.remote is None else standing(self.trials)

    def _has_result(self, trial: Trial) -> bool:
        return trial.ended and (not trial.failed if self.remote is None else trial.has_result)

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
    begun: Callable[[str, int, Asked], None],
    show: Callable[[Sequence[Trial], int], None],
) -> Outcome:
    """Run an experiment, wait for its trials, pool them, and stop it.

    Args:
        config: the experiment's YAML file.
        port: the web UI's port; a free one where absent.
        host: the address at which the manager listens.
        keep: leave it running, for its web UI.
        begun: called with the experiment's id, its port and what it asks for as soon as it runs.
        show: called with all trials so far and their number in the end, every few seconds.

    Raises:
        ExperimentError: NNI does not start it or reports an error, its trials cannot run on one of its machines, or
            cannot be pooled.
    """
    asked = read_experiment(config)
    if asked.remote is not None:
        port = free_port(port, and_next=True)
        check_machines(asked.remote, port=port)
    with started(config, port, keep, host) as manager:
        name = manager.profile()["id"]
        begun(name, manager.port, asked)
        try:
            trials, broken_off = wait(manager, asked, lambda so_far: show(so_far, asked.trials)), ""
        except GoneError as error:
            if asked.remote is None:
                raise
            trials, broken_off = [*error.trials], str(error)
    outcome = Outcome(name, manager.port, trials, asked.trials, remote=asked.remote, broken_off=broken_off)
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


def wait(manager: Manager, asked: Asked, show: Callable[[list[Trial]], None]) -> list[Trial]:
    """Wait until an experiment's trials have ended.

    Args:
        manager: the experiment.
        asked: what it will run.
        show: given all trials every few seconds.

    Raises:
        GoneError: the manager is gone.
        ExperimentError: it reports an error.
    """
    silent_since: float | None = None
    ended_since: float | None = None
    trials: list[Trial] = []
    while True:
        try:
            trials, status = manager.trials(), manager.status()
            silent_since = None
        except (requests.RequestException, ValueError):
            silent_since = silent_since or time.monotonic()
            if time.monotonic() - silent_since > _SILENCE:
                raise GoneError(
                    f"NNI's manager on port {manager.port} does not answer any more; its last words are in "
                    "log/nnictl_stderr.log of the experiment", trials,
                ) from None  # fmt: skip
            time.sleep(_POLL)
            continue
        show(trials)
        if status == "ERROR":
            raise ExperimentError(f"NNI reports an error; see nnictl log stderr {manager.profile()['id']}")
        if _have_ended(trials, asked) or (status in ("DONE", "STOPPED") and trials):
            ended_since = ended_since or time.monotonic()
            if _have_arrived(trials) or time.monotonic() - ended_since > _ARRIVAL:
                return trials
        time.sleep(_POLL)


def _have_ended(trials: Sequence[Trial], asked: Asked) -> bool:
    """Whether no trial is to come any more."""
    if asked.remote is None:
        return sum(trial.ended for trial in trials) >= asked.trials
    whole = len(standing(trials)) >= asked.trials and all(trial.ended for trial in trials)
    return whole and not to_repeat(trials)


def _have_arrived(trials: Iterable[Trial]) -> bool:
    """Whether the figures of all trials that reported some are here; those of a trial of this machine are."""
    return all((trial.folder / METRICS).is_file() for trial in trials if trial.reported and trial.is_remote)
