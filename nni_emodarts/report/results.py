"""The figures of runs as a page shows them."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_emodarts.metrics.intervals import bootstrap_recalls, bootstrap_uar, uar_of_confusion, wa_of_confusion
from nni_emodarts.metrics.paired import compare_systems, holm
from nni_emodarts.report.drawings.charts import draw_figures, draw_recalls, draw_training
from nni_emodarts.report.runs import Network, Run, Search, uars_by_seed

_LEAST_SPEAKERS = 3
_NO_INTERVAL = (float("nan"), float("nan"))


def compare_runs(runs: Sequence[Run]) -> dict[str, Any]:
    """Runs beside each other: a row for each, charts, and the difference of each from the first."""
    rows = [_headline(run) for run in runs]
    scored = [(run, row) for run, row in zip(runs, rows, strict=True) if row["uar"] is not None]
    found: dict[str, Any] = {"rows": rows, "chart": None, "recalls": None, "differences": _differences(runs)}
    if len(scored) > 1:
        found["chart"] = {
            "figure": draw_figures([(run.name, row["uar"], row["interval"]) for run, row in scored]),
            "alt": "; ".join(f"{run.name}: test UAR {row['uar']:.3f}{_words(row['interval'])}" for run, row in scored),
        }  # fmt: skip
    if scored and len({run.classes for run, _ in scored}) == 1:
        classes, recalls = scored[0][0].classes, {run.name: _recalls(run) for run, _ in scored}
        found["recalls"] = {
            "figure": draw_recalls(classes, recalls),
            "alt": "; ".join(_recall_words(name, classes, values) for name, (values, _) in recalls.items()),
        }
    return found


def _headline(run: Run) -> dict[str, Any]:
    """A run's row."""
    uars = list(uars_by_seed(run).values())
    figures = run.pooled or {}
    confusion = run.confusion
    measured = run.networks or run.searches  # a supernet's figure and a network's are not the same thing
    parameters = [int(network.metrics["parameters"]) for network in run.networks if "parameters" in network.metrics]
    return {
        "name": run.name,
        "method": run.method,
        "uar": mean(uars) if uars else None,
        "std": stdev(uars) if len(uars) > 1 else None,
        "interval": bootstrap_uar(run.stacked) if run.stacked is not None and _enough(run) else None,
        "wa": figures.get("test_wa", None if confusion is None else float(wa_of_confusion(confusion))),
        "f1": figures.get("test_macro_f1"),
        "val_uar": _validation(measured),
        "folds": len(run.folds),
        "seeds": len(run.seeds),
        "parameters": round(mean(parameters)) if parameters else None,
        "cpu_seconds": _cost(run),
        "overlap": bool(run.overlap),
    }


def _enough(run: Run) -> bool:
    """Whether there are speakers enough to draw them anew; one alone would give an interval without width."""
    return run.stacked is not None and run.stacked.shape[1] >= _LEAST_SPEAKERS


def _cost(run: Run) -> float:
    """CPU seconds of all searches and trainings; a benchmark's cell counts its search itself."""
    keys = ("cpu_seconds", "candidate_cpu_seconds")  # candidates are trained in processes of their own
    return sum(max(float(each.metrics.get(key, 0.0)) for key in keys) for each in run.parts)


