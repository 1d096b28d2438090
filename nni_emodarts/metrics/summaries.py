"""Finished cells of a benchmark, read and summed up by method."""

import json
from collections import Counter
from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from statistics import mean, stdev, variance
from typing import Any

from nni_emodarts.errors import RunFolderError
from nni_emodarts.metrics.comparisons import stacked, stacked_folds
from nni_emodarts.metrics.ensemble import joint_confusions
from nni_emodarts.metrics.intervals import bootstrap_uar, uar_of_confusion, wa_of_confusion


def summarize(name: str, cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A method's figures over its cells: pooled over the folds per seed, then over the seeds.

    Returns:
        `uar_mean`, `uar_std` (over the seeds; None for one), `uar_by_seed`, `uar_interval` (bootstrap over speakers),
        `wa_mean`, `fold_mean_uar`, `by_fold` and `wa_by_fold` (UAR and WA of each, mean over the seeds), `fold_uar_std`
        (deviation of one fold's UAR over the seeds, root mean square over the folds; None for one seed), `val_uar`
        (None where a cell has none), `recall` by class, `confusion` (rows true, columns predicted, all seeds together),
        `seeds`, `folds`, and the means of `cpu_seconds`, `search_cpu_seconds` (of one seed, all folds), `parameters`
        and `flops` (of one network; for one second of audio, None where a cell has none). Where a search has
        candidates, their mean number; of random search `budget_cpu_seconds`, what it was given to spend, and
        `payer_cpu_seconds`, what the searches that it is compared with had cost where they were computed (of one seed,
        all folds); where networks were searched or drawn, `operations`: how often each was chosen; where several seeds
        say what they answered, `ensemble`: `uar`, `uar_interval` and `wa` of the mean of their probabilities.
    """
    seeds = sorted({cell["seed"] for cell in cells})
    flops = [cell["flops"] for cell in cells if cell.get("flops") is not None]
    validated = [cell["val_uar"] for cell in cells if cell["val_uar"] is not None]
    confusions = stacked(cells)
    pooled = confusions.sum(1)
    uars = [float(value) for value in uar_of_confusion(pooled)]
    confusion = pooled.sum(0)
    summary = {
        "name": name,
        "uar_mean": mean(uars),
        "uar_std": stdev(uars) if len(uars) > 1 else None,
        "uar_by_seed": {str(seed): uar for seed, uar in zip(seeds, uars, strict=True)},
        "uar_interval": list(bootstrap_uar(confusions)),
        "wa_mean": float(wa_of_confusion(pooled).mean()),
        "fold_mean_uar": mean(cell["test_uar"] for cell in cells),
        "fold_uar_std": _deviation_within_folds(cells) if len(seeds) > 1 else None,
        "val_uar": mean(validated) if len(validated) == len(cells) else None,
        "recall": {
            label: float(row[number] / max(row.sum(), 1))
            for number, (label, row) in enumerate(zip(cells[0]["classes"], confusion, strict=True))
        },
        "confusion": confusion.tolist(),
        "seeds": seeds,
        "folds": sorted({cell["fold"] for cell in cells}),
        "by_fold": {
            str(fold): mean(c["test_uar"] for c in cells if c["fold"] == fold) for fold in {c["fold"] for c in cells}
        },
        "wa_by_fold": _accuracies_by_fold(cells),
        "speakers": confusions.shape[1],
        "utterances": int(confusion.sum()) // len(seeds),
        "cpu_seconds": round(sum(cell["cpu_seconds"] for cell in cells) / len(seeds), 1),
        "search_cpu_seconds": round(sum(cell["search_cpu_seconds"] for cell in cells) / len(seeds), 1),
        "parameters": round(mean(cell["parameters"] for cell in cells)),
        "flops": round(mean(flops)) if len(flops) == len(cells) else None,
    }
    if len(seeds) > 1 and all("answers" in cell for cell in cells):
        summary["ensemble"] = _ask_together(cells)
    if all("candidates" in cell for cell in cells):
        summary["candidates"] = mean(cell["candidates"] for cell in cells)
    for key in ("budget_cpu_seconds", "payer_cpu_seconds"):
        if all(key in cell for cell in cells):
            summary[key] = round(sum(cell[key] for cell in cells) / len(seeds), 1)
    if all("architecture" in cell for cell in cells):
        summary["operations"] = _count_operations(cells)
    return summary


def _deviation_within_folds(cells: Sequence[dict[str, Any]]) -> float:
    folds = {cell["fold"] for cell in cells}
    return sqrt(mean(variance(cell["test_uar"] for cell in cells if cell["fold"] == fold) for fold in folds))


def _accuracies_by_fold(cells: Sequence[dict[str, Any]]) -> dict[str, float]:
    folds = sorted({cell["fold"] for cell in cells})
    accuracies = wa_of_confusion(stacked_folds(cells)).mean(0)
    return {str(fold): float(value) for fold, value in zip(folds, accuracies, strict=True)}


def _ask_together(cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    confusions = joint_confusions(cells)
    pooled = confusions.sum((0, 1))
    return {
        "uar": float(uar_of_confusion(pooled)),
        "uar_interval": list(bootstrap_uar(confusions)),
        "wa": float(wa_of_confusion(pooled)),
    }


def _count_operations(cells: Sequence[dict[str, Any]]) -> dict[str, int]:
    choices = [choice for cell in cells for choice in cell["architecture"]["choices"].values()]
    return dict(sorted(Counter(choice for choice in choices if isinstance(choice, str)).items()))


def read_cell(file: Path) -> dict[str, Any]:
    """A finished cell.

    Raises:
        RunFolderError: it is missing or no cell.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunFolderError(f"cell {file} cannot be read ({error}); delete it to compute it again") from None
    if not isinstance(data, dict) or "speakers" not in data:
        raise RunFolderError(f"{file} is no cell of a benchmark; delete it to compute it again")
    return data
