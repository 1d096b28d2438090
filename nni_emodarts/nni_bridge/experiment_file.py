"""The YAML file of an experiment: one that searches and retrains every fold and seed, and what any asks for."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from nni_emodarts.errors import ExperimentError
from nni_emodarts.nni_bridge.remote.machines import Remote
from nni_emodarts.nni_bridge.remote.share import shared_words
from nni_emodarts.runtime.environment import threads_each
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.yaml_reading import read_yaml_file

_MOST_TRIES = 2
"""Trials of a fold on other machines, which may be lost."""


def experiment_yaml(
    name: str,
    trial_arguments: Sequence[str],
    folds: Sequence[int],
    seeds: Sequence[int],
    concurrency: int,
    *,
    remote: Remote | None = None,
) -> str:
    """An experiment for `nnictl create` that searches and retrains every fold and seed once.

    Args:
        name: shown in the web UI.
        trial_arguments: arguments of `trials/pipeline.py`.
        folds: folds, one trial each per seed.
        seeds: seeds.
        concurrency: trials at once; the cores are divided among them.
        remote: where they run, if not here. There a fold whose trial is lost with its machine is tried once more.
    """
    threads = threads_each(concurrency) if remote is None else remote.threads(concurrency)
    python = [sys.executable] if remote is None else [*shared_words(remote.shared), "python"]
    words = [*python, "-m", "nni_emodarts.trials.pipeline", *trial_arguments, "--threads", str(threads)]
    trials = str(resources.files("nni_emodarts.trials"))
    points = len(folds) * len(seeds)
    tuner: JsonObject = {
        "className": "nni_emodarts.nni_bridge.each_point_once.EachPointOnce",
        "codeDirectory": trials,
    }
    experiment = {
        "experimentName": name,
        "searchSpace": {
            "fold": {"_type": "choice", "_value": list(folds)},
            "seed": {"_type": "choice", "_value": list(seeds)},
        },
        "trialCommand": shlex.join(words),
        "trialCodeDirectory": trials,
        "trialConcurrency": concurrency,
        "maxTrialNumber": points if remote is None else _MOST_TRIES * points,
        "tuner": tuner,
        "trainingService": {"platform": "local"},
    }
    if remote is not None:
        tuner["classArgs"] = {"again": True, **({} if remote.shared is None else {"shared": str(remote.shared)})}
        experiment |= remote.to_nni()
    how = "nnictl create --config" if remote is None else "emodarts run"
    head = (
        f"# Searches and retrains every fold and seed, a trial each:  {how} THIS.yml\n"
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
class Asked:
    """What an experiment's file asks for.

    Attributes:
        trials: number of trials, none of them repeated.
        points: every fold and seed of its search space; empty where the space is of something else.
        remote: where its trials run, if not here; one that is lost is tried once more.
    """

    trials: int
    points: tuple[tuple[int, int], ...] = ()
    remote: Remote | None = None


def read_experiment(config: Path) -> Asked:
    """What an experiment's YAML asks for.

    Raises:
        ExperimentError: the file is not there, or does not say.
    """
    refuse_absent(config)
    data = read_yaml_file(config, f"experiment {config}", "name its YAML file", ExperimentError)
    try:
        trials = int(data["maxTrialNumber"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ExperimentError(f"experiment {config}: maxTrialNumber is missing; give the number of trials") from None
    points, remote = _points(data.get("searchSpace")), Remote.of(data, config)
    return Asked(trials if remote is None or not points else len(points), points, remote)


def refuse_absent(config: Path) -> None:
    """Refuse a file that does not exist.

    Raises:
        ExperimentError: it does not.
    """
    if not config.exists():
        raise ExperimentError(f"experiment {config} does not exist; name the YAML file of an NNI experiment")


def _points(space: Any) -> tuple[tuple[int, int], ...]:
    """Folds and seeds of a search space that consists of both."""
    if not isinstance(space, Mapping) or set(space) != {"fold", "seed"}:
        return ()
    values = [each.get("_value") for each in space.values() if isinstance(each, Mapping)]
    listed = [[value for value in each if isinstance(value, int)] for each in values if isinstance(each, list)]
    named = dict(zip(space, listed, strict=False))
    return tuple(product(named.get("fold", ()), named.get("seed", ())))
