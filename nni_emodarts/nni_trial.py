"""The only room that asks NNI for parameters or reports to it. Outside a trial it does nothing."""

import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import requests

logger = logging.getLogger(__name__)

_TIMEOUT = 10.0  # seconds
_PAUSES = (0.5, 1.0, 2.0)  # seconds between attempts


def in_trial() -> bool:
    """Whether NNI started this process as a trial."""
    return os.environ.get("NNI_PLATFORM") not in (None, "unittest") and "NNI_TRIAL_JOB_ID" in os.environ


def output_folder() -> Path:
    """Folder whose files the web UI serves for this trial."""
    return Path(os.environ["NNI_OUTPUT_DIR"])


def parameters() -> dict[str, Any]:
    """The parameters of this trial; empty outside a trial.

    NNI hands parameters out first come, first served: of trials that start at once, a slowly importing one is given
    its neighbour's, and the manager then shows the figures in the neighbour's row. So the manager is asked which
    parameters it has noted for this very trial, and those are used.
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


def report_intermediate(validation_uar: float) -> None:
    """Add a point to the trial's curve: a validation UAR."""
    if in_trial():
        import nni

        nni.report_intermediate_result(validation_uar)


def report_final(default: float, figures: Mapping[str, float]) -> None:
    """Report the trial's result.

    Args:
        default: the validation UAR, the only figure that a tuner or the web UI may choose by.
        figures: further figures, which become columns of the web UI; test figures are called `test_*`.
    """
    if in_trial():
        import nni

        nni.report_final_result({"default": default, **figures})


def _parameters_noted_by_manager() -> dict[str, Any] | None:
    channel = urlparse(os.environ.get("NNI_TRIAL_COMMAND_CHANNEL", ""))
    if not channel.netloc:
        return None
    # The channel is .../env/ENVIRONMENT/TRIAL, behind the experiment's URL prefix where there is one.
    prefix = channel.path.partition("/env/")[0]
    url = f"http://{channel.netloc}{prefix}/api/v1/nni/trial-jobs/{os.environ['NNI_TRIAL_JOB_ID']}"
    for pause in (*_PAUSES, None):
        try:
            answer = requests.get(url, timeout=_TIMEOUT)
            answer.raise_for_status()
            noted = answer.json()["hyperParameters"][0]
            data = json.loads(noted) if isinstance(noted, str) else noted
        except (requests.RequestException, KeyError, IndexError, ValueError, TypeError) as error:
            reason = error
        else:
            return data if "parameters" in data else None
        if pause is not None:
            time.sleep(pause)
    logger.warning("NNI's manager does not say which parameters this trial has (%s); taking those received", reason)
    return None
