"""The NNI experiment of a search whose candidates are trials."""

import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import requests

from nni_emodarts.errors import ExperimentError
from nni_emodarts.nni_bridge.candidates import CANDIDATES_OPTION
from nni_emodarts.nni_bridge.experiment import stop
from nni_emodarts.nni_bridge.manager import Manager
from nni_emodarts.nni_bridge.manager_environment import manager_started_here
from nni_emodarts.nni_bridge.nas import ExperimentConfig as NniConfig
from nni_emodarts.nni_bridge.nas import NasExperiment, NasExperimentConfig, Strategy
from nni_emodarts.runtime.environment import threads_each
from nni_emodarts.runtime.experiment_folder import local_trials
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.ports import free_port
from nni_emodarts.search.multi_trial.engines import TrialTraining
from nni_emodarts.search.multi_trial.ledger import Ledger
from nni_emodarts.search.multi_trial.space import ChoiceSpace

OpenLedger = Callable[[Any], Ledger]

_STARTS = 3  # of the manager


@dataclass(init=False)
class _Config(NasExperimentConfig):  # type: ignore[misc]
    """NNI's configuration with a trial command of one's own.

    NNI's allows no other than its own, which unpickles what it is sent, and copies the current folder, whatever lies in
    it, for each experiment (it refuses one of more than 300 MB).
    """

    def _canonicalize(self, parents: list[Any]) -> None:
        self.search_space: JsonObject = {}
        NniConfig._canonicalize(self, [self, *parents])


_Config.__name__ = NasExperimentConfig.__name__  # by this name NNI knows an experiment that has no tuner


class CandidateExperiment(NasExperiment):  # type: ignore[misc]
    """An experiment in which NNI's strategy chooses candidates and NNI's training service runs each as a trial."""

    def __init__(self, name: str, space: ChoiceSpace, strategy: Strategy, open_ledger: OpenLedger, **config: Any):
        """Describe the experiment.

        Args:
            name: shown in the web UI.
            space: where the strategy draws from.
            strategy: chooses.
            open_ledger: engine that trains -> the ledger in front of it.
            **config: further fields of NNI's configuration.
        """
        settings = _Config(
            execution_engine="ts", model_format="simplified", training_service_platform="local",
            experiment_name=name, trial_code_directory=str(resources.files("nni_emodarts.trials")), **config,
        )  # fmt: skip
        super().__init__(space, None, strategy, settings)
        self._open_ledger = open_ledger

    def execution_engine_factory(self, config: Any) -> Ledger:
        """The ledger, in front of NNI's training service; NNI calls this."""
        directory = Path(self.config.canonical_copy().experiment_working_directory)
        return self._open_ledger(TrialTraining(self, local_trials(directory / self.id)))

    def executable_model_factory(self, config: Any) -> ChoiceSpace:
        """The space as it is; NNI calls this."""
        space: ChoiceSpace = self.model_space
        return space

    def _start_nni_manager(self, *given: Any, **more: Any) -> None:
        """Several attempts: NNI gives its manager 3 s to answer, ends it then, and a busy machine needs longer."""
        for attempt in range(1, _STARTS + 1):
            try:
                super()._start_nni_manager(*given, **more)
            except requests.ConnectionError:
                if attempt == _STARTS:
                    raise
            else:
                return

    def _stop_nni_manager(self) -> None:
        """Stop it, and what it started, should it be gone by then: both are one group of processes."""
        process = self._proc
        super()._stop_nni_manager()
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def save_checkpoint(self) -> None:
        """Nothing: NNI would pickle the strategy, and the search's folder holds all that a resumed search needs."""


def trial_command(config: Path, candidates: Path, fold: int, seed: int, concurrency: int) -> str:
    """What NNI runs for each candidate.

    Args:
        config: the configuration's YAML file, with absolute paths, since NNI starts a trial in a folder of its own.
        candidates: folder of the candidates' folders.
        fold: number of the fold.
        seed: seed of everything random.
        concurrency: trials at once; the processor's threads are divided among them.
    """
    threads = threads_each(concurrency)
    words = ["--config", config, CANDIDATES_OPTION, candidates, "--fold", fold, "--seed", seed, "--threads", threads]
    return shlex.join([sys.executable, "-m", "nni_emodarts.trials.candidate", *map(str, words)])


def run(experiment: CandidateExperiment, on_start: Callable[[str, int], None]) -> None:
    """Run an experiment on a free port until its strategy has ended and its trials too; always stop it.

    However this process ends, the manager and its trials end with it.

    Args:
        experiment: the experiment.
        on_start: called with its id and port before the first trial.

    Raises:
        ExperimentError: NNI does not start, or is gone before the end.
    """
    port = free_port()
    on_start(experiment.id, port)
    with manager_started_here():
        try:
            experiment.start(port)
            experiment._wait_completion()
        except requests.RequestException:
            raise ExperimentError(
                f"NNI's manager of experiment {experiment.id} on port {port} does not answer; go on with --resume"
            ) from None
        except (RuntimeError, OSError) as error:
            raise ExperimentError(f"NNI's experiment {experiment.id} on port {port} broke off: {error}") from error
        finally:
            experiment.stop()


def stop_leftovers(experiments: Sequence[tuple[str, int]]) -> None:
    """Stop experiments, given by id and port, whose search was killed and whose managers still run trials."""
    for name, port in experiments:
        manager = Manager(port)
        try:
            alive = manager.profile()["id"] == name
        except (requests.RequestException, ValueError, KeyError):
            continue
        if alive:
            stop(manager)
