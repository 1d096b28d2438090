"""Benchmarks of methods that learn dimensions."""

from pathlib import Path

import numpy as np
import pytest

from nni_emodarts.benchmark.run import run_benchmark
from nni_emodarts.config import load_config
from nni_emodarts.metrics.dimensions import ccc
from nni_emodarts.models.baselines.probe_fitting import Heard
from nni_emodarts.models.baselines.rating import RIDGE, SUPPORT_VECTORS, Regression, choose_rating, fit_raters
from nni_emodarts.runtime.run_folder import RunFolder

FAST = ("retrain.epochs=1", "retrain.batch_size=8")


@pytest.mark.parametrize("task", ["dimensions", "both"])
def test_methods_are_compared_by_the_headline(small_manifest: Path, task: str, tmp_path: Path) -> None:
    options = {"data.manifest": str(small_manifest), "data.protocol": "kfold:3", "data.task": task}
    config = load_config("tiny", settings=FAST, options=options)
    summary, _ = run_benchmark(
        "rated", config, ["random_sampling", "cnn_lstm"], tmp_path / "out", tmp_path / "runs", folds=[0, 1]
    )
    assert not summary.methods
    assert summary.rated is not None
    (difference,) = summary.comparisons
    first, second = summary.rated
    assert difference.difference == pytest.approx(first.mean - second.mean)
    assert first.task == task
    tables = [RunFolder(path.parent).read_csv("predictions.csv") for path in sorted(tmp_path.rglob("predictions.csv"))]
    own = [table for table in tables if len(table)]
    assert len(own) == 4
    for method in summary.rated:
        assert method.interval[0] <= method.mean <= method.interval[1]
        assert (method.uar_mean is None) == (task == "dimensions")
    found = {round(each.ccc["arousal"] or 0.0, 6) for each in summary.rated}
    expected = set()
    for first_fold in own:
        for second_fold in own:
            both = [first_fold, second_fold]
            true = np.concatenate([table["arousal"] for table in both])
            expected.add(round(ccc(true, np.concatenate([table["predicted_arousal"] for table in both])), 6))
    assert found <= expected


def linear(rows: int = 120, features: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    heard = generator.standard_normal((rows, features))
    places = np.tanh(heard[:, :2] * 0.5) + 0.05 * generator.standard_normal((rows, 2))
    return heard, places, np.arange(rows) % 6


def test_ridge_and_support_vectors_find_what_is_linear_and_miss_no_row_that_has_a_value() -> None:
    features, places, _ = linear()
    places[::7, 0] = np.nan
    learnt, asked = np.arange(80), np.arange(80, 120)
    ridge = fit_raters(RIDGE, Heard.once(features), learnt, places, 10.0)
    vectors = fit_raters(SUPPORT_VECTORS, Heard.once(features), learnt, places, 0.1)
    for raters in (ridge, vectors):
        answers = raters.rate(features[asked])
        assert answers.shape == (40, 2)
        for column in range(2):
            assert ccc(places[asked, column], answers[:, column]) > 0.85
        assert raters.parameters == 2 * 7


@pytest.mark.parametrize(("regression", "threefold"), [(RIDGE, 1 / 3), (SUPPORT_VECTORS, 3.0)], ids=["ridge", "svr"])
def test_what_is_heard_three_times_counts_once(regression: Regression, threefold: float) -> None:
    features, places, _ = linear()
    rows, strength = np.arange(80), regression.strengths[-1]
    once, thrice = (Heard(np.stack([features] * times), features) for times in (1, 3))
    alone = fit_raters(regression, once, rows, places, strength).rate(features)
    apart = np.abs(fit_raters(regression, thrice, rows, places, strength).rate(features) - alone).max()
    assert apart < 0.01, "support vectors are found up to a tolerance"
    heavier = fit_raters(regression, once, rows, places, strength * threefold).rate(features)
    assert np.abs(heavier - alone).max() > 3 * max(apart, 0.01), "what counts three times answers otherwise"


@pytest.mark.parametrize("regression", [RIDGE, SUPPORT_VECTORS], ids=["ridge", "svr"])
def test_the_level_that_says_it_is_chosen(regression: Regression) -> None:
    features, places, speakers = linear()
    noise = np.random.default_rng(1).standard_normal(features.shape)
    levels = [Heard.once(each) for each in (noise, features)]
    chosen = choose_rating(regression, levels, places, speakers, 3)
    assert chosen.level == 1
    assert chosen.strength in regression.strengths
    assert chosen.ccc > 0.8
