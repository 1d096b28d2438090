"""Figures of a recogniser: UAR first, WA beside it, and how they are pooled over folds and seeds.

UAR, the unweighted average recall, is the mean of the recalls of the classes that occur; WA is plain accuracy.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score

from nni_emodarts.metrics.dimensions import dimension_names
from nni_emodarts.runtime.plain_data import JsonObject, plain_key

Labels = npt.ArrayLike
"""(n,) whole numbers, positions in the list of classes."""

PREDICTION_COLUMNS = ("fold", "seed", "file", "emotion", "predicted")
"""Columns of a table of predictions: `emotion` is the true class, `predicted` the recogniser's, both by name."""

RUN_COLUMNS = ("fold", "seed", "file")
"""Those of a table of predictions of dimensions."""


def recalls(true: Labels, predicted: Labels, num_classes: int) -> npt.NDArray[np.float64]:
    """(K,) recall of each class; NaN for a class that does not occur in `true`."""
    true, predicted = _check(true, predicted, num_classes)
    classes = np.arange(num_classes)
    return np.asarray(recall_score(true, predicted, labels=classes, average=None, zero_division=np.nan))


def uar(true: Labels, predicted: Labels, num_classes: int) -> float:
    """Unweighted average recall, over the classes that occur in `true`."""
    return float(np.nanmean(recalls(true, predicted, num_classes)))


def wa(true: Labels, predicted: Labels) -> float:
    """Weighted accuracy, the field's name for plain accuracy: the share of utterances that are recognised."""
    true, predicted = _check(true, predicted)
    return float(accuracy_score(true, predicted))


def macro_f1(true: Labels, predicted: Labels, num_classes: int) -> float:
    """Mean F1 over the classes that occur in `true`, the same classes as UAR's."""
    true, predicted = _check(true, predicted, num_classes)
    return float(f1_score(true, predicted, labels=np.unique(true), average="macro", zero_division=0.0))


def confusion(true: Labels, predicted: Labels, num_classes: int) -> npt.NDArray[np.int64]:
    """(K, K) number of utterances, true class by row, predicted class by column."""
    true, predicted = _check(true, predicted, num_classes)
    return np.asarray(confusion_matrix(true, predicted, labels=np.arange(num_classes)), dtype=np.int64)


def scores(true: Labels, predicted: Labels, classes: Sequence[str]) -> JsonObject:
    """All figures as plain data for JSON; the recall of a class that does not occur is None."""
    count = len(classes)
    return {
        "uar": uar(true, predicted, count),
        "wa": wa(true, predicted),
        "macro_f1": macro_f1(true, predicted, count),
        "recall": _by_class(recalls(true, predicted, count), classes),
        "confusion": confusion(true, predicted, count).tolist(),
        "n": int(np.size(np.asarray(true))),
    }


def summary(values: Iterable[float]) -> tuple[float, float | None]:
    """Mean and standard deviation (of a sample: n - 1) of one figure over the seeds; no deviation for one seed."""
    figures = np.fromiter(values, dtype=np.float64)
    return float(figures.mean()), float(figures.std(ddof=1)) if figures.size > 1 else None


