"""Charts of dimensions: answers against what is true, and both in the plane of valence and arousal."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nni_emodarts.metrics.dimensions import PREDICTED, ccc
from nni_emodarts.metrics.notation import figure_text
from nni_emodarts.report.drawings.canvas import new_figure, style
from nni_emodarts.report.drawings.families import CLASS_COLORS, INK, LANE, QUIET

_MOST_POINTS = 3000
"""Of more, as many are drawn that are evenly spread over the table."""


def draw_agreement(table: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Each dimension's answers against what is true, with the line on which they would lie.

    Args:
        table: test predictions.
        names: of the dimensions.
    """
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    with style():
        figure = new_figure(2.9 * columns, 2.9 * rows)
        places = np.ravel(figure.subplots(rows, columns, squeeze=False))
        for axes, name in zip(places, names, strict=False):
            _scatter(axes, table[name].to_numpy(np.float64), table[f"{PREDICTED}{name}"].to_numpy(np.float64), name)
        for axes in places[len(names) :]:
            axes.axis("off")
        figure.tight_layout()
    return figure


def _scatter(axes: Axes, true: np.ndarray, predicted: np.ndarray, name: str) -> None:
    kept = _spread(len(true))
    both = np.concatenate([true[~np.isnan(true)], predicted])
    low, high = float(both.min()), float(both.max())
    margin = 0.04 * max(high - low, 1e-9)
    axes.plot([low, high], [low, high], color=LANE, lw=1.4, zorder=1)
    axes.plot(true[kept], predicted[kept], "o", color=CLASS_COLORS[0], ms=3, alpha=0.35, mec="none", zorder=2)
    axes.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin), xlabel="true", ylabel="answered")
    axes.set_title(f"{name}: CCC {figure_text(ccc(true, predicted))}", fontsize=9)
    axes.set_aspect("equal")


def draw_circumplex(table: pd.DataFrame) -> Figure:
    """True places and answers in the plane of valence and arousal (Russell 1980), beside each other.

    Emotions have colours where there are any, and their means a ring.

    Args:
        table: test predictions of valence and arousal.
    """
    emotions = sorted(set(table["emotion"]) - {""})
    with style():
        figure = new_figure(7.2, 3.5)
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        for axes, before, title in ((left, "", "true"), (right, PREDICTED, "answered")):
            _plane(axes, table[f"{before}valence"], table[f"{before}arousal"], table["emotion"], emotions)
            axes.set(xlabel="valence", title=title)
        left.set_ylabel("arousal")
        if emotions:
            right.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
        figure.tight_layout()
    return figure


def _plane(
    axes: Axes, x: "pd.Series[float]", y: "pd.Series[float]", emotion: "pd.Series[str]", emotions: Sequence[str]
) -> None:
    kept = pd.Series(data=False, index=x.index)
    kept.iloc[_spread(len(x))] = True
    for number, name in enumerate(emotions or [""]):
        color = CLASS_COLORS[number % len(CLASS_COLORS)] if emotions else QUIET
        own = emotion == name
        axes.plot(x[own & kept], y[own & kept], "o", color=color, ms=3, alpha=0.35, mec="none")
        axes.plot([x[own].mean()], [y[own].mean()], "o", color=color, ms=9, mfc="none", mew=2, label=name)
    axes.axhline(float(y.mean()), color=LANE, lw=0.8, zorder=0)
    axes.axvline(float(x.mean()), color=LANE, lw=0.8, zorder=0)
    axes.tick_params(colors=INK)


def _spread(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_POINTS)).astype(int))
