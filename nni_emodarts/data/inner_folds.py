"""A fold's training speakers divided anew, so that each of them validates once."""

from dataclasses import replace

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from nni_emodarts.data.manifest import Manifest
from nni_emodarts.data.protocols import Cast, Fold
from nni_emodarts.errors import ProtocolError


def inner_fold(manifest: Manifest, fold: Fold, splits: int, number: int) -> Fold:
    """A fold's training and validation speakers divided anew: each of them validates in one of the splits.

    The splits are alike in classes (scikit-learn's `StratifiedGroupKFold`), and the same for every architecture.

    Args:
        manifest: the utterances.
        fold: the fold; its test part is none of the split's.
        splits: how many splits there are.
        number: number of the split, from 0.

    Raises:
        ProtocolError: there are fewer speakers than splits.
    """
    rows = np.sort(np.concatenate([fold.train, fold.validation]))
    speakers = Cast(manifest).speaker[rows]
    if len(set(speakers)) < splits:
        raise ProtocolError(
            f"{splits} inner splits of the {len(set(speakers))} training speakers of fold {fold.index}; set fewer"
        )
    divided = StratifiedGroupKFold(splits, shuffle=True, random_state=fold.index)
    train, validation = list(divided.split(rows, manifest.strata[1][rows], speakers))[number]
    none = np.empty(0, dtype=np.int64)
    return replace(fold, train=rows[train], validation=manifest.measured(rows[validation]), test=none, undecided=none)
