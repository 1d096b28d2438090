"""How far figures of candidates can be relied on: candidates x replicates, the same replicates for all."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nni_emodarts.metrics.notation import count_text
from nni_emodarts.runtime.plain_data import JsonMapping

Figures = npt.NDArray[np.float64]
"""(n, R) a row for each candidate, a column for each replicate; NaN where a candidate lacks one."""


@dataclass(frozen=True)
class Reliability:
    """Where the spread of figures comes from.

    Attributes:
        candidate: standard deviation between candidates, averaged over replicates without end.
        noise: standard deviation of one replicate's figure of a candidate, beyond what moves all candidates alike.
        single: share of the variance between candidates that is their own where each has one replicate.
        mean: the same of means over all R replicates: the intraclass correlation ICC(C,k) of McGraw & Wong (1996).
        standard_error: of the difference between two candidates' means over all R replicates.
    """

    candidate: float
    noise: float
    single: float
    mean: float
    standard_error: float


def reliability(figures: Figures) -> Reliability | None:
    """Components of the variance of figures.

    A figure is taken for mean + candidate + replicate + noise (two-way random effects without interaction). The noise
    is what least squares leave; the candidates' variance follows from what they explain beside the replicates
    (Henderson's method III: Searle, Casella & McCulloch 1992, section 5.4), and is zero where it would come out
    negative. Where no figure lacks this is the analysis of variance.

    Args:
        figures: of candidates and replicates.

    Returns:
        None where fewer than two candidates have several replicates, so that nothing can be told apart.
    """
    known = ~np.isnan(figures)
    figures = figures[known.any(1)]
    known = ~np.isnan(figures)
    count, replicates = figures.shape
    freedom = int(known.sum()) - count - int(known.any(0).sum()) + 1
    if (known.sum(1) > 1).sum() < 2 or freedom < 1:
        return None
    rows, columns = np.nonzero(known)
    values, of_replicates = figures[known], np.eye(replicates)[columns][:, known.any(0)]
    left = _squares_left(_within(of_replicates, rows), _within(values[:, None], rows)[:, 0])
    noise = left / freedom
    explained = _squares_left(of_replicates, values) - left - (count - 1) * noise
    own = max(0.0, explained / (len(values) - of_replicates.shape[1]))
    return Reliability(
        candidate=float(np.sqrt(own)),
        noise=float(np.sqrt(noise)),
        single=_share(own, noise),
        mean=_share(own, noise / replicates),
        standard_error=float(np.sqrt(2 * noise / replicates)),
    )


def described_estimate(metrics: JsonMapping) -> list[str]:
    """In words, how candidates were measured and what that is worth; nothing where each was trained once.

    Args:
        metrics: what the metrics.json of a search holds.
    """
    how = metrics.get("estimate")
    if not how:
        return []
    trainings = count_text(how["folds"] * how["seeds"], "training")
    what = "validation UAR" if how["figure"] == "uar" else "validation loss at a temperature of its own"
    halved = ", the better half of them further each time" if how["halving"] else ""
    lines = [f"candidates are compared by {what} over {trainings} ({how['folds']} x {how['seeds']}){halved}"]
    if "reliability" in how:
        lines.append(
            f"reliability {how['reliability']:.2f} ({how['reliability_of_one']:.2f} of one training): candidates "
            f"deviate by {how['candidate_std']:.3f}, noise by {how['noise_std']:.3f}"
        )
    if len(how["tied"]) > 1:
        lines.append(f"these figures cannot tell the best {len(how['tied'])} apart; the cheapest of them is taken")
    return lines


def _within(values: Figures, groups: npt.NDArray[np.int64]) -> Figures:
    """(N, M) less the means of their groups."""
    sums = np.zeros((groups.max() + 1, values.shape[1]))
    np.add.at(sums, groups, values)
    return values - (sums / np.bincount(groups)[:, None])[groups]


def _squares_left(design: Figures, values: Figures) -> float:
    """Sum of squares that least squares leave."""
    solution = np.linalg.lstsq(design, values, rcond=None)[0]
    return float(((values - design @ solution) ** 2).sum())


def _share(own: float, noise: float) -> float:
    return own / (own + noise) if own > 0 else 0.0
