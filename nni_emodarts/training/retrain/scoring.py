"""Predictions of rows of the manifest, and the figures of a test part."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nni_emodarts.data.enrolment import ALL, Enrolment
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.protocols import Rows
from nni_emodarts.metrics.enrolment import COUNTED, PREDICTED, enrolment_figures
from nni_emodarts.metrics.scores import scores
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.training.finite import diverging
from nni_emodarts.training.retrain.fitting import Trained
from nni_emodarts.training.task import predict


def predictions(task: FoldTask, trained: Trained, rows: Rows) -> pd.DataFrame:
    """A trained network's probabilities for rows of the manifest, as a table.

    Where it is normalised by speaker, with what it answers by other enrolments and how many recordings each has.

    Raises:
        DivergenceError: some are no numbers.
    """
    rows = np.sort(rows)
    answers = probabilities(task, trained, rows)
    classes = np.array(task.corpus.manifest.classes)
    table = describe_rows(task, rows).assign(predicted=classes[answers.argmax(1)])
    columns = pd.DataFrame(answers, columns=[f"p_{name}" for name in classes])
    return pd.concat([table, columns, _by_enrolment(task, trained, rows)], axis=1)


def probabilities(task: FoldTask, trained: Trained, rows: Rows, enrolment: Enrolment = ALL) -> np.ndarray:
    """A trained network's probabilities (n, K) of rows in ascending order.

    Raises:
        DivergenceError: some are no numbers.
    """
    device = next(trained.model.parameters()).device
    loader = task.evaluation_batches(rows, task.config.retrain.batch_size, enrolment)
    with diverging(f"with the weights of epoch {trained.best_epoch}"):
        return predict(trained.model, loader, device, len(rows))


def _by_enrolment(task: FoldTask, trained: Trained, rows: Rows) -> pd.DataFrame:
    """Number of recordings of each enrolment, and the answers of those that are not the headline's."""
    if not task.enrolments:
        return pd.DataFrame()
    classes = np.array(task.corpus.manifest.classes)
    columns = {f"{COUNTED}{ALL.name}": task.enrolled(rows, ALL)}
    for enrolment in task.enrolments:
        answers = probabilities(task, trained, rows, enrolment).argmax(1)
        columns[f"{COUNTED}{enrolment.name}"] = task.enrolled(rows, enrolment)
        columns[f"{PREDICTED}{enrolment.name}"] = classes[answers]
    return pd.DataFrame(columns)


def describe_rows(task: FoldTask, rows: Rows) -> pd.DataFrame:
    """Rows of the manifest as the first columns of a table of predictions."""
    manifest = task.corpus.manifest
    known = manifest.table.iloc[rows]
    return pd.DataFrame(
        {
            "fold": task.fold.index,
            "seed": task.seed,
            "file": np.array(manifest.names)[rows],
            "speaker": known["speaker"].to_numpy(),
            "emotion": known["emotion"].to_numpy(),
        }
    )


def score_predictions(table: pd.DataFrame, classes: Sequence[str]) -> JsonObject:
    """Figures of a table of predictions, each called `test_*` but recall and confusion."""
    number = {name: position for position, name in enumerate(classes)}
    found = scores(table["emotion"].map(number).to_numpy(), table["predicted"].map(number).to_numpy(), classes)
    return {
        "test_uar": found["uar"],
        "test_wa": found["wa"],
        "test_macro_f1": found["macro_f1"],
        "recall": found["recall"],
        "confusion": found["confusion"],
        "test_utterances": found["n"],
        **enrolment_figures(table, classes),
    }
