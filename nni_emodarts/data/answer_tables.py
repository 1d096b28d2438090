"""Tables of predictions: what is known of rows of a manifest, and what a network answers to them."""

import numpy as np
import pandas as pd

from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.protocols import Rows
from nni_emodarts.metrics.dimensions import PREDICTED as RATED
from nni_emodarts.metrics.distributions import SHARE


def describe_rows(task: FoldTask, rows: Rows) -> pd.DataFrame:
    """Rows of the manifest as the first columns of a table of predictions."""
    manifest = task.corpus.manifest
    known = manifest.table.iloc[rows]
    table = pd.DataFrame(
        {
            "fold": task.fold.index,
            "seed": task.seed,
            "file": np.array(manifest.names)[rows],
            "speaker": known["speaker"].to_numpy(),
            "emotion": known["emotion"].to_numpy(),
        }
    )
    if task.shares is None:
        return table
    voted = pd.DataFrame(task.shares[rows], columns=[f"{SHARE}{name}" for name in manifest.classes])
    return pd.concat([table, voted], axis=1)


def answer_table(task: FoldTask, rows: Rows, answers: np.ndarray, probabilities: bool = True) -> pd.DataFrame:
    """Answers (n, K + D) to rows as a table: `predicted` and `p_CLASS`; `DIMENSION` and `predicted_DIMENSION`.

    Args:
        task: the fold.
        rows: of its manifest.
        answers: to each of them.
        probabilities: whether answers hold probabilities that are kept; else only the class that is named.
    """
    table, count = describe_rows(task, rows), task.corpus.num_classes
    classes, dimensions = np.array(task.corpus.manifest.classes), task.corpus.manifest.dimensions
    if count:
        table = table.assign(predicted=classes[answers[:, :count].argmax(1)])
    if count and probabilities:
        table = pd.concat([table, pd.DataFrame(answers[:, :count], columns=[f"p_{name}" for name in classes])], axis=1)
    return with_values(task, table, rows, answers[:, count:]) if dimensions else table


def with_values(task: FoldTask, table: pd.DataFrame, rows: Rows, values: np.ndarray) -> pd.DataFrame:
    """A table of rows with their places in each dimension, and with what was answered (n, D)."""
    names = task.corpus.manifest.dimensions
    true = pd.DataFrame(task.corpus.manifest.values[rows], columns=list(names))
    rated = pd.DataFrame(values, columns=[f"{RATED}{name}" for name in names])
    return pd.concat([table, true, rated], axis=1)
