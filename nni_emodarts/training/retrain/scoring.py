"""Predictions of rows of the manifest, and the figures of a test part."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nni_emodarts.data.answer_tables import answer_table
from nni_emodarts.data.enrolment import ALL, Enrolment
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.protocols import Rows
from nni_emodarts.metrics.dimensions import dimension_figures, dimension_names, table_moments, with_undecided
from nni_emodarts.metrics.distributions import table_figures
from nni_emodarts.metrics.enrolment import COUNTED, PREDICTED, enrolment_figures
from nni_emodarts.metrics.headline import BOTH, CCC, UAR
from nni_emodarts.metrics.scores import scores
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.run_folder import PREDICTIONS, UNDECIDED, RunFolder
from nni_emodarts.training.finite import diverging
from nni_emodarts.training.retrain.fitting import Trained
from nni_emodarts.training.task import predict


def predictions(task: FoldTask, trained: Trained, rows: Rows) -> pd.DataFrame:
    """A trained network's answers to rows of the manifest, as a table.

    Where it is normalised by speaker, with what it answers by other enrolments and how many recordings each has.

    Raises:
        DivergenceError: some are no numbers.
    """
    rows = np.sort(rows)
    table = answer_table(task, rows, answers_to(task, trained, rows))
    return pd.concat([table, _by_enrolment(task, trained, rows)], axis=1)


def answers_to(task: FoldTask, trained: Trained, rows: Rows, enrolment: Enrolment = ALL) -> np.ndarray:
    """A trained network's answers (n, K + D) to rows in ascending order: probabilities, then values on the scale.

    Raises:
        DivergenceError: some are no numbers.
    """
    device = next(trained.model.parameters()).device
    loader = task.evaluation_batches(rows, task.config.retrain.batch_size, enrolment)
    with diverging(f"with the weights of epoch {trained.best_epoch}"):
        return predict(trained.model, loader, device, len(rows), task.outputs)


def _by_enrolment(task: FoldTask, trained: Trained, rows: Rows) -> pd.DataFrame:
    """Number of recordings of each enrolment, and the answers of those that are not the headline's."""
    if not task.enrolments or not task.corpus.num_classes:
        return pd.DataFrame()
    classes = np.array(task.corpus.manifest.classes)
    columns = {f"{COUNTED}{ALL.name}": task.enrolled(rows, ALL)}
    for enrolment in task.enrolments:
        answers = answers_to(task, trained, rows, enrolment)[:, : len(classes)].argmax(1)
        columns[f"{COUNTED}{enrolment.name}"] = task.enrolled(rows, enrolment)
        columns[f"{PREDICTED}{enrolment.name}"] = classes[answers]
    return pd.DataFrame(columns)


def note_answers(folder: RunFolder, table: pd.DataFrame, undecided: pd.DataFrame | None) -> None:
    """Write answers to a test part, and those to its utterances on which annotators did not agree, where there are."""
    folder.write_csv(PREDICTIONS, table)
    if undecided is not None:
        folder.write_csv(UNDECIDED, undecided)


def score_predictions(table: pd.DataFrame, classes: Sequence[str], undecided: pd.DataFrame | None = None) -> JsonObject:
    """Figures of a table of predictions, each called `test_*` but recall and confusion.

    Where it holds the distributions of votes, `test_kl` and `test_js` are of `undecided` as well: answers to utterances
    on which annotators did not agree. Of dimensions, in which these count like all others, `test_ccc`, `test_pearson`
    and `test_mae`, means over the dimensions, and `test_ccc_NAME` and so on of each; of classes and dimensions besides
    `test_uar_ccc`, the mean of UAR and CCC.
    """
    found = _score_classes(table, classes, undecided) if classes else {"test_utterances": len(table)}
    names = dimension_names(table)
    if not names:
        return found
    sums = table_moments(with_undecided(table, [undecided]), names)
    rated = {f"test_{key}": value for key, value in dimension_figures(sums, names).items()}
    joint = {BOTH.test: (found[UAR.test] + (rated[CCC.test] or 0.0)) / 2} if classes else {}
    return {**found, **rated, **joint, "dimensions": names}


def _score_classes(table: pd.DataFrame, classes: Sequence[str], undecided: pd.DataFrame | None) -> JsonObject:
    number = {name: position for position, name in enumerate(classes)}
    found = scores(table["emotion"].map(number).to_numpy(), table["predicted"].map(number).to_numpy(), classes)
    return {
        "test_uar": found["uar"],
        "test_wa": found["wa"],
        "test_macro_f1": found["macro_f1"],
        "recall": found["recall"],
        "confusion": found["confusion"],
        "test_utterances": found["n"],
        **table_figures([table, undecided], classes),
        **enrolment_figures(table, classes),
    }
