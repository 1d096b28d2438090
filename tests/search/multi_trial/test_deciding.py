"""Which candidate is taken."""

import numpy as np
import pytest

from nni_emodarts.search.multi_trial.deciding import decide, first_of_the_best
from nni_emodarts.search.multi_trial.replicates import Estimate


def known(**figures: list[float]) -> dict[str, Estimate]:
    return {name: Estimate(tuple(each), {"val_uar": float(np.mean(each))}) for name, each in figures.items()}


def test_the_cheapest_of_ties_is_taken() -> None:
    """The standard error of a difference is 0.014 here: b is within it of a, c is not."""
    estimates = known(
        a=[0.70, 0.74, 0.66, 0.70], b=[0.69, 0.68, 0.70, 0.71], c=[0.60, 0.62, 0.58, 0.63], d=[0.5, 0.5, 0.5, 0.5]
    )
    decision = decide(estimates, {"a": 9, "b": 5, "c": 1, "d": 1})
    assert decision.reliability is not None
    assert decision.reliability.standard_error == pytest.approx(0.0139, abs=0.0001)
    assert (decision.leader, decision.tied, decision.taken) == ("a", ("a", "b"), "b")
    assert decide(estimates, {"a": 4, "b": 5, "c": 1, "d": 1}).taken == "a"
    assert decide(estimates, {"a": 5, "b": 5, "c": 1, "d": 1}).taken == "a", "as cheap: the better one"
    described = decision.described()
    assert described["tied"] == ["a", "b"]
    assert described["reliability"] == decision.reliability.mean > 0.9


def test_only_those_with_all_replicates_compete() -> None:
    estimates = known(lucky=[0.9], a=[0.7, 0.71], b=[0.6, 0.605], c=[0.5])
    decision = decide(estimates, dict.fromkeys(estimates, 1))
    assert decision.taken == decision.leader == "a"


def test_one_replicate_says_nothing_of_noise() -> None:
    decision = decide(known(a=[0.5], b=[0.7], c=[0.7], d=[0.69]), {"a": 1, "b": 9, "c": 3, "d": 1})
    assert (decision.tied, decision.taken, decision.reliability) == (("b", "c"), "c", None)
    assert "reliability" not in decision.described()


def test_off_the_first_of_equals_is_taken() -> None:
    assert first_of_the_best(known(a=[0.5], b=[0.7], c=[0.7])).taken == "b"
    assert first_of_the_best(known(a=[-0.5])).taken == "a"


def test_a_tie_is_rarely_a_better_one() -> None:
    """Of many made-up searches: what is taken is at most about one standard error below the true best, on average."""
    rng = np.random.default_rng(1)
    losses = []
    for _ in range(200):
        true = rng.normal(0.7, 0.026, 12)
        figures = true[:, None] + rng.normal(0, 0.027, (12, 6))
        names = {f"c{number}": row for number, row in enumerate(figures)}
        decision = decide(known(**{name: list(row) for name, row in names.items()}), {n: int(n[1:]) for n in names})
        losses.append(true.max() - true[int(decision.taken[1:])])
    assert np.mean(losses) < 0.0156, "0.027 * sqrt(2 / 6)"
