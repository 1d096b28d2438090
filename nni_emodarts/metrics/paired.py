"""How sure a difference between two systems is: paired tests and intervals over speakers.

Both systems were scored on the same utterances, so that each speaker is compared with the same speaker.
Utterances of one speaker resemble each other; therefore all of a speaker's predictions are swapped, or drawn, together,
and so are those of all seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nni_emodarts.metrics.intervals import drawn_uar, interval_quantiles, uar_of_confusion
from nni_emodarts.metrics.tallies import Figure, Tallies, drawn

EXACT_SPEAKERS = 24
"""Speakers up to whom all swaps are counted: 17 million of them, a fraction of a second."""
EXACT_FIGURES = 14
"""Likewise of a figure that each swap makes anew: 16 thousand of them."""
ROUNDING = 1e-9
"""Differences of UAR that are closer than this are equal: they are sums of ratios of small numbers."""
_CHUNK = 4096  # draws at once, so that those of a large corpus never lie in memory together


@dataclass(frozen=True)
class Difference:
    """One system against another.

    Attributes:
        value: pooled UAR of the first, averaged over its seeds, less that of the second.
        interval: 95 % bootstrap interval over speakers.
        p: two-sided p of the hypothesis that every speaker's predictions may be swapped.
        exact: whether all swaps were counted, or some drawn.
    """

    value: float
    interval: tuple[float, float]
    p: float
    exact: bool


def compare_systems(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64], seed: int = 0) -> Difference:
    """The difference of two systems, its interval and its p.

    Args:
        first: confusions (seeds, speakers, K, K), as `stack_speakers` gives them.
        second: likewise, on the same utterances; as many seeds or others.
        seed: seed of what is drawn.

    Raises:
        ValueError: the systems were not scored on the same utterances.
    """
    _refuse_other_utterances(first, second)
    value = uar_of_confusion(first.sum(1)).mean() - uar_of_confusion(second.sum(1)).mean()
    p, exact = swap_test(first, second, seed=seed)
    return Difference(float(value), bootstrap_difference(first, second, seed=seed), p, exact)


def bootstrap_difference(
    first: npt.NDArray[np.int64],
    second: npt.NDArray[np.int64],
    resamples: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Expanded percentile interval of the difference of pooled UARs; resamples draw the same speakers for both.

    Args:
        first: confusions (seeds, speakers, K, K).
        second: likewise.
        resamples: number of resamples.
        level: share of such intervals that are to hold the true difference.
        seed: seed of the drawing.

    Returns:
        Lower and upper bound.
    """
    difference = drawn_uar(first, resamples, seed) - drawn_uar(second, resamples, seed)
    low, high = np.quantile(difference, interval_quantiles(level, first.shape[1]))
    return float(low), float(high)


def swap_test(
    first: npt.NDArray[np.int64],
    second: npt.NDArray[np.int64],
    exact_speakers: int = EXACT_SPEAKERS,
    draws: int = 100_000,
    seed: int = 0,
) -> tuple[float, bool]:
    """Paired permutation test of equal UAR: the two systems' predictions are swapped for whole speakers.

    Each class has as many utterances whichever system is asked, so that the difference of the pooled UARs is a sum over
    the speakers, and to swap a speaker's predictions is to turn his term's sign. p is the share of swaps whose
    difference is at least as large, in either direction, as the one found (Good 2005). Where swaps are drawn, the one
    found counts as one of them, without which p could be 0 (Phipson & Smyth 2010).

    Args:
        first: confusions (seeds, speakers, K, K).
        second: likewise.
        exact_speakers: up to so many speakers all swaps are counted, else `draws` of them are drawn.
        draws: number of draws.
        seed: seed of the drawing.

    Returns:
        p, and whether all swaps were counted.
    """
    terms = _terms(first) - _terms(second)
    least = abs(terms.sum()) - ROUNDING
    if len(terms) <= exact_speakers:
        return _share_as_large(terms, least), True
    generator = np.random.default_rng(seed)
    large = 0
    for begun in range(0, draws, _CHUNK):
        signs = generator.choice([-1.0, 1.0], size=(min(_CHUNK, draws - begun), len(terms)))
        large += int((np.abs(signs @ terms) >= least).sum())
    return (large + 1) / (draws + 1), False


def compare_figures(first: Tallies, second: Tallies, figure: Figure, seed: int = 0) -> Difference:
    """As `compare_systems`, of any figure that follows from sums over speakers, such as CCC.

    The figure of each swap is made anew from the swapped speakers' sums, since it is no sum over speakers itself.

    Args:
        first: sums (seeds, speakers, cells), as `metrics.tallies.stack` gives them.
        second: likewise, on the same utterances; as many seeds or others.
        figure: sums (..., cells) -> the figure (...).
        seed: seed of what is drawn.
    """
    value = float(figure(first.sum(1)).mean() - figure(second.sum(1)).mean())
    p, exact = swap_figures(first, second, figure, seed=seed)
    return Difference(value, difference_interval(first, second, figure, seed=seed), p, exact)


