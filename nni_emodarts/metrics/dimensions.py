"""Figures of dimensions: CCC first, Pearson's correlation and the mean absolute error beside it.

All of them are functions of sums over utterances, so that those of any speakers together come from the speakers' sums:
CCC itself is no mean over speakers. Variances are those of a population. An utterance without a true value is left out
of its dimension.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from nni_emodarts.runtime.plain_data import JsonObject, plain_key

Values = npt.NDArray[np.float64]
SUMS = ("count", "true", "predicted", "true_squared", "predicted_squared", "product", "deviation")
"""What `moments` adds up of each dimension, in this order; `deviation` is the absolute error."""
PREDICTED = "predicted_"
"""Before the name of a dimension: the column of a table of predictions with what was answered."""


def ccc(true: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Concordance correlation coefficient (Lin 1989): 2 cov / (var + var + (mean - mean)^2).

    Args:
        true: (n,) values, NaN where there is none.
        predicted: (n,) values.

    Returns:
        From -1 to 1; NaN where both are one and the same constant, or nothing is known.

    Example:
        >>> ccc([1, 2, 3], [1, 2, 3])
        1.0
        >>> round(ccc([1, 2, 3], [2, 3, 4]), 3)
        0.571
    """
    return float(ccc_of(moments(np.asarray(true)[:, None], np.asarray(predicted)[:, None]))[0])


