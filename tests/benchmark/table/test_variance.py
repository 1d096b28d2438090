"""Components of variance, on tables whose components are known."""

import numpy as np
import pandas as pd
import pytest

from nni_emodarts.benchmark.table.variance import carried_by, components


def made_up(
    architectures: int, folds: int, seeds: int, deviations: tuple[float, float, float, float], seed: int = 0
) -> pd.DataFrame:
    """A table whose architectures, folds, interactions and seeds have the given deviations."""
    rng = np.random.default_rng(seed)
    of_architecture, of_fold, of_both, of_seed = deviations
    a, f = rng.normal(0, of_architecture, architectures), rng.normal(0, of_fold, folds)
    both = rng.normal(0, of_both, (architectures, folds))
    return pd.DataFrame(
        [
            (f"a{i}", j, k, 0.6 + a[i] + f[j] + both[i, j] + rng.normal(0, of_seed))
            for i in range(architectures)
            for j in range(folds)
            for k in range(seeds)
        ],
        columns=["architecture", "fold", "seed", "test_uar"],
    )  # fmt: skip


def test_known_components_are_found() -> None:
    found = components(made_up(400, 30, 2, (0.06, 0.04, 0.02, 0.03)))
    assert found.architecture == pytest.approx(0.06, rel=0.1)
    assert found.fold == pytest.approx(0.04, rel=0.35), "thirty folds alone"
    assert found.interaction == pytest.approx(0.02, rel=0.1)
    assert found.seed == pytest.approx(0.03, rel=0.05)
    assert found.reliability == pytest.approx(0.06**2 / (0.06**2 + (0.02**2 + 0.03**2 / 2) / 30), abs=0.02)


def test_noise_alone_is_no_architecture() -> None:
    found = components(made_up(200, 6, 2, (0.0, 0.0, 0.0, 0.03)))
    assert found.architecture < 0.006
    assert found.reliability < 0.2


def test_one_seed_says_nothing_of_seeds() -> None:
    found = components(made_up(20, 6, 1, (0.05, 0.03, 0.01, 0.02)))
    assert found.seed is None
    assert found.interaction is None
    with pytest.raises(ValueError, match="20 architectures on all of 1 folds"):
        components(made_up(20, 1, 2, (0.05, 0.03, 0.01, 0.02)))


def test_reliability_is_the_correlation_of_two_halves() -> None:
    """Of two tables with the same architectures and other folds: the correlation of their means."""
    first, second = made_up(3000, 3, 1, (0.03, 0.0, 0.0, 0.04)), made_up(3000, 3, 1, (0.0, 0.0, 0.0, 0.04), seed=1)
    own = np.random.default_rng(0).normal(0, 0.03, 3000)
    second["test_uar"] += np.repeat(own, 3)
    means = [each.groupby("architecture", sort=False).test_uar.mean() for each in (first, second)]
    assert components(first).reliability == pytest.approx(np.corrcoef(*means)[0, 1], abs=0.04)


def test_the_choice_that_decides_carries_the_variance() -> None:
    rng = np.random.default_rng(3)
    level = rng.integers(0, 7, 300)
    table = pd.DataFrame(
        {
            "architecture": [f"a{i}" for i in range(300)],
            "fold": 0, "seed": 1, "inner": None, "number": range(300), "parameters": 1, "cpu_seconds": 1.0,
            "val_uar": 0.5, "val_loss": 1.0,
            "level_whisper": level.astype(str), "pooling": rng.choice(["mean", "attention"], 300),
            "normal_2_0": np.where(rng.random(300) < 0.5, "skip_connect", None),
            "test_uar": 0.5 + 0.05 * level + rng.normal(0, 0.02, 300),
        }
    )  # fmt: skip
    shares = carried_by(table)
    assert shares.index[0] == "level_whisper"
    assert shares["level_whisper"] > 0.9
    assert abs(shares["pooling"]) < 0.03
    assert abs(shares["normal_2_0"]) < 0.03
    assert list(carried_by(table, ["pooling"]).index) == ["pooling"]
