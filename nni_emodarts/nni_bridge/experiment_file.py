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
from nni_emodarts.runtime.environment import threads_each
from nni_emodarts.runtime.reading import UnreadableError, read_text
from nni_emodarts.runtime.yaml_reading import LARGEST_YAML, parse_yaml


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
    trials = str(resources.files("nni_emodarts.trials"))
    experiment = {
        "experimentName": name,
        "searchSpace": {
            "fold": {"_type": "choice", "_value": list(folds)},
            "seed": {"_type": "choice", "_value": list(seeds)},
        },
        "trialCommand": shlex.join(words),
        "trialCodeDirectory": trials,
        "trialConcurrency": concurrency,
        "maxTrialNumber": len(folds) * len(seeds),
        "tuner": {"className": "nni_emodarts.nni_bridge.each_point_once.EachPointOnce", "codeDirectory": trials},
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
class Asked:
    """What an experiment's file asks for.

    Attributes:
        trials: number of trials.
        points: every fold and seed of its search space; empty where the space is of something else.
    """

    trials: int
    points: tuple[tuple[int, int], ...] = ()


def read_experiment(config: Path) -> Asked:
    """What an experiment's YAML asks for.

    Raises:
        ExperimentError: the file is not there, or does not say.
    """
    refuse_absent(config)
    try:
        data = parse_yaml(read_text(config, LARGEST_YAML))
    except OSError as error:
        raise ExperimentError(f"experiment {config}: {error.strerror or error}; name its YAML file") from None
    except UnreadableError as error:
        raise ExperimentError(f"experiment {config} {error}") from None
    try:
        trials = int(data["maxTrialNumber"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ExperimentError(f"experiment {config}: maxTrialNumber is missing; give the number of trials") from None
    return Asked(trials, _points(data.get("searchSpace")))


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
