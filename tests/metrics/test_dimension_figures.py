"""CCC and its companions, against their definitions and against audmetric."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr

from nni_emodarts.deploy.card_of_dimensions import dimension_results
from nni_emodarts.metrics.dimensions import (
    ccc,
    ccc_of,
    dimension_figures,
    dimension_names,
    mae,
    mean_ccc,
    moments,
    pearson,
    pooled_dimensions,
    speaker_moments,
    table_moments,
)
from nni_emodarts.metrics.paired import compare_figures, swap_figures
from nni_emodarts.metrics.pooled import pooled_figures
from nni_emodarts.metrics.tallies import Counting, gather, interval, speaker_tallies, stack
from nni_emodarts.metrics.truth import Truth

VALUES = st.lists(
    st.tuples(st.floats(1, 7).map(lambda x: round(x, 2)), st.floats(1, 7).map(lambda x: round(x, 2))),
    min_size=2,
    max_size=30,
)


def by_definition(true: np.ndarray, predicted: np.ndarray) -> float:
    cov = ((true - true.mean()) * (predicted - predicted.mean())).mean()
    return 2 * cov / (true.var() + predicted.var() + (true.mean() - predicted.mean()) ** 2)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_ccc_follows_its_definition_with_population_variances(pairs):
    true, predicted = np.array(pairs).T
    if true.var() + predicted.var() + (true.mean() - predicted.mean()) ** 2 < 1e-4:
        return
    assert ccc(true, predicted) == pytest.approx(by_definition(true, predicted), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(VALUES)
def test_figures_agree_with_audmetric(pairs):
    audmetric = pytest.importorskip("audmetric")
    true, predicted = np.array(pairs).T
    if min(true.var(), predicted.var()) < 1e-3:
        return
    assert ccc(true, predicted) == pytest.approx(audmetric.concordance_cc(true, predicted), abs=1e-6)
    assert pearson(true, predicted) == pytest.approx(audmetric.pearson_cc(true, predicted), abs=1e-5)
    assert mae(true, predicted) == pytest.approx(audmetric.mean_absolute_error(true, predicted), abs=1e-9)


def test_pearson_agrees_with_scipy_and_ccc_is_never_larger():
    generator = np.random.default_rng(0)
    true = generator.normal(4, 1, 200)
    predicted = 0.3 * true + generator.normal(3, 0.5, 200)
    assert pearson(true, predicted) == pytest.approx(pearsonr(true, predicted).statistic, abs=1e-9)
    assert abs(ccc(true, predicted)) <= abs(pearson(true, predicted)) + 1e-12


def test_missing_values_are_left_out():
    true, predicted = np.array([1, np.nan, 3, 5.0]), np.array([2, 7, 2, 5.0])
    kept = ~np.isnan(true)
    for figure in (ccc, pearson, mae):
        assert figure(true, predicted) == pytest.approx(figure(true[kept], predicted[kept]))


def test_a_constant_answer_has_no_agreement_and_what_is_constant_alike_has_none_to_speak_of():
    assert ccc([1, 2, 3], [2, 2, 2]) == 0
    assert np.isnan(ccc([2, 2], [2, 2]))
    assert mean_ccc(moments(np.full((2, 1), 2.0), np.full((2, 1), 2.0))) == 0
    assert np.isnan(pearson([1, 2, 3], [2, 2, 2]))


def made_up(seed: int, speakers: int = 6, each: int = 8, shift: float = 0.0) -> pd.DataFrame:
    """Predictions of two dimensions and three classes; speakers differ in level, as they do."""
    generator = np.random.default_rng(seed)
    rows = []
    for speaker in range(speakers):
        level = np.random.default_rng(1000 + speaker).normal(0, 1)
        for number in range(each):
            true = np.random.default_rng([speaker, number]).uniform(1, 7, 2)
            answer = 4 + 0.6 * (true - 4) + level + shift + generator.normal(0, 0.5, 2)
            emotion = "abc"[number % 3]
            said = "abc"[int(generator.integers(3))]
            rows.append((speaker % 3, 1, f"{speaker}_{number}", f"s{speaker}", emotion, said,
                         *true, *answer))  # fmt: skip
    columns = ["fold", "seed", "file", "speaker", "emotion", "predicted", "arousal", "valence", "predicted_arousal",
               "predicted_valence"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def test_means_are_of_the_same_dimensions_where_an_answer_is_constant():
    table = made_up(0).assign(predicted_valence=4.0)
    found = dimension_figures(table_moments(table, ["arousal", "valence"]), ["arousal", "valence"])
    assert found["pearson_valence"] is None
    assert found["pearson"] == pytest.approx(found["pearson_arousal"] / 2)
    assert found["ccc"] == pytest.approx(found["ccc_arousal"] / 2)


def test_a_card_gives_each_dimension_as_a_mean_over_the_seeds():
    table = pd.concat([made_up(0), made_up(1, shift=2.0).assign(seed=2)], ignore_index=True).assign(gender="")
    pooled = pooled_dimensions(table, ["arousal", "valence"])
    lines = list(dimension_results(table, pooled, ("arousal", "valence")))
    for name in ("arousal", "valence"):
        each = [ccc(rows[name], rows[f"predicted_{name}"]) for _, rows in table.groupby("seed")]
        assert any(line.startswith(f"| {name} | {np.mean(each):.3f} |") for line in lines)
        assert abs(np.mean(each) - ccc(table[name], table[f"predicted_{name}"])) > 0.01


def test_pooled_ccc_is_that_of_all_predictions_together_and_no_mean_over_folds():
    table = made_up(0)
    pooled = pooled_dimensions(table, ["arousal", "valence"])
    for name in ("arousal", "valence"):
        assert pooled[f"test_ccc_{name}"] == pytest.approx(ccc(table[name], table[f"predicted_{name}"]))
    assert pooled["test_ccc"] == pytest.approx((pooled["test_ccc_arousal"] + pooled["test_ccc_valence"]) / 2)
    by_fold = [
        np.mean([ccc(rows[name], rows[f"predicted_{name}"]) for name in ("arousal", "valence")])
        for _, rows in table.groupby("fold")
    ]
    assert pooled["fold_mean_ccc"] == pytest.approx(np.mean(by_fold))
    assert pooled["fold_mean_ccc"] != pytest.approx(pooled["test_ccc"])


def test_of_both_the_mean_of_uar_and_ccc_stands_beside_them():
    table = made_up(0)
    found = pooled_figures(table, list("abc"))
    assert found["test_uar_ccc"] == pytest.approx((found["test_uar"] + found["test_ccc"]) / 2)
    assert found["seeds"][1]["test_uar_ccc"] == found["test_uar_ccc"]
    assert dimension_names(table) == ["arousal", "valence"]


def test_speakers_sums_give_the_figures_of_all_together():
    table = made_up(0)
    names = ["arousal", "valence"]
    together = np.sum(list(speaker_moments(table, names).values()), axis=0)
    expected = [ccc(table[name], table[f"predicted_{name}"]) for name in names]
    np.testing.assert_allclose(ccc_of(together), expected, atol=1e-9)


def tallies(table: pd.DataFrame, classes: tuple[str, ...] = ()) -> tuple[Counting, np.ndarray]:
    counting, sums = speaker_tallies(table, classes)
    return counting, stack([gather([(0, sums)])])


def test_an_interval_holds_the_figure_and_narrows_with_more_speakers():
    widths = []
    for speakers in (6, 40):
        counting, sums = tallies(made_up(0, speakers))
        low, high = interval(sums, counting.ccc, resamples=500)
        assert low < float(counting.ccc(sums.sum(1)).mean()) < high
        widths.append(high - low)
    assert widths[1] < widths[0]


def test_swaps_make_ccc_anew_each_time():
    """By brute force: the predictions of two systems exchanged speaker by speaker, CCC of each made from the table."""
    one, other = made_up(0, speakers=4), made_up(1, speakers=4, shift=0.8)
    names = ["arousal", "valence"]

    def figure(table: pd.DataFrame) -> float:
        return float(np.mean([ccc(table[name], table[f"predicted_{name}"]) for name in names]))

    found = figure(one) - figure(other)
    as_large = 0
    speakers = sorted(one["speaker"].unique())
    for mask in range(2 ** len(speakers)):
        swapped = one["speaker"].isin([name for place, name in enumerate(speakers) if mask >> place & 1]).to_numpy()
        first, second = one.copy(), other.copy()
        for column in (f"predicted_{name}" for name in names):
            first[column] = np.where(swapped, other[column], one[column])
            second[column] = np.where(swapped, one[column], other[column])
        as_large += abs(figure(first) - figure(second)) >= abs(found) - 1e-9
    (counting, ours), (_, theirs) = tallies(one), tallies(other)
    p, exact = swap_figures(ours, theirs, counting.ccc)
    assert exact
    assert p == pytest.approx(as_large / 16)
    assert compare_figures(ours, theirs, counting.ccc).value == pytest.approx(found)


def test_drawn_swaps_agree_with_all_of_them():
    (counting, ours), (_, theirs) = tallies(made_up(0, speakers=8)), tallies(made_up(1, speakers=8, shift=0.3))
    exact, _ = swap_figures(ours, theirs, counting.ccc)
    drawn, counted = swap_figures(ours, theirs, counting.ccc, exact_speakers=2, draws=4000)
    assert not counted
    assert drawn == pytest.approx(exact, abs=0.05)


def test_two_equal_systems_do_not_differ():
    counting, sums = tallies(made_up(0), tuple("abc"))
    found = compare_figures(sums, sums, counting.score)
    assert found.value == 0
    assert found.p == 1


def test_what_is_chosen_by():
    labels, values = np.array([0, 1, 1, 0]), np.array([[1.0], [2], [3], [np.nan]])
    right = np.array([[0.9, 0.1, 1], [0.2, 0.8, 2], [0.4, 0.6, 3], [0.7, 0.3, 9]])
    both = Truth(labels, 2, values)
    assert both.figures(right) == {"uar": 1.0, "ccc": pytest.approx(1.0), "uar_ccc": pytest.approx(1.0)}
    assert Truth(labels, 0, values).figures(right[:, 2:]) == {"ccc": pytest.approx(1.0)}
    assert Truth(labels, 2, np.zeros((4, 0))).figures(right[:, :2]) == {"uar": 1.0}
    assert both.score(right[::-1]) < both.score(right)
    assert both.loss(right) < both.loss(right[::-1])
    assert both._score_of(right) == pytest.approx(both.score(right))


def test_answers_that_fit_beat_chance_and_others_do_not():
    generator = np.random.default_rng(0)
    labels, values = generator.integers(0, 3, 60), generator.uniform(1, 7, (60, 2))
    truth = Truth(labels, 3, values)
    good = np.concatenate([np.eye(3)[labels], values + generator.normal(0, 0.5, (60, 2))], 1)
    assert truth.chance_p(good) < 0.01
    assert truth.chance_p(good[generator.permutation(60)]) > 0.05
    assert truth._score_of(good[::-1]) == pytest.approx(truth.score(good[::-1]))
