"""Experiments whose trials are the candidates of a search, which keeps their figures in its own folder."""

import json
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

CANDIDATES_OPTION = "--candidates"
"""Of a trial's command: the folder of the candidates' folders, inside that of their search."""
REPLICATES_LABEL = "replicates"
"""Beside a trial's choices: how many trainings its candidate's figure is to be made of."""
_COMMAND = "SELECT params FROM ExperimentProfile ORDER BY revision DESC LIMIT 1"


def candidates_of(experiment: Path) -> Path | None:
    """The folder of the candidates that an experiment trained; None where it did something else.

    Args:
        experiment: the experiment's folder, in whose database NNI keeps the trials' command.
    """
    database = experiment / "db" / "nni.sqlite"
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            (params,) = connection.execute(_COMMAND).fetchone()
        words = shlex.split(json.loads(params)["trialCommand"])
        return Path(words[words.index(CANDIDATES_OPTION) + 1])
    except (sqlite3.Error, ValueError, KeyError, IndexError, TypeError):
        return None
