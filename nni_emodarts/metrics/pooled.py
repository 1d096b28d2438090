"""A corpus's headline, of classes, dimensions or both: test predictions pooled over the folds, then over the seeds."""

from collections.abc import Iterable, Sequence

import pandas as pd

from nni_emodarts.metrics.dimensions import dimension_names, pooled_dimensions, with_undecided
from nni_emodarts.metrics.headline import BOTH, CCC, UAR
from nni_emodarts.metrics.scores import pooled_table, summary
from nni_emodarts.runtime.plain_data import JsonObject


def pooled_figures(
    table: pd.DataFrame, classes: Sequence[str], undecided: Iterable[pd.DataFrame | None] = ()
) -> JsonObject:
    """The figures of a table of predictions, as `pool` gives it.

    Args:
        table: the predictions.
        classes: names of the classes; none where only dimensions were learnt.
        undecided: answers to utterances on which annotators did not agree; they count in dimensions alone.

    Returns:
        What `pooled_table` and `pooled_dimensions` give; of both besides `test_uar_ccc`, the mean of UAR and CCC.
    """
    names = dimension_names(table)
    if not names:
        return pooled_table(table, classes)
    rated = {**pooled_dimensions(with_undecided(table, undecided), names), "dimensions": names}
    if not classes:
        return rated
    told = pooled_table(table, classes)
    seeds = {seed: {**rated["seeds"][seed], **own} for seed, own in told["seeds"].items()}
    for own in seeds.values():
        own[BOTH.test] = (own[UAR.test] + (own[CCC.test] or 0.0)) / 2
    folds = {fold: {**own, **rated["folds"][fold]} for fold, own in told["folds"].items()}
    headline, deviation = summary(own[BOTH.test] for own in seeds.values())
    joint = {BOTH.test: headline, f"{BOTH.test}_std": deviation}
    return {**told, **rated, **joint, "seeds": seeds, "folds": folds}