def _differences(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Each run against the first, where both were scored on the same utterances."""
    if not runs or runs[0].stacked is None or not _enough(runs[0]):
        return []
    found: list[dict[str, Any]] = []
    p_values: list[float] = []
    for run in runs[1:]:
        if run.stacked is None or run.classes != runs[0].classes:
            continue
        try:
            difference = compare_systems(run.stacked, runs[0].stacked)
        except ValueError:  # other utterances
            continue
        p_values.append(difference.p)
        found.append({"name": run.name, "value": difference.value, "interval": difference.interval, "p": difference.p})
    adjusted = holm(p_values) if found else []
    return [{**each, "p_holm": p, "reference": runs[0].name} for each, p in zip(found, adjusted, strict=True)]


def describe_results(run: Run) -> dict[str, Any] | None:
    """A run's results: by seed, by fold, by emotion, confusions, curves; None where nothing was trained."""
    if not run.networks:
        return None
    histories = {
        network.name: network.history
        for network in run.networks
        if network.history is not None and "val_uar" in network.history.columns
    }
    return {
        "seeds": uars_by_seed(run),
        "folds": [_fold(run, fold) for fold in run.folds],
        "emotions": _emotions(run),
        "confusion": _confusion(run),
        "training": None
        if not histories
        else {"figure": draw_training(histories, _kept(run)), "alt": _training_words(run)},
    }


def _fold(run: Run, fold: int) -> dict[str, Any]:
    """Figures of one fold, means over its seeds."""
    networks = [network for network in run.networks if network.fold == fold]
    epochs = [network.metrics["best_epoch"] for network in networks if network.metrics.get("best_epoch") is not None]
    speakers = sorted({speaker for network in networks for speaker in network.speakers})
    first = networks[0]
    return {
        "fold": fold,
        "speakers": ", ".join(speakers) if len(speakers) <= 6 else f"{len(speakers)} speakers",
        "utterances": sum(int(np.sum(counts)) for counts in first.speakers.values()),
        "val_uar": _validation(networks),
        "test_uar": mean(map(_test_uar, networks)) if first.speakers else None,
        "epochs": ", ".join(map(str, epochs)),
        "architecture": str(first.metrics.get("architecture", "–")) if first.subject is None
        else first.subject.architecture.id,
    }  # fmt: skip


def _test_uar(network: Network) -> float:
    return float(uar_of_confusion(np.sum([np.asarray(counts) for counts in network.speakers.values()], axis=0)))


def _recalls(run: Run) -> tuple[list[float | None], list[tuple[float, float]]]:
    """Recall of each class, and its interval."""
    confusion = run.confusion
    if confusion is None:
        return [None] * len(run.classes), [_NO_INTERVAL] * len(run.classes)
    totals = confusion.sum(1)
    values = [float(confusion[k, k] / totals[k]) if totals[k] else None for k in range(len(run.classes))]
    if run.stacked is None or not _enough(run):
        return values, [_NO_INTERVAL] * len(values)
    return values, [(float(low), float(high)) for low, high in bootstrap_recalls(run.stacked)]


def _emotions(run: Run) -> list[dict[str, Any]]:
    confusion = run.confusion
    if confusion is None:
        return []
    values, intervals = _recalls(run)
    seeds = max(len({network.seed for network in run.scored}), 1)
    predicted = confusion.sum(0)
    return [
        {
            "name": name,
            "utterances": int(confusion[number].sum()) // seeds,
            "recall": values[number],
            "interval": None if np.isnan(intervals[number][0]) else intervals[number],
            "precision": float(confusion[number, number] / predicted[number]) if predicted[number] else None,
            "taken_for": _taken_for(confusion[number], number, run.classes),
        }
        for number, name in enumerate(run.classes)
    ]


def _taken_for(row: npt.NDArray[np.int64], number: int, classes: Sequence[str]) -> str:
    """What an emotion was most often taken for."""
    others = row.copy()
    others[number] = 0
    if not others.any():
        return "–"
    most = int(others.argmax())
    return f"{classes[most]} ({others[most] / row.sum():.0%})"


def _confusion(run: Run) -> dict[str, Any] | None:
    confusion = run.confusion
    if confusion is None:
        return None
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    rows = [
        {
            "name": name,
            "cells": [
                {"count": int(confusion[number, other]), "share": float(shares[number, other]), "hit": number == other,
                 "level": round(float(shares[number, other]) * 10)}
                for other in range(len(run.classes))
            ],
        }
        for number, name in enumerate(run.classes)
    ]  # fmt: skip
    return {"classes": run.classes, "rows": rows}


def _validation(measured: Sequence[Network] | Sequence[Search]) -> float | None:
    """Mean validation UAR of those that were validated."""
    found = [float(each.metrics["val_uar"]) for each in measured if each.metrics.get("val_uar") is not None]
    return mean(found) if found else None


def _kept(run: Run) -> dict[str, int]:
    """The epoch of each network whose weights are kept, by the network's name."""
    epochs = {network.name: network.metrics.get("best_epoch") for network in run.networks}
    return {name: epoch for name, epoch in epochs.items() if epoch is not None}


def _training_words(run: Run) -> str:
    kept: Mapping[str, Any] = {network.name: network.metrics for network in run.networks}
    parts = [
        f"{name}: {metrics['val_uar']:.3f} after epoch {metrics.get('best_epoch')}, which is kept"
        for name, metrics in kept.items()
        if metrics.get("val_uar") is not None
    ]
    return f"Validation UAR and loss by epoch. {'; '.join(parts)}."


def _recall_words(name: str, classes: Sequence[str], values: Sequence[float | None]) -> str:
    return f"{name}: {', '.join(f'{each} {_text(value)}' for each, value in zip(classes, values, strict=True))}"


def _words(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" (95 % interval {interval[0]:.3f} to {interval[1]:.3f})"


def _text(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
