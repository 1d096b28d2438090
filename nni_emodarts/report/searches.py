"""Architectures and searches as a page shows them."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd

from nni_emodarts.metrics.decision import describe_decision, describe_probes, warn_undecided
from nni_emodarts.metrics.headline import UAR, shown_in
from nni_emodarts.metrics.reliability import described_estimate
from nni_emodarts.models.architecture import cell_kinds
from nni_emodarts.report.drawings.alphas import Alphas, Panel, kinds, panels
from nni_emodarts.report.drawings.cells import describe_cell, draw_cell
from nni_emodarts.report.drawings.drawing import Subject
from nni_emodarts.report.drawings.families import CELL_NAMES, readable, sentence
from nni_emodarts.report.drawings.film import (
    COLORS,
    draw_alphas,
    draw_candidates,
    draw_layers,
    draw_search,
    ratio_bound,
)
from nni_emodarts.report.drawings.network import describe_network, draw_network
from nni_emodarts.report.drawings.records import read_candidates, read_epochs
from nni_emodarts.report.runs import Search
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.run_folder import RunFolder

_SHADES = 33


def palette() -> list[str]:
    """The colours of a film, from far below the even chance to far above."""
    colors = mpl.colormaps[COLORS](np.linspace(0, 1, _SHADES))
    return [f"#{''.join(f'{round(part * 255):02x}' for part in color[:3])}" for color in colors]


def describe_subject(subject: Subject, used: list[str]) -> JsonObject:
    """An architecture's drawings, with the same in words."""
    architecture, known = subject.architecture, subject.strengths
    drawings = [
        {
            "figure": draw_cell(architecture, kind, known),
            "alt": describe_cell(architecture, kind, known),
            "caption": "",
        }
        for kind in cell_kinds(architecture.space)
    ]
    network = {
        "figure": draw_network(subject.network, *subject.length, subject.encoders),
        "alt": describe_network(subject.network, *subject.length, subject.encoders),
        "caption": "",
    }
    origin = {key: value for key, value in architecture.origin.items() if key in ("strategy", "seed", "fold", "preset")}
    return {"id": architecture.id, "used": used, "drawings": [*drawings, network], "origin": origin}


def describe_search(search: Search, identity: str) -> JsonObject:
    """A search's film, curves and heat maps, and how decided it is."""
    alphas = Alphas.read(search.folder)
    history = _read_history(search.folder)
    architecture = None if search.subject is None else search.subject.architecture
    found: JsonObject = {"id": identity, "name": search.name, "film": None, "curves": None, "maps": []}
    found["notes"] = [*describe_probes(search.metrics), *described_estimate(search.metrics)]
    for key, said in (("decision", describe_decision(search.metrics)), ("undecided", warn_undecided(search.metrics))):
        found[key] = None if said is None else sentence(said)
    candidates = read_candidates(search.folder)
    if candidates is not None:
        found["curves"] = {
            "figure": draw_candidates(candidates),
            "alt": f"Validation UAR of {len(candidates)} candidates in the order of the search.",
        }
    elif history is not None and not history.empty:
        last = history.iloc[-1]
        known = [name for name in history.columns if name != "epoch" and not np.isnan(last[name])]
        figures = ", ".join(f"{name} {last[name]:.3g}" for name in known)
        found["curves"] = {
            "figure": draw_search(history),
            "alt": f"Curves over {len(history)} epochs; in the end {figures}.",
        }
    if alphas is not None:
        shown = kinds(alphas, architecture)
        found["film"] = {
            "epochs": alphas.epochs,
            "val_uar": {} if history is None else _by_epoch(history),
            "figure": UAR.name if history is None else shown_in(history.columns).name,
            "cells": [_film_panel(panel) for panel in panels(alphas, architecture)],
        }
        found["maps"] = [
            {
                "figure": draw_alphas(alphas, kind, architecture),
                "alt": f"Heat maps of the {CELL_NAMES[kind]}: probability of each operation on each edge, by epoch. "
                f"The film above holds the same figures as text.",
                "caption": "",
            }
            for kind in shown
        ]
        if alphas.layers:
            found["maps"].append(
                {
                    "figure": draw_layers(alphas, architecture),
                    "alt": "Heat maps of the choices outside the cells: probability of each candidate, by epoch. The "
                    "film above holds the same figures as text.",
                    "caption": "",
                }
            )
    return found


def _read_history(folder: RunFolder) -> pd.DataFrame | None:
    """Figures by epoch; not a number where an epoch has none, as ENAS' reward in the warm-up."""
    history = read_epochs(folder)
    return None if history is None else history.apply(pd.to_numeric, errors="coerce")


def _by_epoch(history: Any) -> dict[str, float]:
    return {
        str(int(row["epoch"])): round(float(row[shown_in(history.columns).val]), 4) for _, row in history.iterrows()
    }


def _film_panel(panel: Panel) -> JsonObject:
    """A kind of cell, or a choice outside: a row for each edge, a column for each operation, a value for each epoch."""
    return {
        "name": panel.title,
        "operations": [readable(name) for name in panel.tracks[0].choices],
        "bound": round(ratio_bound(panel.tracks), 4),
        "rows": [
            {
                "edge": row,
                "taken": track.label in panel.chosen,
                "chosen": track.choices.index(held) if (held := panel.chosen.get(track.label)) in track.choices else -1,
                "values": np.round(np.nan_to_num(track.values), 4).tolist(),
            }
            for row, track in zip(panel.rows, panel.tracks, strict=True)
        ],
    }
