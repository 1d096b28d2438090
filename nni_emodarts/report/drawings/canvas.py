"""Figures as files: without a window system, and equal bytes for equal drawings."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from nni_emodarts.report.drawings.families import INK, LANE, PAPER, QUIET

_FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "Noto Sans Arabic",
          "Noto Sans Devanagari")  # fmt: skip
"""The first comes with matplotlib, so that drawings are alike everywhere; other letters take what is there."""

_STYLE: Any = {
    "font.size": 9.0,
    "text.parse_math": False,  # a class may be called anything
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": LANE,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": "#e5e7eb",
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "legend.frameon": False,
    "svg.hashsalt": "nni_emodarts",
    "svg.fonttype": "path",
}
DPI = 160


@contextmanager
def style() -> Iterator[None]:
    """Context in which every figure is made and written. Letters that no font here has are boxes, and no warning."""
    with mpl.rc_context({**_STYLE, "font.family": _fonts()}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


@cache
def _fonts() -> list[str]:
    there = {font.name for font in fontManager.ttflist}
    return [name for name in _FONTS if name in there]


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    figure = Figure(figsize=(width, height), facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


def blank_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure whose only axes have inches for units, y downwards, and nothing drawn on them."""
    figure = new_figure(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    return figure, axes


def svg(figure: Figure) -> str:
    """A figure as SVG."""
    file = io.StringIO()
    with style():
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def png(figure: Figure) -> bytes:
    """A figure as PNG."""
    file = io.BytesIO()
    with style():
        figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return file.getvalue()
