"""Where an architecture comes from: what a search notes beside its choices."""

from typing import Any

import numpy as np

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.overlap import fingerprint
from nni_emodarts.data.protocols import Fold


def search_origin(config: ExperimentConfig, corpus: Corpus, fold: Fold, seed: int) -> dict[str, Any]:
    """Strategy, seed, fold, hash of the manifest, and the speakers that the search sees: training and validation."""
    seen = np.concatenate([fold.train, fold.validation])
    return {
        "preset": config.preset,
        "strategy": config.search.strategy,
        "options": config.search.strategy_options().model_dump(mode="json"),
        "epochs": config.search.epochs,
        "seed": seed,
        "protocol": corpus.protocol,
        "fold": fold.index,
        **fingerprint(corpus, seen),
    }
