"""Experiments under NNI: write them, run them, and pool what their trials found."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests
import yaml

from nni_emodarts.errors import ExperimentError
from nni_emodarts.nni_bridge.node_options import node_options
from nni_emodarts.runtime.digests import read_predictions
from nni_emodarts.runtime.environment import threads_each
from nni_emodarts.runtime.experiment_folder import find_experiment, trial_folder
from nni_emodarts.runtime.layout import finished_runs
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.ports import free_port
from nni_emodarts.runtime.processes import ended_in_order, uninterrupted
from nni_emodarts.runtime.reading import UnreadableError, read_text
from nni_emodarts.runtime.run_folder import METRICS, PREDICTIONS, SKIPPED, RunFolder, refuse_different_corpora
from nni_emodarts.runtime.yaml_reading import LARGEST_YAML, parse_yaml

_POLL = 2.0  # seconds
_TIMEOUT = 10.0  # seconds
_FAILED = ("FAILED", "USER_CANCELED", "SYS_CANCELED", "EARLY_STOPPED")
_ENDED = ("SUCCEEDED", *_FAILED)


def experiment_yaml(
    name: str,
    trial_arguments: Sequence[str],
    folds: Sequence[int],
    seeds: Sequence[int],
    concurrency: int,
    *,
    python: str = sys.executable,
) -> str:
    """An experiment for `nnictl create` that searches and retrains every fold and seed once.

    Args:
        name: shown in the web UI.
        trial_arguments: arguments of `trials/pipeline.py`.
        folds: folds, one trial each per seed.
        seeds: seeds.
        concurrency: trials at once; the cores are divided among them.
        python: the interpreter that has this package.
    """
    threads = threads_each(concurrency)
    words = [python, "-m", "nni_emodarts.trials.pipeline", *trial_arguments, "--threads", str(threads)]
    experiment = {
        "experimentName": name,
        "searchSpace": {
            "fold": {"_type": "choice", "_value": list(folds)},
            "seed": {"_type": "choice", "_value": list(seeds)},
        },
        "trialCommand": shlex.join(words),
        "trialCodeDirectory": str(_trials_folder()),
        "trialConcurrency": concurrency,
        "maxTrialNumber": len(folds) * len(seeds),
        "tuner": {"name": "GridSearch"},
        "trainingService": {"platform": "local"},
    }
    head = (
        "# Searches and retrains every fold and seed, a trial each:  nnictl create --config THIS.yml\n"
        "# The web UI's best trial is the fold with the highest validation figure, not the result.\n"
        "# The result is the pooled table:  emodarts results EXPERIMENT_ID\n"
    )
    return head + yaml.safe_dump(experiment, sort_keys=False, width=120)


@dataclass(frozen=True)
class Plan:
    """What an experiment will compute.

    Attributes:
        folds: number of folds.
        seeds: number of seeds of each.
        skipped: number of recordings that it goes without.
    """

    folds: int
    seeds: int
    skipped: int = 0

    @property
    def trials(self) -> int:
        """Number of trials."""
        return self.folds * self.seeds


@dataclass(frozen=True)
class Trial:
    """A trial of a running or finished experiment.

    Attributes:
        id: NNI's id.
        status: NNI's word for its state.
        parameters: fold, seed, and choices, if a tuner makes them.
        folder: its output folder.
        figure: its final validation UAR, or its last intermediate one.
    """

    id: str
    status: str
    parameters: JsonObject
    folder: Path
    figure: float | None

    @property
    def ended(self) -> bool:
        """Whether it succeeded or failed."""
        return self.status in _ENDED

    @property
    def failed(self) -> bool:
        """Whether it ended without a result."""
        return self.status in _FAILED


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
        last = {metric["trialJobId"]: metric for metric in self._get("metric-data")}
        return [_read_trial(job, root, last.get(job["trialJobId"])) for job in self._get("trial-jobs")]

    def _get(self, what: str) -> Any:
        answer = requests.get(f"{self._root}/{what}", timeout=_TIMEOUT)
        answer.raise_for_status()
        return answer.json()


def _read_trial(job: JsonObject, root: Path, metric: JsonObject | None) -> Trial:
    noted = job.get("hyperParameters") or ['{"parameters": {}}']
    parameters = json.loads(noted[0])["parameters"]
    figure = None
    if metric is not None:
        # NNI wraps a metric in JSON twice.
        value = json.loads(metric["data"])
        value = json.loads(value) if isinstance(value, str) else value
        figure = float(value["default"] if isinstance(value, dict) else value)
    name = job["trialJobId"]
    return Trial(name, job["status"], parameters, trial_folder(root, name), figure)


@dataclass(frozen=True)
class Outcome:
    """What an experiment came to.

    Attributes:
        name: its id.
        port: where its web UI was.
        trials: all of its trials, ended.
        pooled: the pooled figures, as `pool_trials` gives them; None where no trial has succeeded.
    """

    name: str
    port: int
    trials: Sequence[Trial]
    pooled: JsonObject | None

    @property
    def failed(self) -> list[Trial]:
        """Trials without a result."""
        return [trial for trial in self.trials if trial.failed]

    @property
    def folders(self) -> list[Path]:
        """Output folders of the trials that succeeded."""
        return [trial.folder for trial in self.trials if not trial.failed]


def run_experiment(
    config: Path,
    port: int | None = None,
    *,
    keep: bool = False,
    begun: Callable[[str, int, int], None],
    show: Callable[[Sequence[Trial], int], None],
) -> Outcome:
    """Run an experiment, wait for its trials, pool them, and stop it.

    Args:
        config: the experiment's YAML file.
        port: the web UI's port; a free one where absent.
        keep: leave it running, for its web UI.
        begun: called with the experiment's id, its port and its number of trials as soon as it runs.
        show: called with all trials so far and their number in the end, every few seconds.

    Raises:
        ExperimentError: NNI does not start it or reports an error, or its trials cannot be pooled.
    """
    expected = expected_trials(config)
    with started(config, port, keep) as manager:
        name = manager.profile()["id"]
        begun(name, manager.port, expected)
        trials = wait(manager, expected, lambda so_far: show(so_far, expected))
    outcome = Outcome(name, manager.port, trials, None)
    return replace(outcome, pooled=pool_trials(outcome.folders)) if outcome.folders else outcome


@contextmanager
def started(config: Path, port: int | None = None, keep: bool = False) -> Iterator[Manager]:
    """Run `nnictl create --config FILE` on a free port, and stop the experiment in the end; after SIGTERM, too.

    Args:
        config: the experiment's YAML file.
        port: the web UI's port; a free one where absent.
        keep: leave it running, for its web UI. An experiment that fails to start is never left behind.

    Raises:
        ExperimentError: NNI does not start it.
    """
    _refuse_absent(config)
    port = free_port(port)
    manager = Manager(port)
    finished = False
    with ended_in_order():
        try:
            with uninterrupted():  # half started, it could not be asked to stop
                _nnictl("create", "--config", str(config), "--port", str(port), problem=f"NNI does not start {config}")
            yield manager
            finished = True
        finally:
            if not (keep and finished):
                stop(manager)


def stop(manager: Manager) -> None:
    """Stop an experiment; its trials' folders stay."""
    try:
        name = manager.profile()["id"]
    except requests.RequestException:
        return
    _nnictl("stop", name, problem=f"NNI does not stop experiment {name}")


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