def difference_interval(
    first: Tallies, second: Tallies, figure: Figure, resamples: int = 10_000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """As `bootstrap_difference`, of any figure that follows from sums over speakers."""
    difference = drawn(first, figure, resamples, seed) - drawn(second, figure, resamples, seed)
    low, high = np.quantile(difference, interval_quantiles(level, first.shape[1]))
    return float(low), float(high)


def swap_figures(
    first: Tallies,
    second: Tallies,
    figure: Figure,
    exact_speakers: int = EXACT_FIGURES,
    draws: int = 20_000,
    seed: int = 0,
) -> tuple[float, bool]:
    """As `swap_test`, of any figure that follows from sums over speakers.

    A swap exchanges all seeds' sums of a speaker, seed by seed where both systems have as many, else their means: then
    the figure is that of mean sums.

    Args:
        first: sums (seeds, speakers, cells).
        second: likewise.
        figure: sums (..., cells) -> the figure (...).
        exact_speakers: up to so many speakers all swaps are counted, else `draws` of them are drawn.
        draws: number of draws.
        seed: seed of the drawing.

    Returns:
        p, and whether all swaps were counted.
    """
    if len(first) != len(second):
        first, second = first.mean(0, keepdims=True), second.mean(0, keepdims=True)
    speakers = first.shape[1]
    exact = speakers <= exact_speakers
    if exact:
        swaps = (np.arange(2**speakers)[:, np.newaxis] >> np.arange(speakers)) % 2
    else:
        swaps = np.random.default_rng(seed).integers(0, 2, size=(draws, speakers))
    whole, moved = first.sum(1), second - first
    rest, large = second.sum(1), 0
    least = abs(float((figure(whole) - figure(rest)).mean())) - ROUNDING
    for begun in range(0, len(swaps), _CHUNK):
        change = np.einsum("rs,nsk->rnk", swaps[begun : begun + _CHUNK].astype(np.float64), moved)
        found = (figure(whole + change) - figure(rest - change)).mean(1)
        large += int((np.abs(found) >= least).sum())
    return (large / len(swaps), True) if exact else ((large + 1) / (draws + 1), False)


def holm(p_values: Sequence[float]) -> list[float]:
    """p of several comparisons, adjusted such that all together err as seldom as one alone (Holm 1979).

    To call every comparison real whose adjusted p is at most a level keeps the probability of one or more false
    rejections among them at that level.

    The smallest of m is multiplied by m, the next by m - 1 and so on; none becomes less than one before it, or more
    than 1.
    """
    given = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    steps = given[order] * np.arange(len(given), 0, -1)
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(p) for p in adjusted]


def _refuse_other_utterances(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> None:
    """Each speaker has as many utterances of each class in every seed of both systems."""
    totals = first[0].sum(-1)
    if first.shape[1:] != second.shape[1:] or any((seed.sum(-1) != totals).any() for seed in (*first, *second)):
        raise ValueError(
            f"the systems were not scored on the same utterances: (speakers, classes) {first.shape[1:3]} and "
            f"{second.shape[1:3]}, utterances {int(totals.sum())} and {int(second[0].sum())}; finish both on the same "
            f"folds of the same manifest"
        )


def _terms(confusions: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """What each speaker adds to the pooled UAR, averaged over seeds: (seeds, speakers, K, K) -> (speakers,)."""
    correct = np.diagonal(confusions, axis1=-2, axis2=-1).mean(0)
    totals = confusions[0].sum((0, 2))
    occurring = totals > 0
    return np.asarray((correct[:, occurring] / totals[occurring]).sum(1) / max(int(occurring.sum()), 1))


def _share_as_large(terms: npt.NDArray[np.float64], least: float) -> float:
    """Share of all signs of terms (n,) under which their sum's size is at least `least`."""
    # Sums of all signs of one half, met by those of the other: 2^12 twice where one after the other would take 2^24.
    left, right = (_signed_sums(half) for half in np.array_split(terms, 2))
    large = sum(int((np.abs(left + each) >= least).sum()) for each in right)
    return large / (len(left) * len(right))


def _signed_sums(terms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sums under every choice of signs: (n,) -> (2^n,)."""
    sums = np.zeros(1)
    for term in terms:
        sums = np.concatenate([sums + term, sums - term])
    return sums
