"""Figures of networks on corpora that they were not trained on, of classes and of dimensions."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import recall_score

from nni_emodarts.metrics.dimensions import ccc
from nni_emodarts.metrics.other_corpora import corpus_figures
from nni_emodarts.metrics.shown import shown_figures

CLASSES = ("x", "y")


def table_of(networks: int = 2, rows: int = 60) -> pd.DataFrame:
    """Answers of networks to a corpus: arousal is missing here and there, valence everywhere."""
    generator = np.random.default_rng(0)
    arousal = np.where(np.arange(rows) % 10 == 0, np.nan, generator.uniform(1, 5, rows))
    known = pd.DataFrame(
        {
            "seed": 1,
            "file": [f"{row}.wav" for row in range(rows)],
            "speaker": [f"s{row % 5}" for row in range(rows)],
            "emotion": generator.choice(CLASSES, rows),
            "arousal": arousal,
            "valence": np.nan,
        }
    )
    return pd.concat(
        [
            known.assign(
                fold=fold,
                predicted=generator.choice(CLASSES, rows),
                predicted_arousal=np.nan_to_num(arousal, nan=3.0) + generator.normal(0, 1, rows),
                predicted_valence=generator.uniform(1, 5, rows),
            )
            for fold in range(networks)
        ],
        ignore_index=True,
    )


@pytest.mark.parametrize("classes", [(), CLASSES])
def test_figures_are_means_over_the_networks_of_those_of_others(classes: tuple[str, ...]) -> None:
    table = table_of()
    found = corpus_figures(table, classes)
    parts = [rows for _, rows in table.groupby("fold")]
    reached = [ccc(rows["arousal"], rows["predicted_arousal"]) for rows in parts]
    known = [rows.dropna(subset="arousal") for rows in parts]
    assert found["test_ccc"] == found["test_ccc_arousal"] == pytest.approx(np.mean(reached))
    assert found["test_ccc_std"] == pytest.approx(np.std(reached, ddof=1))
    correlation = [pearsonr(rows["arousal"], rows["predicted_arousal"]).statistic for rows in known]
    assert found["test_pearson"] == found["test_pearson_arousal"] == pytest.approx(np.mean(correlation))
    apart = [(rows["arousal"] - rows["predicted_arousal"]).abs().mean() for rows in known]
    assert found["test_mae"] == found["test_mae_arousal"] == pytest.approx(np.mean(apart))
    assert found["dimensions"] == ["arousal"]
    assert "test_ccc_valence" not in found
    assert found["rated"] == {"arousal": 54}
    assert (found["networks"], found["speakers"]) == (2, 5)
    low, high = found["test_ccc_interval"]
    assert low < found["test_ccc"] < high
    if not classes:
        assert found["utterances"] == 54
        assert not {"test_uar", "test_uar_ccc", "confusion"} & set(found)
        return
    assert found["utterances"] == 60
    uars = [recall_score(rows["emotion"], rows["predicted"], average="macro") for rows in parts]
    assert found["test_uar"] == pytest.approx(np.mean(uars))
    assert found["test_uar_ccc"] == pytest.approx((np.mean(uars) + np.mean(reached)) / 2)
    alone = corpus_figures(table.drop(columns=["arousal", "valence"]), classes)
    assert {key: found[key] for key in alone} == alone


def test_the_interval_is_that_of_drawing_speakers() -> None:
    table = table_of(networks=1)
    found = corpus_figures(table, ())
    generator, drawn = np.random.default_rng(3), []
    speakers = [rows for _, rows in table.groupby("speaker")]
    for _ in range(2000):
        again = pd.concat([speakers[number] for number in generator.integers(0, 5, 5)])
        drawn.append(ccc(again["arousal"], again["predicted_arousal"]))
    low, high = found["test_ccc_interval"]
    assert low < np.quantile(drawn, 0.05)  # expanded, since there are few
    assert high > np.quantile(drawn, 0.95)
    assert high - low < 3 * (np.quantile(drawn, 0.975) - np.quantile(drawn, 0.025))
    assert corpus_figures(table.assign(speaker="one"), ())["test_ccc_interval"] is None
    assert corpus_figures(table.assign(speaker=""), ())["speakers"] == 60


def test_what_is_shown_has_a_line_for_each_headline() -> None:
    (rated,) = shown_figures(corpus_figures(table_of(), ()))
    assert rated.headline.name == "CCC"
    told, rated = shown_figures(corpus_figures(table_of(), CLASSES))
    assert told.headline.name == "UAR"
    assert told.beside.startswith("WA 0.")
    assert rated.beside.startswith("arousal 0.")
    assert " of 54; Pearson 0." in rated.beside
    assert "valence" not in rated.beside
