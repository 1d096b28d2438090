"""Some utterances of many, where all of them would not fit into memory."""

import numpy as np

from nni_emodarts.data.protocols import Rows


def some(rows: Rows, most: int, seed: int = 0) -> Rows:
    """Rows in ascending order, all of them or as many as are allowed, drawn without replacement.

    >>> some(np.array([5, 3, 9]), 3).tolist(), len(some(np.arange(100), 7))
    ([3, 5, 9], 7)
    """
    rows = np.sort(rows)
    return rows if len(rows) <= most else np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
