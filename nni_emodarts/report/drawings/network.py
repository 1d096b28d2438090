"""The whole network from top to bottom: blocks, the tensors between them, and what each block costs."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, PathPatch, Rectangle
from matplotlib.path import Path

from nni_emodarts.config import Frames, of_stream
from nni_emodarts.data.front_ends.costs import EncoderCost
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.costs import Block, network_blocks
from nni_emodarts.models.shapes import heard_shape
from nni_emodarts.report.drawings.canvas import blank_axes, style
from nni_emodarts.report.drawings.families import INK, PAPER, QUIET, SURFACE, sentence

_NAMES = {
    "stem": "stem", "normal": "normal cell", "reduce": "reduction cell", "bridge": "bridge", "seqnn": "SeqNN cell",
    "streams": "sum of streams", "pooling": "temporal pooling", "classifier": "classifier",
    "shortcut": "shortcut past the cells", "functionals": "join functionals",
}  # fmt: skip
_COLORS = {
    "stem": SURFACE, "normal": "#dbeafe", "reduce": "#9cc3e6", "bridge": SURFACE, "seqnn": "#fde3c0",
    "streams": SURFACE, "pooling": SURFACE, "classifier": SURFACE,
    "shortcut": SURFACE, "functionals": SURFACE,
}  # fmt: skip
_LOGITS = ("classifier", "shortcut", "functionals")
_BARS = (("parameters", "#0072B2"), ("FLOPs", "#C24E00"))

_SECOND = "#9aa3ae"
_TOP, _ROW, _BOX = 1.28, 0.84, (2.35, 0.46)
_LEFT = 1.05
_BAR_X, _BAR_WIDTH, _BAR_STEP = 5.35, 1.35, 2.45
_WIDTH = _BAR_X + 2 * _BAR_STEP


def draw_network(
    architecture: Architecture, frames: Frames, length: str, encoders: Sequence[EncoderCost] = ()
) -> Figure:
    """Draw a network.

    Args:
        architecture: what a search chose.
        frames: length T of the utterance that shapes and FLOPs are given for; of several streams, in each.
        length: that length in words, such as `3 s of audio`.
        encoders: what the pretrained encoders in front of it cost, which are no part of the network.
    """
    blocks = network_blocks(architecture, frames)
    names = _name(architecture, blocks)
    with style():
        figure, axes = blank_axes(_WIDTH, _TOP + _ROW * (len(blocks) + 0.75))
        _draw_head(axes, architecture, blocks, length)
        axes.text(0.3, 0.92, describe_encoders(encoders), fontsize=8.5, color=QUIET, va="center")
        for row, (block, name) in enumerate(zip(blocks, names, strict=True)):
            if block.kind == "stem":
                _draw_shape(axes, row - 1, _heard(architecture, block, frames), gap=0.0 if row == 0 else 0.1)
            _draw_block(axes, row, block, name)
            if row + 1 == len(blocks) or blocks[row + 1].kind != "stem":
                _draw_shape(axes, row, _tensor(block))
            _draw_bars(axes, row, block, blocks)
        _draw_second_inputs(axes, blocks)
        _draw_other_streams(axes, blocks)
    return figure


def describe_encoders(encoders: Sequence[EncoderCost]) -> str:
    """What pretrained encoders cost, each up to the level that is heard, in words; nothing where there is none."""
    return "  ".join(
        f"In front, apart: {each.stream} up to level {each.level}, "
        f"{f'{each.parameters:,} parameters, ' if each.parameters is not None else ''}{big(each.flops)}FLOPs"
        for each in encoders
    )


def describe_network(
    architecture: Architecture, frames: Frames, length: str, encoders: Sequence[EncoderCost] = ()
) -> str:
    """A network in words."""
    blocks = network_blocks(architecture, frames)
    parts = [
        f"{name} leaves {_tensor(block)}, {block.parameters:,} parameters, {big(block.flops)}FLOPs"
        for name, block in zip(_name(architecture, blocks), blocks, strict=True)
    ]
    total = f"{sum(block.parameters for block in blocks):,} parameters, {big(sum(b.flops for b in blocks))}FLOPs"
    front = f" {describe_encoders(encoders)}." if encoders else ""
    return f"The network for {length}: {total}. {'; '.join(parts)}.{front}".replace("  ", " ")


def big(number: float) -> str:
    """A number with three digits and a prefix: 12 345 678 is `12.3 M`. A unit may follow at once."""
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * factor:
            return f"{number / factor:#.3g} {prefix}".replace(". ", " ")
    return f"{number:.0f} "


def _name(architecture: Architecture, blocks: Sequence[Block]) -> list[str]:
    """Names of the blocks; cells are numbered, pooling says its kind."""
    names, cells = [], 0
    for block in blocks:
        if block.kind == "stem":
            cells = 0
        name = sentence(_NAMES[block.kind])
        if block.kind in ("normal", "reduce", "seqnn"):
            cells += 1
            name = f"{cells}  {name}"
        elif block.kind == "pooling":
            name = f"{sentence(architecture.pooling)} pooling"
        elif block.kind == "stem" and (stream := _stream(architecture, block)) in architecture.levels:
            name = f"{_levels(architecture.levels[stream])} of {stream}"
        elif block.kind == "stem" and len(architecture.space.hears) > 1:
            name = f"Stem of {stream}"
        names.append(name)
    return names


def _levels(levels: Sequence[int]) -> str:
    return f"Level {levels[0]}" if len(levels) == 1 else f"Levels {levels[0]} to {levels[-1]}"


def _stream(architecture: Architecture, block: Block) -> str:
    """Name of the stream that a block hears; "" of the one spectral stream of a space."""
    return block.stream or next(iter(architecture.heard), "")


def _heard(architecture: Architecture, block: Block, frames: Frames) -> str:
    """The maps that a stem hears."""
    stream = _stream(architecture, block)
    kind = "levels" if stream in architecture.levels else "maps"
    shapes = heard_shape(architecture.space, architecture.input_shape)
    shape = of_stream(shapes, stream), of_stream(frames, stream)
    return f"{kind}  {_shape((*shape[0], shape[1]))}"


def _shape(shape: Sequence[int]) -> str:
    return " × ".join(str(size) for size in shape)


def _share(value: int, total: int) -> str:
    return "<1%" if 0 < value < 0.005 * total else f"{value / total:.0%}"


def _tensor(block: Block) -> str:
    kind = {3: "maps", 2: "sequence", 1: "logits" if block.kind in _LOGITS else "vector"}[len(block.out)]
    return f"{kind}  {_shape(block.out)}"


def _y(row: int) -> float:
    return _TOP + _ROW * (row + 0.5)


def _draw_head(axes: Axes, architecture: Architecture, blocks: Sequence[Block], length: str) -> None:
    """Title, totals and the columns' names."""
    total = f"{sum(block.parameters for block in blocks):,} parameters,  {big(sum(b.flops for b in blocks))}FLOPs"
    axes.text(0.3, 0.34, f"Network {architecture.id}", fontsize=14, fontweight="bold", va="center")
    shapes = f"{_axes(architecture)}maps are channels × bins × frames, sequences frames × width"
    axes.text(0.3, 0.66, f"{total} for {length};  {shapes}",
              fontsize=8.5, color=QUIET, va="center")  # fmt: skip
    for column, (name, _) in enumerate(_BARS):
        axes.text(_BAR_X + column * _BAR_STEP, _TOP - 0.1, name, fontsize=9.5, fontweight="bold", va="center")


