import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, recall_score

from nni_emodarts.statistics import bootstrap_uar, speaker_confusions, stack_speakers, uar_of_confusion, wa_of_confusion

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
    assert (low, high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.025)
    figure = recall_score(table["emotion"], table["predicted"], average="macro")
    assert low < figure < high


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
