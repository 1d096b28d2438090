"""Predictions of rows of the manifest, and the figures of a test part."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.batches import evaluation_loader
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.metrics.scores import scores
from nni_emodarts.training.retrain.fitting import Trained
from nni_emodarts.training.task import predict


def predictions(
    config: ExperimentConfig, corpus: Corpus, trained: Trained, rows: np.ndarray, fold: int, seed: int
) -> pd.DataFrame:
    """A trained network's probabilities for rows of the manifest, as a table."""
    rows = np.sort(rows)
    device = next(trained.model.parameters()).device
    loader = evaluation_loader(corpus.utterances(rows, trained.normalizer), corpus.collate, config.retrain.batch_size)
    probabilities = predict(trained.model, loader, device, len(rows))
    classes = np.array(corpus.manifest.classes)
    table = describe_rows(corpus, rows, fold, seed)
    table["predicted"] = classes[probabilities.argmax(1)]
    for number, name in enumerate(classes):
        table[f"p_{name}"] = probabilities[:, number]
    return table


def describe_rows(corpus: Corpus, rows: np.ndarray, fold: int, seed: int) -> pd.DataFrame:
    """Rows of the manifest as the first columns of a table of predictions."""
    known = corpus.manifest.table.iloc[rows]
    return pd.DataFrame(
        {
            "fold": fold,
            "seed": seed,
            "file": np.array(corpus.manifest.names)[rows],
            "speaker": known["speaker"].to_numpy(),
            "emotion": known["emotion"].to_numpy(),
        }
    )


def score_predictions(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """Figures of a table of predictions, each called `test_*` but recall and confusion."""
    number = {name: position for position, name in enumerate(classes)}
    found = scores(table["emotion"].map(number).to_numpy(), table["predicted"].map(number).to_numpy(), classes)
    return {
        "test_uar": found["uar"],
        "test_wa": found["wa"],
        "test_macro_f1": found["macro_f1"],
        "recall": found["recall"],
        "confusion": found["confusion"],
        "test_utterances": found["n"],
    }
