"""Where NNI keeps an experiment, and where its trials' folders lie in it."""

import json
import re
import tempfile
from contextlib import suppress
from pathlib import Path

from nni_emodarts.errors import ExperimentError
from nni_emodarts.runtime.run_names import DRAWING

_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_LISTED = ".experiment"
"""NNI's own list of experiments, as `nnictl experiment list` shows them."""
_TRIALS = "trials"
TRIALS = f"environments/*/{_TRIALS}/*"
"""Pattern of the folders of an experiment's trials, below its own."""


def experiments_home() -> Path:
    """The folder in which NNI keeps experiments that name no working directory of their own."""
    return Path.home() / "nni-experiments"


def experiments_list() -> Path:
    """NNI's list of experiments; it is there once one was started on this machine."""
    return experiments_home() / _LISTED


def refuse_unwritable_home() -> None:
    """Refuse a home in which NNI cannot keep its experiments, which it would tell by a traceback.

    Raises:
        ExperimentError: it cannot be written to.
    """
    try:
        folder = experiments_home()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, RuntimeError) as error:  # RuntimeError: nobody knows where the home is
        reason = getattr(error, "strerror", None) or error
        raise ExperimentError(
            f"NNI keeps its experiments in ~/nni-experiments, which cannot be written to here ({reason}); set HOME to "
            f"a folder that can"
        ) from None


def find_experiment(name: str) -> Path | None:
    """The folder of an experiment's id; None where NNI has none of this name."""
    if not _ID.fullmatch(name):
        return None
    try:
        homes = (_listed_home(name), experiments_home())
    except RuntimeError:  # nobody knows where the home is
        return None
    return next((home / name for home in homes if home is not None and (home / name).is_dir()), None)


def _listed_home(name: str) -> Path | None:
    """The working directory of an experiment that has one of its own."""
    try:
        listed = json.loads(experiments_list().read_text(encoding="utf-8"))
        directory = listed[name]["logDir"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Path(str(directory)).expanduser() if directory else None


def local_trials(experiment: Path) -> Path:
    """Folder of the trials that run on this machine."""
    return experiment / "environments" / "local-env" / _TRIALS


def trial_folder(experiment: Path, trial: str) -> Path:
    """Folder of a trial, wherever it runs; a folder that is not there before the trial has begun."""
    return next(experiment.glob(f"environments/*/{_TRIALS}/{trial}"), experiment / trial)


def served_logs(trial: Path) -> Path | None:
    """The folder of a trial's experiment whose files the manager serves; None where the manager is elsewhere."""
    # A trial's folder is EXPERIMENT/environments/ENVIRONMENT/trials/TRIAL.
    if len(trial.parents) <= 3:
        return None
    logs = trial.parents[3] / "log"
    return logs if (logs / "nnimanager.log").is_file() else None


def serve_drawing(experiment: Path, trial: str) -> None:
    """Put a trial's drawing where the manager serves it as a picture, unless it is there or there is none.

    Args:
        experiment: the experiment's folder, on the manager's machine.
        trial: NNI's id.
    """
    drawing, served = trial_folder(experiment, trial) / DRAWING, experiment / "log" / f"{trial}.svg"
    with suppress(OSError):
        if not served.exists():
            served.write_bytes(drawing.read_bytes())


def below_trials(place: tuple[str, ...]) -> tuple[str, ...]:
    """A folder's path below an experiment, without what NNI puts above its trials."""
    return place[place.index(_TRIALS) + 1 :] if _TRIALS in place else place
