"""What is summed up of a method's finished cells."""

from typing import Any

import numpy as np
import pytest

from nni_emodarts.summaries import summarize


def cell(fold: int, seed: int, right: int, **more: Any) -> dict[str, Any]:
    """A fold of one speaker, who says 10 utterances of each of two classes."""
    counts = [[right, 10 - right], [10 - right, right]]
    return {
        "fold": fold, "seed": seed, "classes": ["anger", "neutral"], "speakers": {f"{fold}": counts},
        "test_uar": right / 10, "val_uar": None, "cpu_seconds": 8.0, "search_cpu_seconds": 0.0, "parameters": 5, **more,
    }  # fmt: skip


def test_how_far_a_fold_deviates_from_seed_to_seed() -> None:
    right = {(0, 1): 5, (0, 2): 7, (0, 3): 9, (1, 1): 8, (1, 2): 8, (1, 3): 5}
    found = summarize("lstm", [cell(fold, seed, count) for (fold, seed), count in right.items()])
    variances = [np.var([0.5, 0.7, 0.9], ddof=1), np.var([0.8, 0.8, 0.5], ddof=1)]
    assert found["fold_uar_std"] == pytest.approx(np.sqrt(np.mean(variances)))
    assert found["uar_std"] < found["fold_uar_std"], "the folds' luck evens out over the folds"
    assert summarize("lstm", [cell(0, 1, 5), cell(1, 1, 8)])["fold_uar_std"] is None


def test_what_random_search_may_spend_is_that_of_a_seed() -> None:
    costs = {"budget_cpu_seconds": 60.0, "payer_cpu_seconds": 30.0}
    found = summarize("random_search", [cell(fold, seed, 6, **costs) for fold in (0, 1) for seed in (1, 2)])
    assert (found["budget_cpu_seconds"], found["payer_cpu_seconds"]) == (120.0, 60.0)
