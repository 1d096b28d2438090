"""A trial and NNI: its parameters, what it reports, what the web UI shows of it. Outside a trial nothing happens."""

import fcntl
import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlparse

import requests

from nni_emodarts.errors import ExperimentError
from nni_emodarts.nni_bridge.remote import carried
from nni_emodarts.nni_bridge.remote.share import manager_of_worker, on_worker, run_folder
from nni_emodarts.nni_bridge.rest import ask
from nni_emodarts.runtime.experiment_folder import experiments_list, served_logs
from nni_emodarts.runtime.plain_data import JsonObject

logger = logging.getLogger(__name__)

_PAUSES = (0.5, 1.0, 2.0)  # seconds between attempts
_TAG = "retiarii"
"""What NNI calls an experiment whose trials have a network to look at."""


def in_trial() -> bool:
    """Whether NNI started this process as a trial."""
    return os.environ.get("NNI_PLATFORM") not in (None, "unittest") and "NNI_TRIAL_JOB_ID" in os.environ


def output_folder() -> Path:
    """Folder of this trial: the one whose files the web UI serves, or, on another machine, one in the shared folder."""
    return run_folder() or _nni_folder()


def _nni_folder() -> Path:
    return Path(os.environ["NNI_OUTPUT_DIR"])


def parameters() -> JsonObject:
    """The parameters of this trial; empty outside a trial.

    NNI hands parameters out first come, first served: of trials that start at once, a slowly importing one is given
    its neighbour's, and the manager then shows the figures in the neighbour's row. So the manager is asked which
    parameters it has noted for this very trial, and those are used.

    Raises:
        ExperimentError: it does not say, and a trial that died before may have left its own to this one.
    """
    if not in_trial():
        return {}
    import nni.trial

    received = nni.get_next_parameter()
    noted = _parameters_noted_by_manager()
    if noted is not None:
        nni.trial._params = noted
        received = noted["parameters"]
    return dict(received or {})


def report_intermediate(figure: float) -> None:
    """Add a point to the trial's curve: the validation figure that chooses."""
    if in_trial():
        import nni

        nni.report_intermediate_result(figure)


def report_final(default: float, columns: Mapping[str, float | str]) -> None:
    """Report the trial's result.

    Args:
        default: the validation figure, UAR, mean CCC or the mean of both: the only one that a tuner or the web UI may
            choose by.
        columns: further columns of the web UI: figures, of which test figures are called `test_*`, and choices.
    """
    if in_trial():
        import nni

        nni.report_final_result({"default": default, **columns, **_carried()})


def _carried() -> dict[str, str]:
    """This trial's figures, where no folder is shared with the manager's machine."""
    if not on_worker() or run_folder() is not None:
        return {}
    packed = carried.pack(_nni_folder(), os.environ["NNI_TRIAL_JOB_ID"])
    return {} if packed is None else {carried.COLUMN: packed}


def offer_visualization() -> None:
    """Let the web UI offer to open the trial's `model.onnx`: it does so for experiments with a certain tag.

    NNI's own architecture searches set it; `nnictl create` does not, and `nnictl resume` takes it away. So each trial
    sees to it.
    """
    if not in_trial():
        return
    try:
        _tag_experiment(os.environ["NNI_EXP_ID"], experiments_list())
    except (OSError, KeyError, ValueError) as error:
        logger.warning("the web UI has no tab for model.onnx: NNI's list of experiments cannot be changed (%s)", error)


def show_drawing(svg: bytes) -> str | None:
    """Put a drawing where the manager serves it as a picture, which it does of nothing in a trial's own folder.

    Args:
        svg: the drawing.

    Returns:
        Its address; None where the manager runs on another machine.
    """
    if not in_trial():
        return None
    logs, manager = served_logs(output_folder()), _manager()
    if manager is None or logs is None:
        return None
    name = f"{os.environ['NNI_TRIAL_JOB_ID']}.svg"
    (logs / name).write_bytes(svg)
    return f"{manager}/logs/{name}"


def _tag_experiment(name: str, listed: Path) -> None:
    """Add the tag to NNI's list of experiments, with the lock that NNI uses, unless it is there."""
    if not listed.is_file():  # the manager runs on another machine
        return
    # NNI's lock does not keep out trials that start at the same moment.
    with listed.with_name(f"{listed.name}.emodarts").open("w") as ours:
        fcntl.flock(ours, fcntl.LOCK_EX)
        from nni.tools.nnictl.config_utils import Experiments

        experiments = Experiments(str(listed.parent))
        tags = experiments.get_all_experiments().get(name, {}).get("tag", [])
        if _TAG not in tags:
            experiments.update_experiment(name, "tag", [*tags, _TAG])


def _manager() -> str | None:
    """Address of the experiment's manager."""
    if on_worker():
        return manager_of_worker(_nni_folder())
    channel = urlparse(os.environ.get("NNI_TRIAL_COMMAND_CHANNEL", ""))
    if not channel.netloc:
        return None
    # The channel is .../env/ENVIRONMENT/TRIAL, behind the experiment's URL prefix where there is one.
    return f"http://{channel.netloc}{channel.path.partition('/env/')[0]}"


def _parameters_noted_by_manager() -> JsonObject | None:
    manager = _manager()
    if manager is None:
        if on_worker():
            raise ExperimentError("NNI's trial keeper does not say where its manager is; start nnictl again")
        return None
    url = f"{manager}/api/v1/nni/trial-jobs/{os.environ['NNI_TRIAL_JOB_ID']}"
    for pause in (*_PAUSES, None):
        try:
            noted = ask(url)["hyperParameters"][0]
            data = json.loads(noted) if isinstance(noted, str) else noted
        except (requests.RequestException, KeyError, IndexError, ValueError, TypeError) as error:
            reason = error
        else:
            return data if "parameters" in data else None
        if pause is not None:
            time.sleep(pause)
    if on_worker():
        raise ExperimentError(f"NNI's manager at {manager} does not say which fold this trial has ({reason})")
    logger.warning("NNI's manager does not say which parameters this trial has (%s); taking those received", reason)
    return None