def _axes(architecture: Architecture) -> str:
    return "levels × features × frames;  " if architecture.levels else ""


def _draw_block(axes: Axes, row: int, block: Block, name: str) -> None:
    width, height = _BOX
    box = FancyBboxPatch((_LEFT, _y(row) - height / 2), width, height, boxstyle="round,pad=0,rounding_size=0.1",
                         facecolor=_COLORS[block.kind], edgecolor=INK, lw=1.1, zorder=3)  # fmt: skip
    axes.add_patch(box)
    axes.text(_LEFT + width / 2, _y(row), name, ha="center", va="center", fontsize=10, zorder=4)


def _draw_shape(axes: Axes, row: int, text: str, gap: float = 0.0) -> None:
    """The arrow below a block, a gap behind it where it comes from elsewhere, and the tensor that it carries."""
    x, top = _LEFT + _BOX[0] / 2, _y(row) + _BOX[1] / 2
    arrow = FancyArrowPatch((x, top + gap), (x, top + _ROW - _BOX[1]), arrowstyle="-|>,head_length=4,head_width=2.4",
                            shrinkA=0, shrinkB=0, color=QUIET, lw=1.2)  # fmt: skip
    axes.add_patch(arrow)
    axes.text(x + 0.14, top + (_ROW - _BOX[1]) / 2, text, fontsize=8.5, color=QUIET, va="center")


