"""What a page shows of dimensions: figures, charts and the worst utterances."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nni_emodarts.metrics.dimensions import (
    PREDICTED,
    dimension_names,
    pooled_dimensions,
    with_undecided,
)
from nni_emodarts.metrics.notation import figure_text
from nni_emodarts.metrics.tallies import ccc_interval
from nni_emodarts.report.drawings.dimensions import draw_agreement, draw_circumplex
from nni_emodarts.report.results import LEAST_SPEAKERS, Interval, Picture
from nni_emodarts.report.runs import Run

_PLANE = ("valence", "arousal")


@dataclass(frozen=True)
class RatedRow:
    """Figures of a dimension, all folds together, as means over the seeds."""

    name: str
    ccc: float | None
    pearson: float | None
    mae: float | None


@dataclass(frozen=True)
class RatedUtterance:
    """An utterance and how far its answers are from what is true, as a mean over seeds and dimensions."""

    file: str
    speaker: str
    emotion: str
    error: float
    values: str


@dataclass(frozen=True)
class Rated:
    """What a run shows of its dimensions.

    Attributes:
        rows: a row for each.
        seeds: mean CCC by seed, its folds together.
        folds: mean CCC by fold, as means over the seeds.
        interval: of the mean CCC, over speakers; None of too few.
        agreement: answers against what is true.
        circumplex: both in the plane of valence and arousal; None where either is not known.
        worst: the utterances that are furthest off.
    """

    rows: list[RatedRow]
    seeds: dict[str, float | None]
    folds: dict[str, float]
    interval: Interval | None
    agreement: Picture
    circumplex: Picture | None
    worst: list[RatedUtterance]


def describe_rated(run: Run, count: int) -> Rated | None:
    """What a run shows of its dimensions; None where it has none, or no predictions.

    Args:
        run: the run.
        count: how many of the worst utterances at most.
    """
    names = [] if run.predictions is None else dimension_names(run.predictions)
    if run.predictions is None or not names:
        return None
    table = with_undecided(run.predictions, (each.undecided for each in run.networks))
    pooled = pooled_dimensions(table, names)
    rows = [RatedRow(name, *(pooled[f"test_{key}_{name}"] for key in ("ccc", "pearson", "mae"))) for name in names]
    said = "; ".join(f"{row.name}: CCC {figure_text(row.ccc, missing='unknown')}" for row in rows)
    plane = None
    if set(_PLANE) <= set(names):
        plane = Picture(draw_circumplex(table), f"Valence and arousal of {len(table)} test predictions. {said}.")
    agreement = Picture(draw_agreement(table, names), f"Answers against what is true. {said}.")
    seeds = {seed: figures["test_ccc"] for seed, figures in pooled["seeds"].items()}
    folds = {fold: figures["test_ccc"] for fold, figures in pooled["folds"].items()}
    return Rated(rows, seeds, folds, _interval(table), agreement, plane, _worst(table, names)[:count])


def _interval(table: pd.DataFrame) -> Interval | None:
    """Of the mean CCC."""
    if table["speaker"].nunique() < LEAST_SPEAKERS:
        return None
    try:
        return ccc_interval(table)
    except ValueError:  # seeds that were scored on different speakers
        return None


def _worst(table: pd.DataFrame, names: list[str]) -> list[RatedUtterance]:
    true = table[names].to_numpy(np.float64)
    answered = table[[f"{PREDICTED}{name}" for name in names]].to_numpy(np.float64)
    apart = abs(true - answered)
    known = ~np.isnan(apart)
    errors = np.where(known, apart, 0.0).sum(1) / np.maximum(known.sum(1), 1)
    keys = ["fold", "file", "speaker"]
    part = table.groupby([*keys, "seed"]).cumcount()
    held = table.assign(error=errors, part=part)
    found = []
    for (_, file, speaker, _), rows in held.groupby([*keys, "part"], sort=False):
        values = ", ".join(
            f"{name} {rows[name].iloc[0]:.3g} ({rows[f'{PREDICTED}{name}'].mean():.3g})" for name in names
        )
        emotion = str(rows["emotion"].iloc[0])
        found.append(RatedUtterance(str(file), str(speaker), emotion, float(rows["error"].mean()), values))
    return sorted(found, key=lambda each: (-each.error, each.file))