def pool(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """One table of the predictions of several runs, ordered by seed and fold.

    Raises:
        ValueError: a table lacks a column of `PREDICTION_COLUMNS`, or two tables hold the same fold and seed, whose
            utterances would count twice.
    """
    tables = list(tables)
    for table in tables:
        _check_columns(table, RUN_COLUMNS if dimension_names(table) else PREDICTION_COLUMNS)
    runs = [run for table in tables for run in table[["fold", "seed"]].drop_duplicates().itertuples(index=False)]
    twice = sorted({tuple(run) for run in runs if runs.count(run) > 1})
    if twice:
        fold, seed = twice[0]
        raise ValueError(f"two tables hold predictions of fold {fold}, seed {seed}; pool each run once")
    return pd.concat(tables, ignore_index=True).sort_values(["seed", "fold"], kind="stable", ignore_index=True)


def pooled_table(predictions: pd.DataFrame, classes: Sequence[str]) -> JsonObject:
    """A corpus's headline: figures of the test predictions pooled over the folds per seed, then over the seeds.

    Args:
        predictions: columns of `PREDICTION_COLUMNS`, as `pool` gives them.
        classes: names of the classes.

    Returns:
        `test_uar`, `test_wa`, `test_macro_f1` and `recall` as means over the seeds; `test_uar_std` over the seeds;
        `fold_mean_uar`, the mean over the folds of each fold's own UAR; the same by seed in `seeds`, with the number of
        `folds` that were pooled; and `folds`, each with its `test_uar`.
    """
    _check_columns(predictions)
    codes = predictions[["fold", "seed"]].assign(
        true=_encode(predictions["emotion"], classes), predicted=_encode(predictions["predicted"], classes)
    )
    cells = {run: _uar_of(rows, classes) for run, rows in codes.groupby(["seed", "fold"])}
    by_cell = pd.Series(list(cells.values()), index=pd.MultiIndex.from_tuples(cells, names=["seed", "fold"]))
    seeds = {plain_key(seed): _seed_figures(rows, classes) for seed, rows in codes.groupby("seed")}
    for seed, uars in by_cell.groupby("seed"):
        seeds[plain_key(seed)] |= {"fold_mean_uar": float(uars.mean()), "folds": len(uars)}
    headline, deviation = summary(figures["test_uar"] for figures in seeds.values())
    recall = pd.DataFrame([figures["recall"] for figures in seeds.values()], columns=list(classes), dtype=np.float64)
    return {
        "test_uar": headline,
        "test_uar_std": deviation,
        **{key: _mean(seeds, key) for key in ("test_wa", "test_macro_f1")},
        "recall": _by_class(recall.mean().to_numpy(), classes),
        "fold_mean_uar": _mean(seeds, "fold_mean_uar"),
        "seeds": seeds,
        "folds": {plain_key(fold): {"test_uar": float(mean)} for fold, mean in by_cell.groupby("fold").mean().items()},
    }


def _seed_figures(rows: pd.DataFrame, classes: Sequence[str]) -> JsonObject:
    figures = scores(rows["true"], rows["predicted"], classes)
    return {
        "test_uar": figures["uar"],
        "test_wa": figures["wa"],
        "test_macro_f1": figures["macro_f1"],
        "recall": figures["recall"],
        "n": figures["n"],
    }


def _uar_of(rows: pd.DataFrame, classes: Sequence[str]) -> float:
    return uar(rows["true"], rows["predicted"], len(classes))


def _mean(seeds: Mapping[object, JsonObject], key: str) -> float:
    return summary(figures[key] for figures in seeds.values())[0]


def _by_class(values: npt.NDArray[np.float64], classes: Sequence[str]) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else float(value) for name, value in zip(classes, values, strict=True)}


def _encode(names: "pd.Series[str]", classes: Sequence[str]) -> npt.NDArray[np.int64]:
    codes = pd.Index(classes).get_indexer(pd.Index(names)).astype(np.int64)
    if (codes < 0).any():
        unseen = names.iloc[int(np.argmax(codes < 0))]
        raise ValueError(f"column {names.name!r} holds {unseen!r}, which is none of the classes {', '.join(classes)}")
    return codes


def _check_columns(table: pd.DataFrame, needed: Sequence[str] = PREDICTION_COLUMNS) -> None:
    missing = [name for name in needed if name not in table.columns]
    if missing or table.empty:
        lack = f"lack the columns {', '.join(missing)}" if missing else "are empty"
        raise ValueError(f"predictions {lack}; they need {', '.join(needed)} and at least one row")


def _check(
    true: Labels, predicted: Labels, num_classes: int | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    true, predicted = np.asarray(true), np.asarray(predicted)
    if true.ndim != 1 or true.shape != predicted.shape or not true.size:
        raise ValueError(f"true {true.shape} and predicted {predicted.shape} must be equally long lists, not empty")
    for values in (true, predicted):
        if num_classes is not None and not (values.min() >= 0 and values.max() < num_classes):
            raise ValueError(f"classes {values.min()} to {values.max()} must lie in 0 to {num_classes - 1}")
    return true, predicted
