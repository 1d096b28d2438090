"""The search as a film: every alpha over the epochs, what it led to, and an animation of both."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from PIL import Image

from nni_emodarts.metrics.headline import shown_in
from nni_emodarts.models.architecture import Architecture, CellKind, read_edge
from nni_emodarts.report.drawings.alphas import Alphas, Panel, Track, chosen_edges, panels
from nni_emodarts.report.drawings.canvas import new_figure, style
from nni_emodarts.report.drawings.families import CELL_NAMES, CLASS_COLORS, INK, QUIET, layer_name, readable, sentence

COLORS = "PuOr_r"
"""Purple below, white at, orange above the even chance: which colour-blind readers distinguish, too."""
_EPOCH_MS, _END_MS = 500, 2500
_GIF_DPI = 90
_NARROWEST, _WIDEST = 0.585, 3.0  # 1.5 and 8 times the even chance
_CURVES = {
    "val_uar": ("validation UAR of the supernet", (0.0, 1.0)),
    "val_ccc": ("validation CCC of the supernet", (-0.2, 1.0)),
    "val_uar_ccc": ("validation UAR and CCC, mean", (0.0, 1.0)),
    "entropy": ("entropy of the choices (1: undecided)", (0.0, 1.05)),
    "skips": ("skip connections in the cells", None),
    "eigenvalue": ("dominant eigenvalue", None),
}  # fmt: skip


def draw_alphas(alphas: Alphas, kind: CellKind, architecture: Architecture | None = None) -> Figure:
    """Probability of every operation on every edge of a kind of cell, epoch by epoch.

    Args:
        alphas: a search's alphas.
        kind: the kind of cell.
        architecture: what the search chose; a line under a name marks it.
    """
    tracks = alphas.edges(kind)
    chosen = chosen_edges(architecture, kind) if architecture is not None else {}
    edges = [read_edge(track.label) for track in tracks]
    columns = max(edge.predecessor for edge in edges) + 1
    nodes = sorted({edge.node for edge in edges})
    choices = max(len(track.choices) for track in tracks)
    width, height = 1.75 + 2.1 * columns, 0.9 + len(nodes) * (0.55 + 0.165 * choices)
    with style():
        figure = new_figure(width + 0.75, height)
        figure.text(0.02, 1 - 0.3 / height, f"{sentence(CELL_NAMES[kind])}: probability of each operation",
                    fontsize=13, fontweight="bold", va="center")  # fmt: skip
        grid = figure.add_gridspec(
            len(nodes), columns, left=1.7 / (width + 0.75), right=width / (width + 0.75), top=1 - 0.85 / height,
            bottom=0.45 / height, wspace=0.12, hspace=0.36,
        )  # fmt: skip
        bound = ratio_bound(tracks)
        for track, (_, node, state) in zip(tracks, edges, strict=True):
            axes = figure.add_subplot(grid[nodes.index(node), state])
            image = _heat(axes, track, alphas.epochs, bound, chosen.get(track.label))
            if state:
                axes.set_yticklabels([])
            axes.set_title(f"{state} → {node}", color=INK if track.label in chosen else QUIET, pad=4,
                           fontweight="bold" if track.label in chosen else "normal")  # fmt: skip
            if node == nodes[-1]:
                axes.set_xlabel("epoch")
        bar = figure.add_axes(((width + 0.12) / (width + 0.75), 0.45 / height, 0.12 / (width + 0.75), 1 - 1.3 / height))
        _draw_scale(figure, image, bar, bound)
    return figure


def draw_layers(alphas: Alphas, architecture: Architecture | None = None) -> Figure:
    """Probability of every candidate of the choices outside the cells, epoch by epoch.

    Args:
        alphas: a search's alphas, with such choices.
        architecture: what the search chose; a frame marks it.
    """
    tracks = alphas.layers
    choices = {} if architecture is None else architecture.choices
    width = 0.6 + 2.9 * len(tracks) + 0.75
    height = 1.5 + 0.2 * max(len(track.choices) for track in tracks)
    with style():
        figure = new_figure(width, height)
        figure.text(0.02, 1 - 0.3 / height, "Probability of each candidate", fontsize=13, fontweight="bold",
                    va="center")  # fmt: skip
        grid = figure.add_gridspec(1, len(tracks), left=1.0 / width, right=1 - 0.85 / width, top=1 - 0.95 / height,
                                   bottom=0.5 / height, wspace=0.6)  # fmt: skip
        bound = ratio_bound(tracks)
        for column, track in enumerate(tracks):
            axes = figure.add_subplot(grid[column])
            chosen = choices.get(track.label)
            image = _heat(axes, track, alphas.epochs, bound, str(chosen) if chosen else None)
            axes.set_title(sentence(layer_name(track.label)), pad=4)
            axes.set_xlabel("epoch")
        bar = figure.add_axes((1 - 0.6 / width, 0.5 / height, 0.12 / width, 1 - 1.45 / height))
        _draw_scale(figure, image, bar, bound)
    return figure


def ratios(track: Track) -> npt.NDArray[np.float64]:
    """(choices, epochs) how many times the even chance each choice has, as a binary logarithm."""
    return np.asarray(np.log2(np.maximum(track.values * len(track.choices), 2.0**-_WIDEST)))


def ratio_bound(tracks: Sequence[Track]) -> float:
    """Where the scale of `ratios` ends, up and down; never so near that noise would look like a decision."""
    farthest = max(float(np.nanmax(np.abs(ratios(track)))) for track in tracks)
    return min(max(farthest, _NARROWEST), _WIDEST)


def _draw_scale(figure: Figure, image: AxesImage, axes: Axes, bound: float) -> None:
    """The scale of colours, in multiples of the even chance."""
    bar = figure.colorbar(image, cax=axes)
    step = 1.0 if bound >= 2 else 0.5 if bound >= 1 else 0.25
    ticks = [position * step for position in range(-int(bound / step), int(bound / step) + 1)]
    bar.set_ticks(ticks, labels=[f"{2.0**tick:.2g}×" for tick in ticks])
    axes.set_title("even\nchance ×", fontsize=7.5, color=QUIET, fontweight="normal", pad=6)
    axes.tick_params(length=0, labelsize=7.5)
    axes.spines[:].set_visible(False)


def _heat(axes: Axes, track: Track, epochs: Sequence[int], bound: float, chosen: str | None) -> AxesImage:
    """One edge: operations by row, epochs by column."""
    extent = (epochs[0] - 0.5, epochs[-1] + 0.5, len(track.choices) - 0.5, -0.5)
    image = axes.imshow(ratios(track), aspect="auto", cmap=COLORS, vmin=-bound, vmax=bound, extent=extent,
                        interpolation="nearest")  # fmt: skip
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_yticks(range(len(track.choices)), [readable(name) for name in track.choices])
    axes.tick_params(length=0, labelsize=7.5)
    if chosen in track.choices:
        row = track.choices.index(str(chosen))
        axes.add_patch(Rectangle((extent[0], row - 0.5), extent[1] - extent[0], 1, fill=False, edgecolor=INK,
                                 lw=1.8, clip_on=False, zorder=3))  # fmt: skip
    return image


def draw_search(history: pd.DataFrame) -> Figure:
    """What a search's history.csv holds over its epochs: validation UAR, entropy, skip connections, eigenvalue."""
    shown = [name for name in _CURVES if name in history.columns and history[name].notna().any()]
    with style():
        figure = new_figure(3.5 * max(len(shown), 1), 2.6)
        for axes, name in zip(np.ravel(figure.subplots(1, len(shown), squeeze=False)), shown, strict=True):
            title, limits = _CURVES[name]
            _curve(axes, history["epoch"], history[name])
            axes.set_title(title, fontsize=9)
            if limits is not None:
                axes.set_ylim(limits)
            elif history[name].min() >= 0:
                axes.set_ylim(0, max(1.0, 1.08 * float(history[name].max())))
            axes.set_xlabel("epoch")
        figure.tight_layout()
    return figure


