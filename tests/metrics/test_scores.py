import json
import statistics

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, precision_recall_fscore_support

from nni_emodarts.metrics import scores as metrics

PAIRS = st.integers(2, 6).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), min_size=1, max_size=40),
    )
)


@settings(deadline=None)
@given(PAIRS)
def test_figures_equal_scikit_learn_over_the_classes_that_occur(drawn):
    count, pairs = drawn
    true, predicted = np.array(pairs).T
    present = np.unique(true)
    figures = metrics.scores(true, predicted, [f"c{number}" for number in range(count)])
    _, recall, f1, _ = precision_recall_fscore_support(true, predicted, labels=present, zero_division=0.0)
    assert figures["uar"] == pytest.approx(recall.mean())
    assert figures["macro_f1"] == pytest.approx(f1.mean())
    assert figures["wa"] == pytest.approx(accuracy_score(true, predicted))
    for number in range(count):
        expected = recall[np.flatnonzero(present == number)]
        assert figures["recall"][f"c{number}"] == (pytest.approx(expected[0]) if expected.size else None)
    table = np.array(figures["confusion"])
    assert table.sum(axis=1).tolist() == np.bincount(true, minlength=count).tolist()
    assert table.sum(axis=0).tolist() == np.bincount(predicted, minlength=count).tolist()
    assert figures["n"] == len(pairs)
    json.dumps(figures, allow_nan=False)


def test_an_example_by_hand():
    true, predicted = [0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 2]
    # Recalls 3/4 and 1/2, class 2 does not occur; F1 6/7 and 1/2.
    np.testing.assert_array_equal(metrics.recalls(true, predicted, 3), [0.75, 0.5, np.nan])
    assert metrics.uar(true, predicted, 3) == 0.625
    assert metrics.wa(true, predicted) == pytest.approx(4 / 6)
    assert metrics.macro_f1(true, predicted, 3) == pytest.approx((6 / 7 + 1 / 2) / 2)
    assert metrics.confusion(true, predicted, 3).tolist() == [[3, 1, 0], [0, 1, 1], [0, 0, 0]]


@pytest.mark.parametrize(
    ("true", "predicted", "expected"),
    [
        ([], [], "not empty"),
        ([0, 1], [0], r"true \(2,\) and predicted \(1,\)"),
        ([0, 1], [0, 3], "classes 0 to 3 must lie in 0 to 2"),
        ([-1, 1], [0, 1], "classes -1 to 1"),
    ],
)
def test_lists_that_do_not_fit_are_refused(true, predicted, expected):
    with pytest.raises(ValueError, match=expected):
        metrics.uar(true, predicted, 3)


def run(fold: int, seed: int, true: str, predicted: str) -> pd.DataFrame:
    files = [f"{fold}/{number}.wav" for number in range(len(true))]
    return pd.DataFrame(
        {"fold": fold, "seed": seed, "file": files, "emotion": list(true), "predicted": list(predicted)}
    )


def test_headline_pools_the_folds_per_seed_and_then_averages_the_seeds():
    runs = [
        run(1, 7, "ab", "ab"),
        run(0, 7, "aaab", "aaba"),
        run(0, 3, "aaab", "abbb"),
        run(1, 3, "ab", "aa"),
    ]
    pooled = metrics.pool(runs)
    assert pooled[["seed", "fold"]].drop_duplicates().to_numpy().tolist() == [[3, 0], [3, 1], [7, 0], [7, 1]]
    table = metrics.pooled_table(pooled, ["a", "b", "c"])
    # Seed 3: a 2 of 4, b 1 of 2 -> 1/2. Seed 7: a 3 of 4, b 1 of 2 -> 5/8.
    assert table["test_uar"] == pytest.approx(0.5625)
    assert table["test_uar_std"] == pytest.approx(statistics.stdev([0.5, 0.625]))
    assert table["recall"] == {"a": pytest.approx(0.625), "b": pytest.approx(0.5), "c": None}
    assert table["test_wa"] == pytest.approx((3 / 6 + 4 / 6) / 2)
    # Fold UARs: seed 3: 2/3 and 1/2; seed 7: 1/3 and 1.
    assert table["fold_mean_uar"] == pytest.approx((2 / 3 + 1 / 2 + 1 / 3 + 1) / 4)
    assert table["folds"] == {0: {"test_uar": pytest.approx(1 / 2)}, 1: {"test_uar": pytest.approx(3 / 4)}}
    assert list(table["seeds"]) == [3, 7]
    assert table["seeds"][7]["test_uar"] == pytest.approx(0.625)
    assert (table["seeds"][7]["folds"], table["seeds"][7]["n"]) == (2, 6)
    json.dumps(table, allow_nan=False)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31), st.integers(1, 3), st.integers(1, 4))
def test_pooled_figures_equal_scikit_learn_on_the_pooled_predictions(number, seeds, folds):
    rng = np.random.default_rng(number)
    texts = {
        (fold, seed): ["".join(rng.choice(list("abc"), 12)) for _ in range(2)]
        for fold in range(folds)
        for seed in range(seeds)
    }
    pooled = metrics.pool(run(fold, seed, "abc" + true, "abc" + said) for (fold, seed), (true, said) in texts.items())
    table = metrics.pooled_table(pooled, ["a", "b", "c"])
    by_seed = [rows for _, rows in pooled.groupby("seed")]
    uars = [balanced_accuracy_score(rows["emotion"], rows["predicted"]) for rows in by_seed]
    f1s = [f1_score(rows["emotion"], rows["predicted"], average="macro") for rows in by_seed]
    assert table["test_uar"] == pytest.approx(np.mean(uars))
    assert table["test_macro_f1"] == pytest.approx(np.mean(f1s))
    assert table["test_uar_std"] == (pytest.approx(np.std(uars, ddof=1)) if seeds > 1 else None)
    if folds == 1:
        assert table["fold_mean_uar"] == pytest.approx(table["test_uar"])


def test_a_class_absent_from_a_test_part_is_left_out_of_that_folds_mean():
    table = metrics.pooled_table(metrics.pool([run(0, 1, "aab", "aaa"), run(1, 1, "aa", "ab")]), ["a", "b"])
    assert table["folds"][1]["test_uar"] == 0.5
    assert table["fold_mean_uar"] == 0.5
    assert table["test_uar"] == pytest.approx((3 / 4 + 0) / 2)
    assert table["test_uar_std"] is None


def test_predictions_that_cannot_be_pooled_are_refused():
    one = run(0, 1, "ab", "ab")
    with pytest.raises(ValueError, match="two tables hold predictions of fold 0, seed 1"):
        metrics.pool([one, one])
    with pytest.raises(ValueError, match="lack the columns seed, predicted"):
        metrics.pool([one.drop(columns=["seed", "predicted"])])
    with pytest.raises(ValueError, match="'predicted' holds 'x', which is none of the classes a, b"):
        metrics.pooled_table(run(0, 1, "ab", "ax"), ["a", "b"])
