"""Figures of a main table beside those of each method."""

from typing import Any

import numpy as np
import pytest
from finished_cells import finished

from benchmarks.evidence.further_figures import further_figures
from benchmarks.evidence.tables import SeedBudget
from nni_emodarts.config import load_config
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.comparisons import compare_with

SPACE = load_config("compact").space
CHOICES = {"choices": {"normal_2": [0, 1], "normal_2_0": "sep_conv_3x3", "normal_2_1": "skip_connect"}}


def cells(name: str, seeds: tuple[int, ...], skill: int, **more: Any) -> list[FinishedCell]:
    """Six folds of one speaker each, two classes of twenty utterances; the first seed is always right."""
    made = []
    for seed in seeds:
        for fold in range(6):
            right = 20 if seed == 1 else skill + fold
            cost = {"cpu_seconds": 100.0 * seed, "search_cpu_seconds": 10.0 * seed}
            speakers = {f"{fold}": [[right, 20 - right], [0, 20]]}
            environment = {"processor": f"kind {min(seed, 2)}", "device": "cpu"}
            made.append(finished(fold, seed, method=name, speakers=speakers, environment=environment, **cost, **more))
    return made


@pytest.fixture
def held() -> dict[str, list[FinishedCell]]:
    return {
        "compare_svm": cells("compare_svm", (1,), 0),
        "cnn": cells("cnn", (1, 2), 12),
        "cnn_lstm": cells("cnn_lstm", (1, 2, 3), 14),
        "random_search": cells("random_search", (1,), 0, budget_cpu_seconds=7.0, payer_cpu_seconds=3.5),
        "darts": cells("darts", (1, 2, 3), 10, architecture=CHOICES),
    }


PLANNED = ("compare_svm", "cnn_lstm", "random_search", "darts")


def test_comparisons_without_the_seeds_that_had_a_say(held: dict[str, list[FinishedCell]]) -> None:
    rows = further_figures(held, PLANNED, (1,), SPACE).untouched
    assert [row.method for row in rows] == ["compare_svm", "cnn_lstm"], "random search has no other seed"
    assert [row.seeds for row in rows] == [[2, 3], [2, 3]]
    assert rows[1].difference == pytest.approx(4 / 20 / 2)
    later = {name: [cell for cell in held[name] if cell.seed > 1] for name in ("cnn_lstm", "darts")}
    (alone,) = compare_with("darts", later)
    assert (rows[1].p, rows[1].interval) == (alone.p, alone.interval)
    everything = further_figures(held, PLANNED, (), SPACE).untouched
    assert [row.seeds for row in everything] == [[1, 2, 3], [1, 2, 3], [1]]


def test_what_was_not_planned_is_compared_apart(held: dict[str, list[FinishedCell]]) -> None:
    (row,) = further_figures(held, PLANNED, (1,), SPACE).unplanned
    assert (row.method, row.seeds) == ("cnn", [1, 2])
    del held["darts"]
    assert further_figures(held, PLANNED, (1,), SPACE).unplanned == []


def test_costs_stand_by_machine(held: dict[str, list[FinishedCell]]) -> None:
    other = {"processor": "kind 2", "device": "cuda:0", "accelerator": "GPU"}
    held["darts"][-1] = held["darts"][-1].model_copy(update={"environment": other})
    costs = [row for row in further_figures(held, PLANNED, (1,), SPACE).costs if row.method == "darts"]
    assert [(row.machine, row.cells) for row in costs] == [("kind 1", 6), ("kind 2", 11), ("kind 2 with GPU", 1)]
    mean = np.mean([200.0] * 6 + [300.0] * 5)
    assert (costs[1].cpu_seconds, costs[1].search_cpu_seconds) == (round(mean, 1), round(mean / 10, 1))


def test_prices_stand_by_seed(held: dict[str, list[FinishedCell]]) -> None:
    assert further_figures(held, PLANNED, (1,), SPACE).prices == [
        SeedBudget(seed=1, search_cpu_seconds=60.0, budget_cpu_seconds=42.0, payer_cpu_seconds=21.0)
    ]


def test_architectures_are_counted_where_there_are_any(held: dict[str, list[FinishedCell]]) -> None:
    found = further_figures(held, PLANNED, (1,), SPACE)
    assert set(found.agreements) == set(found.operations.found) == {"darts"}
    assert found.agreements["darts"] == {"other_seed": 1.0, "other_fold": 1.0, "both_other": 1.0}
    assert found.operations.found["darts"]["skip_connections"] == 18
