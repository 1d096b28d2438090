"""Charts of results: runs beside each other, recall by emotion, training curves."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from nni_emodarts.metrics.headline import UAR, shown_in
from nni_emodarts.metrics.notation import figure_text
from nni_emodarts.report.drawings.canvas import new_figure, style
from nni_emodarts.report.drawings.families import CLASS_COLORS, INK, QUIET
from nni_emodarts.runtime.plain_data import JsonObject

_MARKS = "osD^vPX*"

Interval = tuple[float, float]


def draw_figures(rows: Sequence[tuple[str, float, Interval | None]]) -> Figure:
    """Test UAR of each run with its interval.

    Args:
        rows: name of each run, its pooled test UAR, and the 95 % interval where it is known.
    """
    with style():
        figure = new_figure(7.2, 0.95 + 0.42 * len(rows))
        axes = figure.subplots()
        for row, (_, value, interval) in enumerate(rows):
            _mark(axes, row, value, interval, 0)
        axes.set_yticks(range(len(rows)), [name for name, _, _ in rows], color=INK)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        _share_axis(axes, "test UAR, 95 % interval over speakers")
        figure.tight_layout()
    return figure


def draw_recalls(
    classes: Sequence[str], runs: Mapping[str, tuple[Sequence[float | None], Sequence[Interval]]]
) -> Figure:
    """Recall of each emotion with its interval, runs beside each other.

    Args:
        classes: names of the emotions.
        runs: name -> recalls and their 95 % intervals.
    """
    with style():
        figure = new_figure(7.2, 1.1 + len(classes) * (0.24 + 0.2 * len(runs)))
        axes = figure.subplots()
        step = 0.8 / max(len(runs), 1)
        for number, (name, (values, intervals)) in enumerate(runs.items()):
            shift = (number - (len(runs) - 1) / 2) * step
            for row, (value, interval) in enumerate(zip(values, intervals, strict=True)):
                if value is not None:
                    _mark(axes, row + shift, value, interval, number, name if row == 0 else None)
        axes.set_yticks(range(len(classes)), list(classes), color=INK)
        axes.set_ylim(len(classes) - 0.4, -0.6)
        _share_axis(axes, "recall, 95 % interval over speakers")
        if len(runs) > 1:
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
        figure.tight_layout()
    return figure


def _mark(axes: Axes, y: float, value: float, interval: Interval | None, number: int, label: str | None = None) -> None:
    color, mark = CLASS_COLORS[number % len(CLASS_COLORS)], _MARKS[number % len(_MARKS)]
    if interval is not None and not np.isnan(interval[0]):
        axes.plot(interval, [y, y], color=color, lw=2, solid_capstyle="round", alpha=0.6)
    axes.plot([value], [y], mark, color=color, ms=6.5, label=label)
    axes.annotate(figure_text(value), (value, y), xytext=(0, 5), textcoords="offset points", ha="center", fontsize=7.5,
                  color=QUIET)  # fmt: skip


def _share_axis(axes: Axes, label: str) -> None:
    axes.set_xlim(0, 1)
    axes.set_xlabel(label)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def draw_training(histories: Mapping[str, pd.DataFrame], kept: Mapping[str, int]) -> Figure:
    """Validation figure and loss by epoch, a thin line for each network and a strong one for their median.

    The loss stands beside it where it was recorded: dashed in training, solid on validation.

    Args:
        histories: name -> history.csv of a network.
        kept: name -> the epoch whose weights are kept, where it is known; it gets a ring.
    """
    losses = all({"train_loss", "val_loss"} <= set(history.columns) for history in histories.values())
    with style():
        figure = new_figure(7.2, 2.9)
        first, *others = figure.subplots(1, 1 + losses, squeeze=False)[0]
        chosen = shown_in(next(iter(histories.values())).columns)
        _draw_curves(first, histories, chosen.val, kept)
        first.set(ylim=(0 if chosen is UAR else None, 1.02), ylabel=f"validation {chosen.name}")
        first.yaxis.set_major_formatter(PercentFormatter(1.0))
        first.legend(loc="lower right", fontsize=8)
        for axes in others:
            _draw_curves(axes, histories, "train_loss", {}, "--")
            _draw_curves(axes, histories, "val_loss", kept)
            axes.set(ylim=(0, None), ylabel="loss (dashed: training)")
        figure.tight_layout()
    return figure


def _draw_curves(
    axes: Axes, histories: Mapping[str, pd.DataFrame], column: str, kept: Mapping[str, int], line: str = "-"
) -> None:
    """One column of all histories over the epochs; beyond a few networks their median, too."""
    few = len(histories) <= 4
    for number, (name, history) in enumerate(histories.items()):
        look: JsonObject = {"color": CLASS_COLORS[0], "lw": 1.0, "alpha": 0.35}
        if few:
            look = {"color": CLASS_COLORS[number % len(CLASS_COLORS)], "lw": 1.6, "label": name, "ms": 3}
            if line == "-":  # marks would hide the gaps of another line
                look["marker"] = _MARKS[number % len(_MARKS)]
        axes.plot(history["epoch"], history[column], linestyle=line, **look)
        ringed = history[history["epoch"] == kept.get(name)]
        axes.plot(ringed["epoch"], ringed[column], "o", ms=8, mfc="none", color=look["color"], alpha=look.get("alpha"))
    if not few:
        wide = pd.concat([each.set_index("epoch")[column] for each in histories.values()], axis=1)
        enough = wide.notna().sum(axis=1) * 2 >= len(histories)
        median = wide[enough].median(axis=1)
        axes.plot(median.index, median, color=CLASS_COLORS[4], lw=2.4, linestyle=line, label="median")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y")
