"""A cell as a graph: every state is a line that runs to the right, every node a step further down.

A node's operations stand in front of it, one above the other; a line drops to each from the state that it takes. So
no line runs through a box, whatever was chosen and however many nodes there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, PathPatch
from matplotlib.path import Path

from nni_emodarts.models.architecture import Architecture, CellKind, cell_nodes, edge_label, node_label
from nni_emodarts.report.drawings.canvas import blank_axes, style
from nni_emodarts.report.drawings.families import (
    CELL_NAMES,
    FAMILIES,
    INK,
    LANE,
    OTHER,
    PAPER,
    QUIET,
    SURFACE,
    family,
    readable,
    sentence,
)

_PILL = (1.62, 0.34)
_LEFT, _TOP, _RIGHT, _BOTTOM = 1.55, 0.85, 1.25, 0.55
_ROW, _STEP = 1.02, 3.02
_FIRST_ROW = 0.62  # the two inputs stand closer
_DROP = (0.34, 0.56)  # from a pill's left edge to the drops of the upper and of the lower pill
_RADIUS = 0.13
_NODE = 0.21
_PLAIN, _THINNEST, _THICKEST = 2.2, 1.0, 6.0

_JOINS = {"normal": "concatenate", "reduce": "concatenate", "seqnn": "average,\nnormalise"}


@dataclass(frozen=True)
class _Plan:
    """A cell, and where its things stand, in inches."""

    architecture: Architecture
    kind: CellKind

    @property
    def nodes(self) -> range:
        """Numbers of its nodes."""
        return cell_nodes(self.architecture.space, self.kind)

    def chosen(self, node: int) -> tuple[int, ...]:
        """The states that a node sums."""
        return _chosen(self.architecture, self.kind, node)

    def label(self, node: int, state: int) -> str:
        """Label of an edge."""
        return edge_label(self.kind, node, state)

    def operation(self, node: int, state: int) -> str:
        """What a chosen edge holds."""
        return str(self.architecture.choices[self.label(node, state)])

    def y(self, state: int) -> float:
        """Height of a state's line."""
        return _TOP + (_FIRST_ROW * state if state < 2 else _FIRST_ROW + _ROW * (state - 1))

    def x(self, state: int) -> float:
        """Where a state's line begins: behind its box."""
        return _LEFT if state < 2 else _LEFT + _STEP * (state - 1)

    def pill(self, node: int, position: int) -> tuple[float, float]:
        """Left edge and height of one of a node's operations."""
        return self.x(node) - 0.52 - _NODE - _PILL[0], self.y(node) + (-0.235, 0.235)[position]

    def drop(self, node: int, state: int) -> float:
        """Where the line from a state drops to its operation."""
        position = self.chosen(node).index(state)
        return self.pill(node, position)[0] - _DROP[position]

    @property
    def out(self) -> float:
        """Where the box that joins the nodes begins."""
        return self.x(self.nodes[-1]) + 0.45

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the drawing."""
        return self.out + _RIGHT, self.y(self.nodes[-1]) + _BOTTOM + 0.35


def draw_cell(architecture: Architecture, kind: CellKind, strengths: Mapping[str, float] | None = None) -> Figure:
    """Draw a cell.

    Args:
        architecture: what a search chose.
        kind: which of its cells.
        strengths: edge label -> how much of its node the edge carried in the search; line widths where known.
    """
    plan = _Plan(architecture, kind)
    with style():
        figure, axes = blank_axes(*plan.size)
        axes.text(0.25, 0.32, sentence(CELL_NAMES[kind]), fontsize=14, fontweight="bold", va="center")
        _draw_lanes(axes, plan)
        widths = _widths(strengths or {}, kind)
        for node in plan.nodes:
            _draw_node(axes, plan, node, widths, strengths or {})
        _draw_ends(axes, plan)
        _draw_legend(axes, plan, known=bool(widths))
    return figure


def describe_cell(architecture: Architecture, kind: CellKind, strengths: Mapping[str, float] | None = None) -> str:
    """A cell in words, for those who do not see its drawing."""
    known = strengths or {}
    sentences = []
    for node in cell_nodes(architecture.space, kind):
        edges = []
        for state in _chosen(architecture, kind, node):
            label = edge_label(kind, node, state)
            share = f" (strength {known[label]:.0%})" if label in known else ""
            edges.append(f"{readable(str(architecture.choices[label]))} of {_state_name(state)}{share}")
        sentences.append(f"Node {node} sums {' and '.join(edges)}.")
    return f"{sentence(CELL_NAMES[kind])}. {' '.join(sentences)}"


def _state_name(state: int) -> str:
    return ("the cell before the last", "the last cell")[state] if state < 2 else f"node {state}"


def _chosen(architecture: Architecture, kind: CellKind, node: int) -> tuple[int, ...]:
    chosen = architecture.choices[node_label(kind, node)]
    return chosen if isinstance(chosen, tuple) else ()


def _widths(strengths: Mapping[str, float], kind: CellKind) -> dict[str, float]:
    """Line widths in points: in proportion to strength, so that even edges look even."""
    mine = {label: value for label, value in strengths.items() if label.startswith(f"{kind}_")}
    strongest = max(mine.values(), default=0.0) or 1.0
    return {label: max(_THINNEST, _THICKEST * value / strongest) for label, value in mine.items()}


def _draw_lanes(axes: Axes, plan: _Plan) -> None:
    """The line of each state, as far as it is used."""
    for state in (0, 1, *plan.nodes):
        ends = [plan.out] if state >= 2 else [plan.x(state)]
        for node in plan.nodes:
            if state in plan.chosen(node):
                ends.append(plan.drop(node, state) - _RADIUS)
        axes.plot([plan.x(state), max(ends)], [plan.y(state)] * 2, color=LANE, lw=2.2, solid_capstyle="round", zorder=1)


def _draw_node(axes: Axes, plan: _Plan, node: int, widths: Mapping[str, float], strengths: Mapping[str, float]) -> None:
    """A node with its operations and the lines between."""
    centre = plan.x(node) - _NODE, plan.y(node)
    for position, state in enumerate(plan.chosen(node)):
        label, operation = plan.label(node, state), plan.operation(node, state)
        left, y = plan.pill(node, position)
        color = family(operation).color
        width = widths.get(label, _PLAIN)
        _line(axes, _drop_path(plan.drop(node, state), plan.y(state), left, y), color, width)
        _line(axes, _ease(left + _PILL[0], y, centre[0] - _NODE * 0.6, centre[1]), color, width)
        _pill(axes, left, y, operation)
        if label in strengths:
            axes.text(left + _PILL[0] + 0.05, y + (-0.17, 0.19)[position], f"{strengths[label]:.0%}", fontsize=7.5,
                      color=QUIET, va="center", zorder=5)  # fmt: skip
    axes.add_patch(Circle(centre, _NODE, facecolor=PAPER, edgecolor=INK, lw=1.4, zorder=4))
    axes.text(*centre, str(node), ha="center", va="center_baseline", fontsize=10, fontweight="bold", zorder=5)


def _line(axes: Axes, path: Path, color: str, width: float) -> None:
    """A line in its family's colour on a thin dark edge, so that light colours show on white."""
    common = {"facecolor": "none", "capstyle": "round", "joinstyle": "round"}
    axes.add_patch(PathPatch(path, edgecolor=PAPER, lw=width + 3.4, zorder=2, **common))
    axes.add_patch(PathPatch(path, edgecolor=QUIET, lw=width + 1.1, zorder=2.1, **common))
    axes.add_patch(PathPatch(path, edgecolor=color, lw=width, zorder=2.2, **common))


