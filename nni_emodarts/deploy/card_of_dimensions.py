"""What a model card says of a network that answers in dimensions."""

from collections.abc import Iterator

import pandas as pd

from nni_emodarts.data.outputs import Outputs
from nni_emodarts.metrics.dimensions import pooled_dimensions
from nni_emodarts.metrics.notation import figure_text, interval_text
from nni_emodarts.metrics.tallies import ccc_interval
from nni_emodarts.runtime.plain_data import JsonMapping
from nni_emodarts.runtime.plain_text import markdown

FEWEST_SPEAKERS = 5
"""Fewest speakers that an interval is drawn from."""


def scales(outputs: Outputs) -> str:
    """Each dimension with its scale."""
    bounds = zip(outputs.dimensions, outputs.low, outputs.high, strict=True)
    return ", ".join(f"{markdown(name)} from {low:g} to {high:g}" for name, low, high in bounds)


def dimension_results(table: pd.DataFrame, figures: JsonMapping, names: tuple[str, ...]) -> Iterator[str]:
    """Lines on the test figures of dimensions.

    Args:
        table: test predictions.
        figures: the run's.
        names: of the dimensions.
    """
    spread = figures.get("test_ccc_std")
    over = " over the seeds" if spread is not None else ""
    yield f"- CCC (mean over dimensions): {figure_text(figures['test_ccc'], spread)}{over} ({_interval(table)})"
    yield f"- Pearson: {figure_text(figures.get('test_pearson'))}; MAE: {figure_text(figures.get('test_mae'))}"
    yield ""
    groups = {"all": table, **{gender: rows for gender, rows in table.groupby("gender") if gender}}
    yield "| dimension | " + " | ".join(f"CCC, {markdown(str(name))}" for name in groups) + " | Pearson | MAE |"
    yield "|---|" + "---:|" * (len(groups) + 2)
    pooled = {group: pooled_dimensions(rows, names) for group, rows in groups.items()}
    for name in names:
        own = [figure_text(each[f"test_ccc_{name}"]) for each in pooled.values()]
        more = [figure_text(pooled["all"][f"test_{key}_{name}"]) for key in ("pearson", "mae")]
        yield f"| {markdown(name)} | {' | '.join([*own, *more])} |"


def _interval(table: pd.DataFrame) -> str:
    """Of the mean CCC over speakers, in words."""
    if table["speaker"].nunique() < FEWEST_SPEAKERS:
        return "no interval of so few speakers"
    try:
        return f"95 % interval over speakers {interval_text(ccc_interval(table))}"
    except ValueError:  # seeds that were scored on different speakers
        return "no interval: the seeds were scored on different speakers"
