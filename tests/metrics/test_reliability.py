"""Reliability of figures whose components are known."""

import numpy as np
import pytest

from nni_emodarts.metrics.reliability import reliability


def made_up(candidates: int, replicates: int, own: float, noise: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 0.1, replicates)  # what moves all candidates alike counts for nothing
    return rng.normal(0, own, (candidates, 1)) + common + rng.normal(0, noise, (candidates, replicates))


@pytest.mark.parametrize(("own", "noise"), [(0.026, 0.027), (0.088, 0.027), (0.05, 0.01)])
def test_known_components_are_found(own: float, noise: float) -> None:
    found = reliability(made_up(2000, 6, own, noise))
    assert found is not None
    assert found.candidate == pytest.approx(own, rel=0.05)
    assert found.noise == pytest.approx(noise, rel=0.05)
    assert found.single == pytest.approx(own**2 / (own**2 + noise**2), abs=0.03)
    assert found.mean == pytest.approx(own**2 / (own**2 + noise**2 / 6), abs=0.03)
    assert found.standard_error == pytest.approx(noise * np.sqrt(2 / 6), rel=0.05)


def test_it_is_the_analysis_of_variance_where_nothing_lacks() -> None:
    figures = made_up(12, 4, 0.03, 0.03)
    rest = figures - figures.mean(1, keepdims=True) - figures.mean(0) + figures.mean()
    noise = (rest**2).sum() / (11 * 3)
    own = figures.mean(1).var(ddof=1) - noise / 4
    found = reliability(figures)
    assert found is not None
    assert (found.noise**2, found.candidate**2) == pytest.approx((noise, own))


def test_figures_may_lack() -> None:
    """As under halving: half of the candidates have one replicate, a quarter two, and so on."""
    figures = made_up(4000, 4, 0.04, 0.02)
    figures[2000:, 1:] = np.nan
    figures[1000:, 2:] = np.nan
    figures[500:, 3:] = np.nan
    found = reliability(figures)
    assert found is not None
    assert found.candidate == pytest.approx(0.04, rel=0.06)
    assert found.noise == pytest.approx(0.02, rel=0.06)


def test_noise_alone_is_not_reliable() -> None:
    found = reliability(made_up(500, 6, 0.0, 0.03))
    assert found is not None
    assert found.mean < 0.15


@pytest.mark.parametrize(
    "figures", [[[0.5], [0.6]], [[0.5, 0.6]], [[0.5, 0.6], [0.5, np.nan]], [[0.5, np.nan], [np.nan, 0.4]], [[np.nan]]]
)
def test_what_cannot_be_told_apart(figures: list[list[float]]) -> None:
    assert reliability(np.array(figures)) is None


def test_equal_figures() -> None:
    found = reliability(np.full((3, 2), 0.5))
    assert found is not None
    assert (found.mean, found.standard_error) == pytest.approx((0.0, 0.0))
