"""How far annotators agree, from the number of votes that each utterance has for each class."""

import numpy as np
import numpy.typing as npt


def krippendorff_alpha(votes: npt.ArrayLike) -> float | None:
    """Krippendorff's alpha of nominal votes: 1 where all agree, 0 where they agree as by chance.

    alpha = 1 - D_o / D_e, the disagreement of pairs of votes within utterances over that of all pairs of votes
    (Krippendorff, Content Analysis, 2004, chapter 11). Utterances may have different numbers of votes; those with
    fewer than two are in no pair and do not count.

    Args:
        votes: (n, classes) numbers of votes.

    Returns:
        None where there is no pair of votes, or all votes are for one class.

    Example:
        >>> krippendorff_alpha([[2, 0], [0, 2], [2, 0]])
        1.0
    """
    counts = np.asarray(votes, dtype=np.float64)
    counts = counts[counts.sum(axis=1) >= 2]
    each = counts.sum(axis=1)
    total, by_class = each.sum(), counts.sum(axis=0)
    expected = total**2 - np.square(by_class).sum()
    if not expected:
        return None
    observed = ((np.square(each) - np.square(counts).sum(axis=1)) / (each - 1)).sum()
    return float(1 - (total - 1) * observed / expected)


def majority_share(votes: npt.ArrayLike) -> float | None:
    """Mean share of an utterance's votes that its most voted class has; None without votes.

    Args:
        votes: (n, classes) numbers of votes; utterances without any do not count.

    Example:
        >>> majority_share([[3, 1], [0, 2], [0, 0]])
        0.875
    """
    counts = np.asarray(votes, dtype=np.float64)
    counts = counts[counts.sum(axis=1) > 0]
    return float((counts.max(axis=1) / counts.sum(axis=1)).mean()) if len(counts) else None