def _drop_path(x: float, top: float, right: float, y: float) -> Path:
    """From a line, round a corner, down, round another, into a box."""
    radius = min(_RADIUS, (y - top) / 2)
    points = [(x - radius, top), (x, top), (x, top + radius), (x, y - radius), (x, y), (x + radius, y), (right, y)]
    codes = [Path.MOVETO, Path.CURVE3, Path.CURVE3, Path.LINETO, Path.CURVE3, Path.CURVE3, Path.LINETO]
    return Path(points, codes)


def _ease(x: float, y: float, right: float, bottom: float) -> Path:
    """An S from a box to its node."""
    middle = (x + right) / 2
    return Path([(x, y), (middle, y), (middle, bottom), (right, bottom)], [Path.MOVETO, *[Path.CURVE4] * 3])


def _pill(axes: Axes, left: float, y: float, operation: str) -> None:
    width, height = _PILL
    found = family(operation)
    box = FancyBboxPatch((left, y - height / 2), width, height, boxstyle=f"round,pad=0,rounding_size={height / 2}",
                         facecolor=found.color, edgecolor=QUIET, lw=0.8, zorder=3)  # fmt: skip
    axes.add_patch(box)
    axes.text(left + width / 2, y + 0.005, readable(operation), ha="center", va="center_baseline", color=found.ink,
              fontsize=9.5, zorder=5)  # fmt: skip


def _box(axes: Axes, place: tuple[float, float], size: tuple[float, float], text: str) -> None:
    """A box with its left edge at a place, its middle at the place's height."""
    (left, y), (width, height) = place, size
    box = FancyBboxPatch((left, y - height / 2), width, height, boxstyle="round,pad=0,rounding_size=0.08",
                         facecolor=SURFACE, edgecolor=INK, lw=1.1, zorder=3)  # fmt: skip
    axes.add_patch(box)
    axes.text(left + width / 2, y, text, ha="center", va="center", fontsize=9, zorder=5)


def _draw_ends(axes: Axes, plan: _Plan) -> None:
    """The cell's two inputs, and what becomes of its nodes."""
    for state, text in enumerate(("before last", "last cell")):
        _box(axes, (0.25, plan.y(state)), (_LEFT - 0.25, 0.42), f"     {text}")
        axes.text(0.43, plan.y(state), str(state), fontsize=10, fontweight="bold", va="center_baseline", zorder=5)
    first, last = plan.y(plan.nodes[0]), plan.y(plan.nodes[-1])
    _box(axes, (plan.out, (first + last) / 2), (1.0, last - first + 0.5), _JOINS[plan.kind])


def _draw_legend(axes: Axes, plan: _Plan, known: bool) -> None:
    """The families that the cell holds, and what widths mean."""
    held = {family(plan.operation(node, state)) for node in plan.nodes for state in plan.chosen(node)}
    x, y = 0.25, plan.size[1] - 0.3
    for found in FAMILIES:
        if found in held and found is not OTHER:
            axes.add_patch(Circle((x + 0.07, y), 0.07, facecolor=found.color, edgecolor=QUIET, lw=0.7))
            text = axes.text(x + 0.22, y + 0.04, found.name, fontsize=8, va="baseline", color=QUIET)
            x = text.get_window_extent().x1 / axes.figure.dpi + 0.3
    if known:
        axes.text(plan.size[0] - 0.25, 0.32, "width and % = P(operation) × P(input) in the search", fontsize=7.5,
                  va="center", ha="right", color=QUIET)  # fmt: skip
