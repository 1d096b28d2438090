"""Figures by enrolment: how well speakers are recognised of whom so many other recordings are known.

A table of predictions holds, besides those by all other recordings of a speaker, a column `predicted_NAME` of each
further enrolment, and a column `k_NAME` with the number of recordings that each utterance was normalised by.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nni_emodarts.metrics.intervals import speaker_confusions
from nni_emodarts.metrics.scores import summary, uar
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject

HEADLINE = "all"
PREDICTED, COUNTED = "predicted_", "k_"


def enrolment_names(table: pd.DataFrame) -> list[str]:
    """The enrolments of a table of predictions, the headline's first; none of one that knows none."""
    return [str(name).removeprefix(COUNTED) for name in table.columns if str(name).startswith(COUNTED)]


def answers_by(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """A table of predictions with those of one enrolment in place of the headline's."""
    return table if name == HEADLINE else table.assign(predicted=table[f"{PREDICTED}{name}"])


def enrolment_figures(table: pd.DataFrame, classes: Sequence[str]) -> JsonObject:
    """Entry `enrolment` of metrics.json, empty where a table knows no enrolment.

    Args:
        table: predictions with columns `emotion`, `predicted` and `seed`, of one network or of many.
        classes: names of the classes.

    Returns:
        Enrolment -> `k`, the least, mean and largest number of recordings that an utterance was normalised by, and
        `test_uar`, pooled over the folds, mean over the seeds.
    """
    found = {name: _figures(table, name, classes) for name in enrolment_names(table)}
    return {"enrolment": found} if found else {}


def enrolment_entries(table: pd.DataFrame, figures: JsonMapping) -> JsonObject:
    """What a cell of a benchmark holds of enrolments: nothing where a table knows none.

    Args:
        table: a network's predictions.
        figures: its metrics.json.
    """
    names = [name for name in enrolment_names(table) if name != HEADLINE]
    if not names:
        return {}
    return {
        "enrolment": {name: speaker_confusions(answers_by(table, name), figures["classes"]) for name in names},
        "enrolled": {name: each["k"] for name, each in figures["enrolment"].items()},
    }


def _figures(table: pd.DataFrame, name: str, classes: Sequence[str]) -> JsonObject:
    counts, index = table[f"{COUNTED}{name}"].to_numpy(np.int64), pd.Index(classes)
    uars = [
        uar(index.get_indexer(pd.Index(rows["emotion"])), index.get_indexer(pd.Index(rows["predicted"])), len(index))
        for _, rows in answers_by(table, name).groupby("seed")
    ]
    k = {"least": int(counts.min()), "mean": round(float(counts.mean()), 1), "most": int(counts.max())}
    return {"k": k, "test_uar": summary(uars)[0]}
