"""Runs nnictl, and says in one sentence why it fails."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from nni_emodarts.errors import ExperimentError

_ERROR = re.compile(r"^(?P<kind>[\w.]*(?:Error|Exception|Exit|Timeout|Interrupt)): (?P<text>.*)$", re.MULTILINE)
_SAID = re.compile(r"ERROR: (?P<text>.+)")
_NUMBER = re.compile(r"^\[Errno \d+\] ")
_COLOUR = re.compile(r"\x1b\[\d*m")


class NoAnswerError(ExperimentError):
    """NNI's manager was started and did not answer, as on a machine that is too busy for NNI's patience of 3 s."""


def nnictl(*words: str, problem: str, environment: Mapping[str, str]) -> None:
    """Run nnictl.

    Args:
        words: its arguments.
        problem: what it means where it fails.
        environment: what to set besides this process's environment.

    Raises:
        NoAnswerError: NNI's manager does not answer.
        ExperimentError: it fails otherwise.
    """
    beside = Path(sys.executable).with_name("nnictl")
    command = str(beside) if beside.exists() else shutil.which("nnictl")
    if command is None:
        raise ExperimentError("nnictl is not installed beside this package; install nni==3.0")
    # Trials call `python`: let them find the interpreter that this package is installed in.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(  # noqa: S603
        [command, *words], capture_output=True, text=True, errors="replace", check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, "PATH": path, **environment},
        start_new_session=True,  # a Ctrl+C is for this process, which stops what nnictl started
    )  # fmt: skip
    if done.returncode != 0 or "ERROR" in done.stderr:
        raise _refusal(problem, done.stdout, done.stderr)


def _refusal(problem: str, out: str, err: str) -> ExperimentError:
    """The error of a call that failed: the end of its traceback, or what it says, in one sentence."""
    said = _COLOUR.sub("", f"{out}\n{err}")
    if "EADDRINUSE" in said:
        return ExperimentError(f"{problem}: somebody else took its port; name another, or none")
    raised = list(_ERROR.finditer(_COLOUR.sub("", err)))
    if raised and raised[-1]["kind"].startswith("requests."):
        return NoAnswerError(
            f"{problem}: its manager did not answer; run the command again, or see log/ in ~/nni-experiments/_latest"
        )
    if raised:
        return ExperimentError(f"{problem}: {_NUMBER.sub('', raised[-1]['text']) or raised[-1]['kind']}")
    sentences = [each["text"] for each in _SAID.finditer(said)] or said.strip().splitlines()[-1:]
    return ExperimentError(f"{problem}: {sentences[0] if sentences else 'nnictl does not say why'}")
