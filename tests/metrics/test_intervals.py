import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, t
from sklearn.metrics import accuracy_score, recall_score

from nni_emodarts.metrics.intervals import (
    bootstrap_recalls,
    bootstrap_uar,
    interval_quantiles,
    speaker_confusions,
    stack_speakers,
    uar_of_confusion,
    wa_of_confusion,
)

CLASSES = ["anger", "joy", "neutral"]


def predictions(seed: int, speakers: int = 6, rows: int = 120, skill: float = 0.6) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    true = generator.choice(CLASSES, rows)
    predicted = np.where(generator.random(rows) < skill, true, generator.choice(CLASSES, rows))
    names = generator.choice([f"{number:02d}" for number in range(speakers)], rows)
    return pd.DataFrame({"speaker": names, "emotion": true, "predicted": predicted})


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 60))
def test_pooled_confusions_give_scikit_learns_figures(seed: int, rows: int) -> None:
    table = predictions(seed, rows=rows)
    pooled = np.sum(list(speaker_confusions(table, CLASSES).values()), axis=0)
    occurring = sorted(set(table["emotion"]))
    recall = recall_score(table["emotion"], table["predicted"], average="macro", labels=occurring, zero_division=0)
    assert float(uar_of_confusion(pooled)) == pytest.approx(recall)
    assert float(wa_of_confusion(pooled)) == pytest.approx(accuracy_score(table["emotion"], table["predicted"]))


def test_the_interval_is_that_of_resampled_tables() -> None:
    """The slow way: draw speakers, join their rows, score them."""
    table = predictions(1)
    groups = [rows for _, rows in table.groupby("speaker")]
    generator = np.random.default_rng(7)
    drawn = []
    for _ in range(400):
        rows = pd.concat([groups[number] for number in generator.integers(len(groups), size=len(groups))])
        drawn.append(recall_score(rows["emotion"], rows["predicted"], average="macro", zero_division=0))
    low, high = bootstrap_uar(stack_speakers([speaker_confusions(table, CLASSES)]))
    assert (low, high) == pytest.approx(np.quantile(drawn, interval_quantiles(0.95, len(groups))), abs=0.025)
    figure = recall_score(table["emotion"], table["predicted"], average="macro")
    assert low < figure < high


def test_the_intervals_of_recalls_are_those_of_resampled_tables() -> None:
    """The slow way, of the mean over two seeds; the interval of a class that never occurs is none."""
    tables = [predictions(seed, skill=skill) for seed, skill in ((1, 0.3), (1, 0.9))]
    generator = np.random.default_rng(7)
    drawn = []
    for _ in range(400):
        names = generator.choice(sorted(tables[0]["speaker"].unique()), 6)
        joined = [pd.concat([table[table["speaker"] == name] for name in names]) for table in tables]
        drawn.append(
            np.mean([recall_score(t["emotion"], t["predicted"], average=None, labels=CLASSES) for t in joined], axis=0)
        )
    stacked = stack_speakers([speaker_confusions(table, [*CLASSES, "absent"]) for table in tables])
    found = bootstrap_recalls(stacked)
    expected = np.quantile(drawn, interval_quantiles(0.95, 6), axis=0).T
    np.testing.assert_allclose(found[:3], expected, atol=0.03)
    assert np.isnan(found[3]).all()


@pytest.mark.parametrize("speakers", [10, 24])
def test_intervals_hold_the_truth_as_often_as_they_say(speakers: int) -> None:
    """Two classes, one never missed: the UAR is a mean over speakers, whose skills are drawn anew each time."""
    generator = np.random.default_rng(speakers)
    corpora, utterances = 400, 200
    right = generator.binomial(utterances, np.clip(generator.normal(0.6, 0.1, (corpora, speakers)), 0, 1))
    held = {"expanded": 0, "plain": 0}
    for each in right:
        confusions = np.zeros((1, speakers, 2, 2), dtype=np.int64)
        confusions[0, :, 0] = np.stack([each, utterances - each], 1)
        confusions[0, :, 1, 1] = utterances
        low, high = bootstrap_uar(confusions, resamples=2000)
        held["expanded"] += low <= (0.6 + 1) / 2 <= high
        means = generator.choice(each, (2000, speakers)).mean(1) / utterances
        low, high = np.quantile(means, [0.025, 0.975])
        held["plain"] += low <= 0.6 <= high
    assert held["expanded"] / corpora == pytest.approx(0.95, abs=0.025)
    assert held["plain"] < held["expanded"]


def test_quantiles_of_many_speakers_are_plain() -> None:
    assert interval_quantiles(0.95, 100_000) == pytest.approx((0.025, 0.975), abs=1e-5)
    assert interval_quantiles(0.9, 1) == pytest.approx((0.05, 0.95))
    for speakers in (2, 5, 10, 24):
        low, high = interval_quantiles(0.95, speakers)
        spread = np.sqrt((speakers - 1) / speakers)  # of the means that resamples draw, in standard errors
        assert norm.ppf(low) * spread == pytest.approx(t.ppf(0.025, speakers - 1), rel=1e-6)
        assert low + high == pytest.approx(1)


def test_one_speaker_has_no_width_and_more_speakers_have_less() -> None:
    low, high = bootstrap_uar(stack_speakers([speaker_confusions(predictions(1, speakers=1), CLASSES)]))
    assert low == high
    few = bootstrap_uar(stack_speakers([speaker_confusions(predictions(2, speakers=5, rows=600), CLASSES)]))
    many = bootstrap_uar(stack_speakers([speaker_confusions(predictions(2, speakers=60, rows=7200), CLASSES)]))
    assert many[1] - many[0] < few[1] - few[0]


def test_seeds_are_averaged_and_must_share_speakers() -> None:
    tables = [predictions(3, skill=0.9), predictions(3, skill=0.3)]
    both = [speaker_confusions(table, CLASSES) for table in tables]
    one, two = (bootstrap_uar(stack_speakers([each])) for each in both)
    low, high = bootstrap_uar(stack_speakers(both))
    assert two[0] < low < one[0]
    assert two[1] < high < one[1]
    del both[1]["00"]
    with pytest.raises(ValueError, match="other speakers"):
        stack_speakers(both)
