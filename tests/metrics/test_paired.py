import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test
from sklearn.metrics import recall_score

from nni_emodarts.metrics.intervals import interval_quantiles, speaker_confusions, stack_speakers, uar_of_confusion
from nni_emodarts.metrics.paired import bootstrap_difference, compare_systems, holm, swap_test

CLASSES = ["anger", "joy", "neutral"]


def tables(seed: int, speakers: int, skills: tuple[float, ...], rows: int = 90) -> list[pd.DataFrame]:
    """Predictions of several systems for the same utterances."""
    generator = np.random.default_rng(seed)
    true = generator.choice(CLASSES, rows)
    names = np.array([f"{number:02d}" for number in range(speakers)])[np.arange(rows) % speakers]
    return [
        pd.DataFrame(
            {
                "speaker": names,
                "emotion": true,
                "predicted": np.where(generator.random(rows) < skill, true, generator.choice(CLASSES, rows)),
            }
        )
        for skill in skills
    ]


def stacked(*seeds: pd.DataFrame) -> np.ndarray:
    return stack_speakers([speaker_confusions(table, CLASSES) for table in seeds])


def uar(table: pd.DataFrame) -> float:
    return float((table["emotion"] == table["predicted"]).groupby(table["emotion"]).mean().mean())


def by_brute_force(first: pd.DataFrame, second: pd.DataFrame) -> float:
    """p by swapping the rows of every set of speakers, each time scored by scikit-learn."""

    def difference(swapped: list[str]) -> float:
        swap = first["speaker"].isin(swapped).to_numpy()
        ours = np.where(swap, second["predicted"], first["predicted"])
        theirs = np.where(swap, first["predicted"], second["predicted"])
        recalls = [recall_score(first["emotion"], each, average="macro") for each in (ours, theirs)]
        return abs(recalls[0] - recalls[1])

    speakers = sorted(set(first["speaker"]))
    sets = [list(some) for size in range(len(speakers) + 1) for some in itertools.combinations(speakers, size)]
    return float(np.mean([difference(some) >= difference([]) - 1e-9 for some in sets]))


@pytest.mark.parametrize("seed", range(3))
def test_p_is_that_of_swapping_rows(seed: int) -> None:
    first, second = tables(seed, 5, (0.7, 0.4))
    p, exact = swap_test(stacked(first), stacked(second))
    assert exact
    assert p == pytest.approx(by_brute_force(first, second))


@pytest.mark.parametrize("speakers", [3, 8, 11])
def test_p_is_scipys(speakers: int) -> None:
    """scipy swaps the speakers' confusions, over two seeds of each system."""
    made = tables(speakers, speakers, (0.6, 0.7, 0.5, 0.6), rows=150)
    first, second = stacked(*made[:2]), stacked(*made[2:])

    def statistic(ours: np.ndarray, theirs: np.ndarray, axis: int) -> np.ndarray:
        assert axis == -1
        # each speaker's sample is its number, and its sign says whose confusions it stands for
        return uar(ours) - uar(theirs)

    def uar(numbers: np.ndarray) -> np.ndarray:
        flat = numbers.reshape(-1, speakers).astype(int)
        owner, who = flat < 0, np.abs(flat) - 1
        chosen = np.where(owner[None, :, :, None, None], second[:, who], first[:, who])
        return uar_of_confusion(chosen.sum(2)).mean(0).reshape(numbers.shape[:-1])

    numbers = np.arange(1, speakers + 1)
    found = permutation_test(
        (numbers, -numbers), statistic, permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    assert swap_test(first, second)[0] == pytest.approx(found.pvalue)


def test_drawn_swaps_come_near_all_of_them_and_are_repeatable() -> None:
    first, second = (stacked(table) for table in tables(4, 12, (0.65, 0.5), rows=240))
    exact = swap_test(first, second)[0]
    drawn, counted = swap_test(first, second, exact_speakers=11, draws=20_000)
    assert not counted
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000) + 1e-4)
    some, again = (swap_test(first, second, exact_speakers=0, draws=100) for _ in range(2))
    assert some == again


def test_drawn_p_is_never_zero() -> None:
    best, worst = (stacked(table) for table in tables(5, 30, (1.0, 0.0), rows=300))
    assert swap_test(best, worst, draws=99) == (0.01, False)


def test_the_smallest_p_needs_enough_speakers() -> None:
    best, worst = (stacked(table) for table in tables(5, 4, (1.0, 0.0)))
    assert swap_test(best, worst)[0] == 2 / 2**4


def test_equal_systems_do_not_differ() -> None:
    (table,) = tables(6, 24, (0.5,), rows=240)
    found = compare_systems(stacked(table), stacked(table))
    assert (found.value, found.p, found.interval, found.exact) == (0.0, 1.0, (0.0, 0.0), True)


def test_a_difference_is_seen_from_both_sides() -> None:
    first, second = (stacked(table) for table in tables(7, 10, (0.8, 0.4), rows=200))
    found, other = compare_systems(first, second), compare_systems(second, first)
    assert found.value == pytest.approx(-other.value)
    assert found.p == pytest.approx(other.p)
    assert found.interval == pytest.approx((-other.interval[1], -other.interval[0]))
    assert found.interval[0] < found.value < found.interval[1]


def test_the_interval_is_that_of_resampled_speakers() -> None:
    """The slow way: draw speakers, join both systems' rows of them, score both."""
    first, second = tables(8, 8, (0.75, 0.5), rows=240)
    groups = [first.index[first["speaker"] == name] for name in sorted(set(first["speaker"]))]
    generator = np.random.default_rng(1)
    drawn = []
    for _ in range(500):
        rows = np.concatenate([groups[number] for number in generator.integers(len(groups), size=len(groups))])
        one, two = (uar(table.iloc[rows]) for table in (first, second))
        drawn.append(one - two)
    low, high = bootstrap_difference(stacked(first), stacked(second))
    assert (low, high) == pytest.approx(np.quantile(drawn, interval_quantiles(0.95, len(groups))), abs=0.025)


def test_pairs_are_surer_than_each_system_alone() -> None:
    """Speakers that are hard for both cancel out."""
    first, second = tables(9, 20, (0.9, 0.9), rows=400)
    hard = first["speaker"].astype(int) < 10
    for table in (first, second):
        table.loc[hard, "predicted"] = "anger"
    low, high = bootstrap_difference(stacked(first), stacked(second))
    alone = bootstrap_difference(stacked(first), np.zeros_like(stacked(second)))
    assert high - low < 0.5 * (alone[1] - alone[0])


def test_other_utterances_are_refused() -> None:
    (one,), (two,) = tables(10, 4, (0.5,)), tables(11, 4, (0.5,))
    with pytest.raises(ValueError, match="same utterances"):
        compare_systems(stacked(one), stacked(two))
    with pytest.raises(ValueError, match="same utterances"):
        compare_systems(stacked(one), stacked(tables(10, 5, (0.5,))[0]))


def test_holm_of_his_steps() -> None:
    # 0.01 * 4, 0.02 * 3, then 0.022 * 2 may not fall below the one before it, and 0.9 stays
    assert holm([0.022, 0.01, 0.9, 0.02]) == pytest.approx([0.06, 0.04, 0.9, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.floats(0.001, 0.999))
def test_holm_rejects_what_the_procedure_rejects(p_values: list[float], level: float) -> None:
    """Step down: as long as the smallest left is at most level / left, it is rejected."""
    rejected = set()
    for step, number in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[number] * (len(p_values) - step) > level:
            break
        rejected.add(int(number))
    adjusted = holm(p_values)
    assert {number for number, p in enumerate(adjusted) if p <= level} == rejected
