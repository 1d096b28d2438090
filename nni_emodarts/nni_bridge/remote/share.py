"""Where a trial on another machine finds and leaves things: the shared folder, and NNI's manager."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlparse

SHARED_VARIABLE = "EMODARTS_SHARED"
"""The folder that all machines share, in the environment of a trial."""
_RUNS, _FEATURES = "nni-experiments", "cache"
_TRIALS = "trials"
LINK = "shared"
"""What stands for the shared folder among the environments of an experiment, in the words of NNI."""


def on_worker() -> bool:
    """Whether this process is a trial that NNI's remote service started."""
    return os.environ.get("NNI_PLATFORM") == "remote"


def shared_words(shared: Path | None) -> Sequence[str]:
    """What stands before a trial's command, so that it keeps its features and its run folder in the shared folder."""
    return () if shared is None else ("env", f"{SHARED_VARIABLE}={shared}", f"EMODARTS_CACHE={shared / _FEATURES}")


def shared_experiment(shared: Path, experiment: str) -> Path:
    """The folder of an experiment's trials in the shared folder, laid out like an environment of NNI's."""
    return shared / _RUNS / experiment


def run_folder() -> Path | None:
    """The folder of this trial in the shared folder; None where none is shared."""
    shared = os.environ.get(SHARED_VARIABLE)
    if not shared or not on_worker():
        return None
    experiment = shared_experiment(Path(shared), os.environ["NNI_EXP_ID"])
    folder = experiment / _TRIALS / os.environ["NNI_TRIAL_JOB_ID"]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def link_shared(experiment: Path, shared: Path) -> None:
    """Have the trials in a shared folder among those of an experiment of this machine.

    Args:
        experiment: the experiment's folder here.
        shared: the folder.
    """
    link = experiment / "environments" / LINK
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(shared_experiment(shared, experiment.name))


def carried_trials(experiment: Path) -> Path:
    """The folder of trials whose figures came with their results."""
    return experiment / "environments" / "carried" / _TRIALS


def manager_of_worker(output: Path) -> str | None:
    """Address of NNI's manager, as its trial keeper on this machine was told; a trial itself knows the keeper alone.

    Args:
        output: the folder that NNI gave the trial: ENVIRONMENT/trials/TRIAL.
    """
    files = output.parent.parent.glob("trial_keeper*/trial_keeper_config.json")
    for file in sorted(files, key=lambda each: each.stat().st_mtime, reverse=True):  # that of the last one that began
        try:
            channel = urlparse(str(json.loads(file.read_text(encoding="utf-8"))["managerCommandChannel"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if not channel.netloc:
            continue
        # The channel is ws://HOST:PORT/platform/..., behind the experiment's URL prefix where there is one.
        return f"http://{channel.netloc}{channel.path.partition('/platform/')[0]}"
    return None
