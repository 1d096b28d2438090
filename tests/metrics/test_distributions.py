"""Divergences of distributions, against SciPy."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from nni_emodarts.metrics.distributions import js_divergence, kl_divergence, table_figures


def draw(sharp: float, count: int = 50) -> np.ndarray:
    return np.random.default_rng(int(10 * sharp)).dirichlet(np.full(5, sharp), count)


def test_divergences_are_those_of_scipy() -> None:
    for sharp in (0.2, 1.0, 9.0):
        true, answers = draw(sharp), draw(1.5)
        np.testing.assert_allclose(kl_divergence(true, answers), entropy(true, answers, axis=1), atol=1e-9)
        np.testing.assert_allclose(js_divergence(true, answers), jensenshannon(true, answers, axis=1, base=2) ** 2)


def test_bounds_and_whole_votes() -> None:
    answers = draw(1.0)
    labels = answers.argmin(1)
    sure = np.eye(5)[labels]
    # Of one vote KL is the cross entropy of the label.
    np.testing.assert_allclose(kl_divergence(sure, answers), -np.log(answers[np.arange(50), labels]))
    assert np.abs(js_divergence(answers, answers)).max() < 1e-12
    assert (js_divergence(sure, answers) <= 1).all()
    assert np.isfinite(kl_divergence([[1.0, 0.0]], [[0.0, 1.0]])).all()


def test_figures_of_a_table_are_means_over_seeds() -> None:
    true, answers = draw(0.7, 12)[:, :5], draw(1.0, 12)
    columns = {f"share_{name}": true[:, place] for place, name in enumerate("abcde")}
    columns |= {f"p_{name}": answers[:, place] for place, name in enumerate("abcde")}
    table = pd.DataFrame(columns).assign(seed=[1] * 6 + [2] * 6)
    found = table_figures([table.iloc[:7], None, table.iloc[7:]], "abcde")
    assert found["test_js"] == pytest.approx(js_divergence(true, answers).mean())
    assert found["test_voted_utterances"] == 6
    assert table_figures([table, table.drop(columns="share_c")], "abcde") == {}
