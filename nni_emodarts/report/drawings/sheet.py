"""One picture of an architecture: the whole network, then its cells."""

import re
from collections.abc import Sequence
from pathlib import Path

from nni_emodarts.models.architecture import Architecture, cell_kinds
from nni_emodarts.report.drawings.canvas import svg
from nni_emodarts.report.drawings.cells import draw_cell
from nni_emodarts.report.drawings.drawing import Subject, find_subject
from nni_emodarts.report.drawings.families import PAPER
from nni_emodarts.report.drawings.network import draw_network
from nni_emodarts.runtime.run_folder import DRAWING, RunFolder

_GAP = 18.0  # points between drawings
_SIZE = re.compile(r'<svg [^>]*?viewBox="0 0 ([\d.]+) ([\d.]+)"[^>]*>', re.DOTALL)


def draw_sheet(source: str | Path | Architecture) -> str:
    """Draw an architecture as one SVG.

    Args:
        source: the architecture, or the run folder that holds it, whose search then shows in the edges' widths.
    """
    subject = Subject(source) if isinstance(source, Architecture) else find_subject(source)
    architecture = subject.architecture
    figures = [draw_network(subject.network, *subject.length, subject.encoders)]
    figures += [draw_cell(architecture, kind, subject.strengths) for kind in cell_kinds(architecture.space)]
    return _stack([svg(figure) for figure in figures])


def write_sheet(folder: RunFolder) -> bytes:
    """Write the sheet of a run folder's architecture into it.

    Returns:
        The file's bytes.
    """
    data = draw_sheet(folder.path).encode()
    folder.write_bytes(DRAWING, data)
    return data


def _stack(drawings: Sequence[str]) -> str:
    """SVGs one below the other. Matplotlib's ids are hashes of what they name, so that none means two things."""
    width = height = 0.0
    parts = []
    for drawing in drawings:
        head = _SIZE.search(drawing)
        if head is None:
            raise ValueError("a drawing names no size")
        own_width, own_height = float(head[1]), float(head[2])
        parts.append(f'<g transform="translate(0 {height:g})">\n{drawing[head.end() : drawing.rindex("</svg>")]}</g>\n')
        width, height = max(width, own_width), height + own_height + _GAP
    height -= _GAP
    size = f'width="{width:g}pt" height="{height:g}pt" viewBox="0 0 {width:g} {height:g}"'
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    back = f'<rect width="{width:g}" height="{height:g}" fill="{PAPER}"/>\n'
    return f'<?xml version="1.0" encoding="utf-8"?>\n<svg {names} {size} version="1.1">\n{back}{"".join(parts)}</svg>\n'