def _draw_bars(axes: Axes, row: int, block: Block, blocks: Sequence[Block]) -> None:
    """What the block costs, as a share of the network and as a number."""
    for column, (_, color) in enumerate(_BARS):
        values = [(each.parameters, each.flops)[column] for each in blocks]
        value, x = values[row], _BAR_X + column * _BAR_STEP
        longest, total = max(*values, 1), max(sum(values), 1)
        axes.add_patch(Rectangle((x, _y(row) - 0.1), _BAR_WIDTH, 0.2, facecolor=SURFACE))
        axes.add_patch(Rectangle((x, _y(row) - 0.1), _BAR_WIDTH * value / longest, 0.2, facecolor=color))
        axes.text(x + _BAR_WIDTH + 0.08, _y(row), f"{big(value).strip()}  ({_share(value, total)})", fontsize=8.5,
                  va="center")  # fmt: skip


def _draw_second_inputs(axes: Axes, blocks: Sequence[Block]) -> None:
    """Each cell also takes what the block two above leaves; the first of its kind takes one tensor twice."""
    for row, block in enumerate(blocks):
        if block.kind not in ("normal", "reduce", "seqnn"):
            continue
        first = blocks[row - 1].kind in ("stem", "bridge", "streams")
        top = _y(row - 1 if first else row - 2) + _BOX[1] / 2 + (_ROW - _BOX[1]) * 0.32
        shift = 0.42 + 0.22 * (row % 2)
        _draw_way(axes, (_LEFT + _BOX[0] / 2, top), _y(row) - 0.08, shift, _SECOND)


def _draw_other_streams(axes: Axes, blocks: Sequence[Block]) -> None:
    """What the paths leave that do not end right above the sum of streams."""
    sums = [row for row, block in enumerate(blocks) if block.kind == "streams"]
    for row, block in enumerate(blocks):
        if block.kind == "bridge" and sums and row + 1 != sums[0]:
            _draw_way(axes, (_LEFT, _y(row)), _y(sums[0]), 0.86 + 0.04 * row / len(blocks), QUIET)


def _draw_way(axes: Axes, begins: tuple[float, float], bottom: float, shift: float, color: str) -> None:
    """A line from a point, past blocks on the left, into a block at this height."""
    start, top = begins
    radius, x = 0.12, _LEFT - shift
    points = [(start, top), (x + radius, top), (x, top), (x, top + radius), (x, bottom - radius), (x, bottom),
              (x + radius, bottom), (_LEFT - 0.08, bottom)]  # fmt: skip
    codes = [Path.MOVETO, Path.LINETO, Path.CURVE3, Path.CURVE3, Path.LINETO, Path.CURVE3, Path.CURVE3, Path.LINETO]
    path = Path(points, codes)
    axes.add_patch(PathPatch(path, facecolor="none", edgecolor=PAPER, lw=4, zorder=0.8))
    axes.add_patch(PathPatch(path, facecolor="none", edgecolor=color, lw=1.6, zorder=0.9))
    head = FancyArrowPatch((_LEFT - 0.12, bottom), (_LEFT, bottom), arrowstyle="-|>,head_length=4,head_width=2.4",
                           shrinkA=0, shrinkB=0, color=color, lw=1.2)  # fmt: skip
    axes.add_patch(head)