def expected_trials(config: Path) -> int:
    """Number of trials that an experiment's YAML asks for.

    Raises:
        ExperimentError: the file is not there, or does not say.
    """
    _refuse_absent(config)
    try:
        data = parse_yaml(read_text(config, LARGEST_YAML))
    except OSError as error:
        raise ExperimentError(f"experiment {config}: {error.strerror or error}; name its YAML file") from None
    except UnreadableError as error:
        raise ExperimentError(f"experiment {config} {error}") from None
    try:
        return int(data["maxTrialNumber"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ExperimentError(f"experiment {config}: maxTrialNumber is missing; give the number of trials") from None


def _refuse_absent(config: Path) -> None:
    if not config.exists():
        raise ExperimentError(f"experiment {config} does not exist; name the YAML file of an NNI experiment")


def trial_folders(name: str | Path) -> list[Path]:
    """Folders of the trials of an experiment id, an experiment's folder, or a run folder.

    Raises:
        ExperimentError: there are none.
    """
    path = Path(name)
    if not path.exists():
        path = find_experiment(str(name)) or path
    found = [run.path for run in finished_runs(path)]
    if not found:
        raise ExperimentError(f"{name}: no finished trial there; name an NNI experiment's id or a folder of runs")
    return found


def pool_trials(folders: Sequence[Path]) -> JsonObject:
    """Pool the test predictions of trials, one a fold and seed.

    Raises:
        ExperimentError: no trial has test predictions, two have the same fold and seed, they skipped different
            recordings, or are of two tracks.
        RunFolderError: they are of several corpora or protocols.
    """
    from nni_emodarts.metrics.enrolment import enrolment_figures
    from nni_emodarts.metrics.scores import pool, pooled_table
    from nni_emodarts.metrics.tracks import tracks_of

    runs = [RunFolder(folder) for folder in folders]
    scored = [run for run in runs if run.has(PREDICTIONS) and run.holds_network()]
    if not scored:
        raise ExperimentError(
            "no trial has test predictions; trials whose architecture a tuner chose are chosen by validation alone: "
            "retrain the best one with emodarts retrain"
        )
    figures = [run.read_json(METRICS) for run in scored]
    _refuse_different_skips(scored)
    refuse_different_corpora("these trials", scored)
    try:
        table, classes = pool(map(read_predictions, scored)), figures[0]["classes"]
        pooled = {**pooled_table(table, classes), **tracks_of(figures), **enrolment_figures(table, classes)}
    except ValueError as error:
        raise ExperimentError(f"these trials cannot be pooled: {error}") from None
    overlap = sorted({speaker for each in figures for speaker in each.get("overlap", ())})
    return {**pooled, **({"overlap": overlap} if overlap else {})}


def _refuse_different_skips(scored: Sequence[RunFolder]) -> None:
    skipped = [frozenset(run.read_csv(SKIPPED)["file"]) if run.has(SKIPPED) else frozenset() for run in scored]
    if len(set(skipped)) > 1:
        odd = sorted(frozenset.union(*skipped) - frozenset.intersection(*skipped))
        raise ExperimentError(
            f"not all trials skipped {odd[0]} ({SKIPPED} in their folders), so that their folds differ; run them again "
            "now that the recordings stay as they are"
        )


def _nnictl(*words: str, problem: str) -> str:
    beside = Path(sys.executable).with_name("nnictl")
    command = str(beside) if beside.exists() else shutil.which("nnictl")
    if command is None:
        raise ExperimentError("nnictl is not installed beside this package; install nni==3.0")
    # Trials call `python`: let them find the interpreter that this package is installed in.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {**os.environ, "PATH": path, "NODE_OPTIONS": node_options()}
    done = subprocess.run(  # noqa: S603
        [command, *words], capture_output=True, text=True, env=environment, check=False, stdin=subprocess.DEVNULL,
        start_new_session=True,  # a Ctrl+C is for this process, which stops what nnictl started
    )  # fmt: skip
    if done.returncode != 0 or "ERROR" in done.stderr:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise ExperimentError(f"{problem}:\n{tail}")
    return done.stdout


def _trials_folder() -> Path:
    from importlib import resources

    return Path(str(resources.files("nni_emodarts.trials")))