def draw_candidates(candidates: pd.DataFrame) -> Figure:
    """The validation figure of the candidates of a search by trials, and the best so far."""
    chosen = shown_in(candidates.columns)
    trained = candidates[pd.to_numeric(candidates[chosen.val], errors="coerce").notna()]
    figures = pd.to_numeric(trained[chosen.val])
    with style():
        figure = new_figure(6.5, 2.8)
        axes = figure.subplots()
        axes.plot(trained["candidate"], figures, "o", color=CLASS_COLORS[0], ms=5, label="candidate")
        axes.step(trained["candidate"], figures.cummax(), where="post", color=CLASS_COLORS[4], label="best so far")
        axes.set(xlabel="candidate", ylabel=f"validation {chosen.name}", ylim=(0, 1))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y")
        axes.legend(loc="lower right")
        figure.tight_layout()
    return figure


def _curve(axes: Axes, epochs: npt.ArrayLike, values: npt.ArrayLike) -> Line2D:
    (line,) = axes.plot(epochs, values, color=CLASS_COLORS[0], lw=1.8, marker="o", ms=3.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y")
    return line


def animate(alphas: Alphas, history: pd.DataFrame, architecture: Architecture | None = None) -> bytes:
    """A GIF with a frame for each epoch: the edges' operations, and the validation UAR so far.

    Args:
        alphas: a search's alphas.
        history: its history.csv.
        architecture: what the search chose; only its kinds of cells are shown where given.
    """
    with style():
        figure, show = _stage(alphas, history, panels(alphas, architecture))
        frames = []
        for position in range(len(alphas.epochs)):
            show(position)
            frames.append(_frame(figure))
    durations = [*[_EPOCH_MS] * (len(frames) - 1), _END_MS]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return file.getvalue()


def _frame(figure: Figure) -> Image.Image:
    """What a figure shows, in few colours."""
    figure.set_dpi(_GIF_DPI)
    canvas: Any = figure.canvas
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3].copy()).quantize(256)


