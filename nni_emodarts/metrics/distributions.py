"""How far answers are from the distributions of annotators' votes: KL and Jensen-Shannon divergence."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from nni_emodarts.runtime.plain_data import JsonObject

SHARE = "share_"
"""Before the name of a class: the column of a table of predictions with the class's share of the votes."""
ANSWER = "p_"
"""Before the name of a class: the column of a table of predictions with its probability."""
_LEAST = 1e-12
"""Probabilities below it count as it, so that a wrong answer that is sure of itself stays finite."""


def kl_divergence(true: npt.ArrayLike, answers: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """KL divergence of distributions from answers, sum of q ln(q / p) over the classes, in nats.

    Args:
        true: (n, K) distributions q.
        answers: (n, K) probabilities p.

    Returns:
        (n,), 0 where they are alike.

    Example:
        >>> kl_divergence([[0.5, 0.5]], [[0.25, 0.75]]).round(4)
        array([0.1438])
    """
    q, p = np.asarray(true, dtype=np.float64), np.maximum(np.asarray(answers, dtype=np.float64), _LEAST)
    return np.asarray((q * np.log(np.where(q > 0, q, 1.0) / np.where(q > 0, p, 1.0))).sum(axis=1))


def js_divergence(true: npt.ArrayLike, answers: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Jensen-Shannon divergence (Lin 1991): mean KL divergence of both from their mean, in bits.

    Args:
        true: (n, K) distributions.
        answers: (n, K) probabilities.

    Returns:
        (n,), from 0 where they are alike to 1 where they share no class.

    Example:
        >>> js_divergence([[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]])
        array([1., 0.])
    """
    q, p = np.asarray(true, dtype=np.float64), np.asarray(answers, dtype=np.float64)
    mean = (q + p) / 2
    return np.asarray((kl_divergence(q, mean) + kl_divergence(p, mean)) / (2 * np.log(2)))


def distribution_figures(true: npt.ArrayLike, answers: npt.ArrayLike) -> JsonObject:
    """Both figures, means over the utterances, and their number.

    Args:
        true: (n, K) distributions of votes.
        answers: (n, K) probabilities.
    """
    return {
        "kl": float(kl_divergence(true, answers).mean()),
        "js": float(js_divergence(true, answers).mean()),
        "n": len(np.asarray(true)),
    }


def table_figures(tables: Sequence[pd.DataFrame | None], classes: Sequence[str]) -> JsonObject:
    """`test_kl`, `test_js` and the number of utterances of tables of predictions, mean over the seeds.

    Args:
        tables: predictions with columns `seed`, and `share_` and `p_` of each class; absent ones are passed over.
        classes: their names.

    Returns:
        Nothing where a table holds no distributions, or there are no classes.
    """
    there = [table for table in tables if table is not None and len(table)]
    true, answers = ([f"{prefix}{name}" for name in classes] for prefix in (SHARE, ANSWER))
    if not there or not classes or any(name not in table.columns for table in there for name in (*true, *answers)):
        return {}
    joined = pd.concat([table[["seed", *true, *answers]] for table in there], ignore_index=True)
    by_seed = [distribution_figures(rows[true], rows[answers]) for _, rows in joined.groupby("seed")]
    return {
        "test_kl": float(np.mean([each["kl"] for each in by_seed])),
        "test_js": float(np.mean([each["js"] for each in by_seed])),
        "test_voted_utterances": round(float(np.mean([each["n"] for each in by_seed]))),
    }
