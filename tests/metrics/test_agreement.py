"""Agreement of annotators, against pairs of votes that are counted one by one."""

from itertools import permutations

import numpy as np
import pytest

from nni_emodarts.metrics.agreement import krippendorff_alpha, majority_share


def alpha_of_pairs(votes: np.ndarray) -> float:
    """1 - D_o / D_e by listing every pair of values (Krippendorff 2004, eq. of coincidences)."""
    units = [np.repeat(np.arange(votes.shape[1]), row) for row in votes if row.sum() > 1]
    values = np.concatenate(units)
    observed = sum(sum(a != b for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units) / len(values)
    every = list(permutations(values, 2))
    return 1 - observed / (sum(a != b for a, b in every) / len(every))


def test_alpha_is_that_of_all_pairs() -> None:
    generator = np.random.default_rng(0)
    for sharp in (0.3, 1.0, 5.0):
        shares = generator.dirichlet(np.full(4, sharp), 12)
        votes = np.array([generator.multinomial(generator.integers(0, 6), share) for share in shares])
        assert krippendorff_alpha(votes) == pytest.approx(alpha_of_pairs(votes))


def test_alpha_of_chance_and_of_what_has_none() -> None:
    generator = np.random.default_rng(1)
    assert krippendorff_alpha(generator.multinomial(5, [0.5, 0.3, 0.2], 20000)) == pytest.approx(0.0, abs=0.01)
    assert krippendorff_alpha(np.array([[1, 0], [0, 1]])) is None  # no two votes of one utterance
    assert krippendorff_alpha(np.array([[3, 0], [5, 0]])) is None  # all for one class
    assert majority_share(np.zeros((3, 2))) is None
