"""The alphas of a search, as its alphas.csv holds them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from nni_emodarts.errors import RunFolderError
from nni_emodarts.models.architecture import Architecture, CellKind, cell_kinds, is_edge, is_layer, read_edge
from nni_emodarts.report.drawings.families import CELL_NAMES, layer_name, sentence
from nni_emodarts.runtime.run_folder import ALPHAS, REMEDY, RunFolder

Probabilities = Mapping[str, Mapping[str, float]]
"""Label -> choice -> probability."""


@dataclass(frozen=True)
class Track:
    """How the probabilities of one label's choices went.

    Attributes:
        label: the label.
        choices: its choices, in the space's order.
        values: (choices, epochs).
    """

    label: str
    choices: tuple[str, ...]
    values: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Alphas:
    """Every alpha of a search, epoch by epoch."""

    table: pd.DataFrame

    @classmethod
    def read(cls, folder: RunFolder) -> "Alphas | None":
        """A search's alphas; None where its strategy has none.

        Raises:
            RunFolderError: the table is broken.
        """
        if not folder.has(ALPHAS):
            return None
        table = folder.read_csv(ALPHAS)
        if table.empty:
            raise RunFolderError(f"run folder {folder.path}: {ALPHAS} is empty; {REMEDY}")
        return cls(table.assign(choice=table["choice"].astype(str)))

    @cached_property
    def epochs(self) -> list[int]:
        """Numbers of the epochs, counted from 0."""
        return sorted(int(epoch) for epoch in self.table["epoch"].unique())

    @cached_property
    def tracks(self) -> dict[str, Track]:
        """Label -> its track."""
        found = {}
        for label, rows in self.table.groupby("label", sort=False):
            wide = rows.pivot_table(index="choice", columns="epoch", values="probability", sort=False)
            wide = wide.reindex(columns=self.epochs)
            found[str(label)] = Track(str(label), tuple(map(str, wide.index)), wide.to_numpy(np.float64))
        return found

    def edges(self, kind: CellKind) -> list[Track]:
        """Tracks of the edges of a kind of cell, node by node."""
        return [track for label, track in self.tracks.items() if label.startswith(f"{kind}_") and label.count("_") == 2]

    def inputs(self, kind: CellKind) -> list[Track]:
        """Tracks of the choices of inputs, node by node."""
        return [track for label, track in self.tracks.items() if label.startswith(f"{kind}_") and label.count("_") == 1]

    @cached_property
    def layers(self) -> list[Track]:
        """Tracks of the choices outside the cells."""
        return [track for label, track in self.tracks.items() if is_layer(label)]

    @property
    def last(self) -> Probabilities:
        """Probabilities in the end."""
        return {
            label: dict(zip(track.choices, map(float, track.values[:, -1]), strict=True))
            for label, track in self.tracks.items()
        }


def strengths(architecture: Architecture, probabilities: Probabilities) -> dict[str, float]:
    """How much of its node each chosen edge carried: P(operation) * P(input), by edge label; known ones only."""
    found = {}
    for label, choice in architecture.choices.items():
        if not isinstance(choice, tuple):
            continue
        for state in choice:
            edge = f"{label}_{state}"
            operation = probabilities.get(edge, {}).get(str(architecture.choices[edge]))
            if operation is not None:
                found[edge] = operation * probabilities.get(label, {}).get(str(state), 1.0)
    return found


def kinds(alphas: Alphas, architecture: Architecture | None = None) -> list[CellKind]:
    """Kinds of cells that a search has alphas of."""
    every: tuple[CellKind, ...] = ("normal", "reduce", "seqnn")
    known = every if architecture is None else cell_kinds(architecture.space)
    return [kind for kind in known if alphas.edges(kind)]


def chosen_edges(architecture: Architecture, kind: CellKind) -> dict[str, str]:
    """Edge label -> operation of the edges that a network holds, of one kind of cell."""
    return {
        label: choice
        for label, choice in architecture.choices.items()
        if isinstance(choice, str) and is_edge(label) and read_edge(label).kind == kind
    }


@dataclass(frozen=True)
class Panel:
    """Tracks that are shown together, since their choices are the same.

    Attributes:
        title: what they are of.
        tracks: the tracks, one at least.
        rows: the name of each.
        chosen: label -> what a network holds, of those that it has.
    """

    title: str
    tracks: tuple[Track, ...]
    rows: tuple[str, ...]
    chosen: Mapping[str, str]


def panels(alphas: Alphas, architecture: Architecture | None = None) -> list[Panel]:
    """All that a search chose from: the edges of each kind of cell, then each choice outside the cells."""
    found = []
    for kind in kinds(alphas, architecture):
        tracks = tuple(alphas.edges(kind))
        chosen = {} if architecture is None else chosen_edges(architecture, kind)
        rows = tuple(arrow(track.label) for track in tracks)
        found.append(Panel(sentence(CELL_NAMES[kind]), tracks, rows, chosen))
    return [*found, *(_layer_panel(track, architecture) for track in alphas.layers)]


def _layer_panel(track: Track, architecture: Architecture | None) -> Panel:
    chosen = None if architecture is None else architecture.choices.get(track.label)
    held = {track.label: chosen} if isinstance(chosen, str) else {}
    return Panel(sentence(layer_name(track.label)), (track,), ("",), held)


def arrow(label: str) -> str:
    """An edge's states as a reader sees them: `0 → 2` of `normal_2_0`."""
    edge = read_edge(label)
    return f"{edge.predecessor} → {edge.node}"
