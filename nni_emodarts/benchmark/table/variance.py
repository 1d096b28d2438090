"""Where the spread of a table's figures comes from: architectures, folds, seeds, and which choices carry it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nni_emodarts.metrics.record import Record

_KEYS = ("architecture", "fold", "seed", "inner")


class Components(Record):
    """Standard deviations of a figure; None where a table cannot say it.

    A training's figure is taken for mean + architecture + fold + architecture x fold + seed, each drawn at random
    (a crossed random-effects model; Searle, Casella & McCulloch 1992, section 4.4).

    Attributes:
        architecture: between architectures, averaged over folds and seeds without end.
        fold: between folds.
        interaction: of architectures from fold to fold, beyond what their seeds do.
        seed: between trainings of one architecture on one fold.
        reliability: share of the variance between the architectures' means over this table's folds that is their own:
            1 where another such table would rank them alike.
    """

    architecture: float
    fold: float
    interaction: float | None
    seed: float | None
    reliability: float


def components(table: pd.DataFrame, figure: str = "test_uar") -> Components:
    """Components of a figure's variance, from the architectures that were trained on every fold.

    Estimates are those of the analysis of variance; one below zero is zero.

    Args:
        table: of `Table.to_frame`.
        figure: its column.

    Raises:
        ValueError: fewer than two architectures on fewer than two folds.
    """
    means = fold_means(table, figure)
    rows, columns = means.shape
    if rows < 2 or columns < 2:
        raise ValueError(f"{rows} architectures on all of {columns} folds; components need two of each")
    values = means.to_numpy()
    of_rows, of_columns = values.mean(1), values.mean(0)
    rest = values - of_rows[:, None] - of_columns + values.mean()
    residual = float((rest**2).sum() / ((rows - 1) * (columns - 1)))
    between = columns * float(of_rows.var(ddof=1))
    seed = _seed_variance(table, figure)
    trainings = float(table.groupby(["architecture", "fold"])[figure].size().mean())
    return Components(
        architecture=_deviation((between - residual) / columns),
        fold=_deviation((rows * float(of_columns.var(ddof=1)) - residual) / rows),
        interaction=None if seed is None else _deviation(residual - seed / trainings),
        seed=None if seed is None else _deviation(seed),
        reliability=max(0.0, 1 - residual / between) if between > 0 else 0.0,
    )


def carried_by(table: pd.DataFrame, choices: Sequence[str] | None = None, figure: str = "test_uar") -> pd.Series:
    """Share of the variance between architectures that each choice carries alone, the largest first.

    It is epsilon squared of a one-way analysis of variance (Kelley 1935): the share that the groups explain, less what
    as many groups would explain by chance; so it may lie a little below zero. An edge that no node takes is a group of
    its own. Shares do not add up where choices matter together.

    Args:
        table: of `Table.to_frame`.
        choices: labels; all of the table's where absent.
        figure: its column.
    """
    labels = _choices(table) if choices is None else list(choices)
    by_architecture = table.groupby("architecture")
    means = by_architecture[figure].mean()
    made = by_architecture[labels].first().fillna("-")
    found = {label: _epsilon_squared(means.to_numpy(), made[label].to_numpy()) for label in labels}
    return pd.Series(found, name=figure, dtype=float).sort_values(ascending=False)


def _choices(table: pd.DataFrame) -> list[str]:
    known = {*_KEYS, "number", "val_uar", "val_loss", "test_uar", "parameters", "cpu_seconds"}
    return [str(column) for column in table.columns if column not in known]


def fold_means(table: pd.DataFrame, figure: str) -> pd.DataFrame:
    """A row each architecture that was trained on every fold, a column each fold; averaged over seeds."""
    return table.groupby(["architecture", "fold"])[figure].mean().unstack("fold").dropna()


def _seed_variance(table: pd.DataFrame, figure: str) -> float | None:
    """Variance between the seeds of a cell, over the cells that have several; None where none has."""
    groups = table.groupby(["architecture", "fold"])[figure]
    freedom = int((groups.size() - 1).sum())
    return None if not freedom else float((table[figure] - groups.transform("mean")).pow(2).sum() / freedom)


def _deviation(variance: float) -> float:
    return float(np.sqrt(max(variance, 0.0)))


def _epsilon_squared(values: np.ndarray, groups: np.ndarray) -> float:
    names = np.unique(groups)
    total = float(((values - values.mean()) ** 2).sum())
    if len(names) < 2 or len(names) == len(values) or total == 0:
        return 0.0
    within = sum(float(((part - part.mean()) ** 2).sum()) for part in (values[groups == name] for name in names))
    error = within / (len(values) - len(names))
    return (total - within - (len(names) - 1) * error) / total