def _stage(alphas: Alphas, history: pd.DataFrame, shown: Sequence[Panel]) -> tuple[Figure, Callable[[int], None]]:
    """A figure, and what shows the epoch at a position on it."""
    rows = [len(panel.tracks) for panel in shown]
    height = 2.9 + sum(0.8 + 0.26 * count for count in rows)
    figure = new_figure(9.0, height)
    grid = figure.add_gridspec(
        len(shown) + 1, 1, height_ratios=[*[0.8 + 0.26 * count for count in rows], 1.9], left=0.1, right=0.97,
        top=1 - 0.85 / height, bottom=0.5 / height, hspace=0.55,
    )  # fmt: skip
    title = figure.text(0.02, 1 - 0.28 / height, "", fontsize=13, fontweight="bold", va="center")
    parts = [_matrix(figure.add_subplot(grid[row]), panel) for row, panel in enumerate(shown)]
    axes = figure.add_subplot(grid[len(shown)])
    axes.set(xlim=(alphas.epochs[0] - 0.3, alphas.epochs[-1] + 0.3), ylim=(0, 1), xlabel="epoch",
             title=f"validation {shown_in(history.columns).name} of the supernet")  # fmt: skip
    line = _curve(axes, [], [])

    def show(position: int) -> None:
        epoch = alphas.epochs[position]
        title.set_text(f"Search, epoch {epoch}: probability of each candidate")
        for image, stars, values in parts:
            image.set_data(values[:, :, position])
            stars.set_offsets(np.column_stack([values[:, :, position].argmax(1), np.arange(len(values))]))
        so_far = history[history["epoch"] <= epoch]
        line.set_data(so_far["epoch"], so_far[shown_in(history.columns).val])

    return figure, show


def _matrix(axes: Axes, panel: Panel) -> tuple[AxesImage, PathCollection, npt.NDArray[np.float64]]:
    """Edges of a kind of cell, or a choice, by row, operations by column; a dot stands on the strongest."""
    tracks = panel.tracks
    values = np.stack([ratios(track) for track in tracks])
    bound = ratio_bound(tracks)
    image = axes.imshow(values[:, :, 0], aspect="auto", cmap=COLORS, vmin=-bound, vmax=bound)
    names = [readable(name).replace(" + attention", "\n+ att.") for name in tracks[0].choices]
    axes.set_xticks(range(len(names)), names, fontsize=7)
    axes.set_yticks(range(len(tracks)), panel.rows, fontsize=7)
    axes.tick_params(length=0)
    axes.set_title(panel.title)
    for spine in axes.spines.values():
        spine.set_visible(False)
    dots = axes.scatter([0], [0], s=18, color=INK, edgecolor="white", linewidth=0.8, zorder=3)
    return image, dots, values
