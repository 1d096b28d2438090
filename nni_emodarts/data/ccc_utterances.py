"""Over how many utterances training estimates CCC, and what one should know where they are few."""

from collections.abc import Iterator, Sequence

import numpy as np

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.manifest import Manifest
from nni_emodarts.data.protocols import Fold

ENOUGH = 64
"""Utterances of which CCC comes out too low by less than 0.01 on average; of 16 by 0.03, of 4 by 0.15."""


def few_utterances(config: ExperimentConfig, manifest: Manifest, folds: Sequence[Fold]) -> Iterator[str]:
    """A note where CCC, as a loss, is taken over fewer utterances than are asked for, or than are enough.

    It is taken over `objective.ccc_utterances`, or over a batch where that is larger, and over no more than have a
    value in the training part.

    Args:
        config: the whole configuration.
        manifest: the utterances.
        folds: that are trained on, one at least.
    """
    if not manifest.dimensions or config.objective.dimension_loss != "ccc":
        return
    known, index, name = min(
        (int(count), fold.index, name)
        for fold in folds
        for name, count in zip(manifest.dimensions, (~np.isnan(manifest.values[fold.train])).sum(0), strict=True)
    )
    asked = max(config.objective.ccc_utterances, min(config.search.batch_size, config.retrain.batch_size))
    bound = max(asked, ENOUGH)
    if min(asked, known) >= bound:
        return
    remedies = ["raise objective.ccc_utterances, which takes no memory"] if asked < min(known, bound) else []
    if known < bound:
        remedies.append(
            f"the training part of fold {index} has {known} values of {name}: add recordings, or set "
            f"objective.dimension_loss to mse"
        )
    yield (
        f"CCC is estimated over {min(asked, known)} utterances at a time, fewer than {bound}: of few it comes out too "
        f"low, and its gradient with it; {'; '.join(remedies)}"
    )