def pearson(true: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Pearson's correlation; arguments as for `ccc`. NaN where either is constant."""
    return float(pearson_of(moments(np.asarray(true)[:, None], np.asarray(predicted)[:, None]))[0])


def mae(true: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Mean absolute error in the values' own unit; arguments as for `ccc`."""
    return float(mae_of(moments(np.asarray(true)[:, None], np.asarray(predicted)[:, None]))[0])


def moments(true: npt.ArrayLike, predicted: npt.ArrayLike) -> Values:
    """Sums over utterances, from which every figure follows: (n, D) true, (n, D) predicted -> (D, 7), see `SUMS`."""
    t, p = np.asarray(true, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if t.shape != p.shape or t.ndim != 2:
        raise ValueError(f"true {t.shape} and predicted {p.shape} must be equally many utterances by dimensions")
    known = ~np.isnan(t)
    t, p = np.where(known, t, 0.0), np.where(known, p, 0.0)
    return np.stack(
        [known.sum(0), t.sum(0), p.sum(0), (t * t).sum(0), (p * p).sum(0), (t * p).sum(0), abs(t - p).sum(0)], 1
    )


def ccc_of(sums: npt.ArrayLike) -> Values:
    """CCC of sums: (..., 7) -> (...)."""
    mean_t, mean_p, var_t, var_p, cov = _central(sums)
    below = var_t + var_p + (mean_t - mean_p) ** 2
    return np.asarray(np.divide(2 * cov, below, out=np.full_like(below, np.nan), where=below > _TINY))


def pearson_of(sums: npt.ArrayLike) -> Values:
    """Pearson's correlation of sums: (..., 7) -> (...)."""
    _, _, var_t, var_p, cov = _central(sums)
    below = np.sqrt(var_t * var_p)
    return np.asarray(np.divide(cov, below, out=np.full_like(below, np.nan), where=below > _TINY))


def mae_of(sums: npt.ArrayLike) -> Values:
    """Mean absolute error of sums: (..., 7) -> (...)."""
    given = np.asarray(sums, dtype=np.float64)
    count = given[..., 0]
    return np.asarray(np.divide(given[..., 6], count, out=np.full_like(count, np.nan), where=count > 0))


def mean_ccc(sums: npt.ArrayLike) -> Values:
    """Mean CCC over the dimensions that have one, 0 where none has: (..., D, 7) -> (...)."""
    found = ccc_of(sums)
    known = ~np.isnan(found)
    return np.asarray(np.where(known, found, 0.0).sum(-1) / np.maximum(known.sum(-1), 1))


_TINY = 1e-12
"""Variances below it are rounding."""


def _central(sums: npt.ArrayLike) -> tuple[Values, Values, Values, Values, Values]:
    """Means, population variances and covariance of sums (..., 7)."""
    given = np.asarray(sums, dtype=np.float64)
    count = np.maximum(given[..., 0], 1)
    mean_t, mean_p = given[..., 1] / count, given[..., 2] / count
    var_t, var_p = given[..., 3] / count - mean_t**2, given[..., 4] / count - mean_p**2
    return mean_t, mean_p, np.maximum(var_t, 0.0), np.maximum(var_p, 0.0), given[..., 5] / count - mean_t * mean_p


def dimension_figures(sums: npt.ArrayLike, names: Sequence[str]) -> dict[str, float | None]:
    """All figures of sums (D, 7): `ccc`, `pearson` and `mae`, means over the dimensions, and each one's own.

    The means are of the same dimensions: of a constant, which has no correlation by Pearson, it counts as 0, as by CCC.

    Returns:
        `ccc`, `ccc_NAME` of each dimension, and likewise; None where there is none.
    """
    found: dict[str, float | None] = {}
    concordant = ccc_of(sums)
    for key, values in (("ccc", concordant), ("pearson", pearson_of(sums)), ("mae", mae_of(sums))):
        counted = np.where(np.isnan(values) & ~np.isnan(concordant), 0.0, values)
        known = counted[~np.isnan(counted)]
        found[key] = float(known.mean()) if known.size else None
        found |= {f"{key}_{name}": None if np.isnan(v) else float(v) for name, v in zip(names, values, strict=True)}
    return found


def means_by_name(names: Sequence[str], values: Values) -> dict[str, float | None]:
    """Figures (networks, D) as means over the networks that have one, by dimension; None where none has."""
    found = {}
    for name, column in zip(names, values.T, strict=True):
        known = column[~np.isnan(column)]
        found[name] = float(known.mean()) if known.size else None
    return found


def dimension_names(table: pd.DataFrame) -> list[str]:
    """The dimensions of a table of predictions: columns beside which there is another with what was answered."""
    return [str(name) for name in table.columns if f"{PREDICTED}{name}" in table.columns]


def with_undecided(table: pd.DataFrame, undecided: Iterable[pd.DataFrame | None]) -> pd.DataFrame:
    """All that counts in dimensions: test predictions, and answers to utterances on which annotators did not agree.

    Args:
        table: the former.
        undecided: tables of the latter; absent ones are passed over.
    """
    more = [each for each in undecided if each is not None and len(each)]
    return pd.concat([table, *more], ignore_index=True) if more else table


def table_moments(table: pd.DataFrame, names: Sequence[str]) -> Values:
    """Sums (D, 7) of a table of predictions."""
    return moments(
        table[list(names)].to_numpy(np.float64), table[[f"{PREDICTED}{name}" for name in names]].to_numpy(np.float64)
    )


def speaker_moments(table: pd.DataFrame, names: Sequence[str]) -> dict[str, list[list[float]]]:
    """Sums (D, 7) of each speaker of a table of predictions: all that pooled figures need."""
    return {str(speaker): table_moments(rows, names).tolist() for speaker, rows in table.groupby("speaker")}


def pooled_dimensions(table: pd.DataFrame, names: Sequence[str]) -> JsonObject:
    """A corpus's figures of dimensions: test predictions pooled over the folds per seed, then over the seeds.

    Args:
        table: predictions with columns `fold`, `seed`, of each dimension and of what was answered.
        names: of the dimensions.

    Returns:
        `test_ccc`, `test_ccc_std` over the seeds, `test_ccc_NAME`, likewise `test_pearson` and `test_mae`;
        `fold_mean_ccc`, the mean over the folds of each fold's own; the same by seed in `seeds`, and `folds`, each with
        its `test_ccc`.
    """
    seeds = {
        plain_key(seed): _named(dimension_figures(table_moments(rows, names), names))
        for seed, rows in table.groupby("seed")
    }
    cells = {key: float(mean_ccc(table_moments(rows, names))) for key, rows in table.groupby(["seed", "fold"])}
    by_cell = pd.Series(list(cells.values()), index=pd.MultiIndex.from_tuples(cells, names=["seed", "fold"]))
    for seed, found in by_cell.groupby("seed"):
        seeds[plain_key(seed)] |= {"fold_mean_ccc": float(found.mean()), "folds": len(found)}
    headline = [figures["test_ccc"] or 0.0 for figures in seeds.values()]
    return {
        **{
            key: _mean([figures[key] for figures in seeds.values()])
            for key in next(iter(seeds.values()))
            if key != "folds"
        },
        "test_ccc_std": float(np.std(headline, ddof=1)) if len(headline) > 1 else None,
        "seeds": {seed: {**figures, "n": int((table["seed"] == seed).sum())} for seed, figures in seeds.items()},
        "folds": {plain_key(fold): {"test_ccc": float(mean)} for fold, mean in by_cell.groupby("fold").mean().items()},
    }


def _named(figures: Mapping[str, float | None]) -> JsonObject:
    return {f"test_{key}": value for key, value in figures.items()}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
