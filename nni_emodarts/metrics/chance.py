"""Whether a recogniser's answers are better than chance."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.stats import random_table

from nni_emodarts.metrics.scores import confusion

DRAWS = 9999
"""Permutations that are drawn; p is at least 1 / (DRAWS + 1)."""
PERMUTATIONS = 1999
"""Likewise, where each has to be scored by itself."""
_ROUNDING = 1e-9  # UARs that are closer than this are equal: they are sums of ratios of small numbers


def chance_p(
    true: npt.ArrayLike, predicted: npt.ArrayLike, num_classes: int, draws: int = DRAWS, seed: int = 0
) -> float:
    """p of the hypothesis that answers have nothing to do with labels: a one-sided permutation test of the UAR.

    The share of permutations of the labels under which the UAR is at least as high as the one found (Ojala & Garriga
    2010, test 1), the one found counted as one of them (Phipson & Smyth 2010). A permutation keeps how often each class
    occurs and how often each is answered, so that confusions with these margins are drawn in place of labels.

    It takes utterances for exchangeable. Those of one emotion resemble each other, so that answers far from chance, up
    or down, are likelier than it supposes: ask for a p far below 0.05.

    Args:
        true: (n,) positions in the list of classes.
        predicted: (n,) likewise, as answered.
        num_classes: number of classes K.
        draws: permutations that are drawn.
        seed: seed of the drawing.

    Example:
        >>> chance_p([0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1, 1], 2) < 0.05
        True
        >>> chance_p([0, 0, 0, 0, 1, 1, 1, 1], [0, 1, 0, 1, 0, 1, 0, 1], 2) > 0.5
        True
    """
    found = confusion(true, predicted, num_classes)
    count = found.sum(1)
    occurring = count > 0
    drawn = random_table(count, found.sum(0), seed=np.random.default_rng(seed)).rvs(draws)
    recalls = [np.diagonal(table, axis1=-2, axis2=-1)[..., occurring] / count[occurring] for table in (found, drawn)]
    least, others = (each.mean(-1) for each in recalls)
    return float((1 + (others >= least - _ROUNDING).sum()) / (draws + 1))


def permutation_p(
    score: Callable[[npt.NDArray[np.int64]], float], count: int, draws: int = PERMUTATIONS, seed: int = 0
) -> float:
    """p of the hypothesis that answers have nothing to do with what is true, whatever the figure; see `chance_p`.

    Args:
        score: order (n,) of the answers -> the figure; the answers' own is 0, 1, 2, ...
        count: number of utterances n.
        draws: permutations that are drawn.
        seed: seed of the drawing.
    """
    generator = np.random.default_rng(seed)
    least = score(np.arange(count)) - _ROUNDING
    large = sum(score(generator.permutation(count)) >= least for _ in range(draws))
    return (1 + large) / (draws + 1)
