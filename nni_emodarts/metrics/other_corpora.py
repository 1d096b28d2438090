"""Figures on corpora that networks were not trained on: each network answers all of a corpus."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from nni_emodarts.metrics.intervals import (
    bootstrap_uar,
    gather_speakers,
    speaker_confusions,
    stack_speakers,
    uar_of_confusion,
    wa_of_confusion,
)
from nni_emodarts.metrics.scores import summary
from nni_emodarts.runtime.plain_data import JsonObject

CORPUS_COLUMN = "corpus"
"""Column of a table of predictions that names the corpus of each utterance."""
LEAST_SPEAKERS = 2
"""Speakers from which on an interval over them means anything."""

Confusions = Mapping[str, Sequence[Sequence[int]]]
"""A confusion matrix (K, K) of each speaker, rows true."""


def confusions_of(predictions: pd.DataFrame, classes: Sequence[str]) -> dict[str, list[list[int]]]:
    """A confusion matrix of each speaker of a corpus; utterances of unknown speakers are people of their own.

    Args:
        predictions: columns `file`, `speaker`, `emotion`, `predicted`, of one network.
        classes: names of the classes.
    """
    named = predictions["speaker"].fillna("").astype(str)
    who = named.where(named != "", "?" + predictions["file"].astype(str))
    return speaker_confusions(predictions.assign(speaker=who), classes)


def confusion_figures(networks: Sequence[Confusions], classes: Sequence[str]) -> JsonObject:
    """Figures of one corpus, as means over the networks that answered it.

    Args:
        networks: of each network the confusions of all speakers.
        classes: names of the classes.

    Returns:
        `test_uar`, `test_wa`, `test_macro_f1` and `recall` as means over the networks, `test_uar_std` over them;
        `test_uar_interval` over the speakers, None of too few; `confusion` (K, K) of all networks together, rows true;
        number of `networks`, `utterances` and `speakers`.
    """
    pooled = np.stack([np.sum(list(each.values()), axis=0, dtype=np.int64) for each in networks])
    uar, deviation = summary(float(value) for value in uar_of_confusion(pooled))
    totals = pooled.sum(-1)[0]
    recalls = np.diagonal(pooled, axis1=1, axis2=2).mean(0) / np.maximum(totals, 1)
    return {
        "test_uar": uar,
        "test_uar_std": deviation,
        "test_uar_interval": _interval(networks),
        "test_wa": float(wa_of_confusion(pooled).mean()),
        "test_macro_f1": float(np.mean([_macro_f1(each) for each in pooled])),
        "recall": {
            name: float(value) if total else None for name, value, total in zip(classes, recalls, totals, strict=True)
        },
        "confusion": pooled.sum(0).tolist(),
        "networks": len(networks),
        "utterances": int(totals.sum()),
        "speakers": len(networks[0]),
    }


def corpus_figures(predictions: pd.DataFrame, classes: Sequence[str]) -> JsonObject:
    """`confusion_figures` of a table of predictions.

    Args:
        predictions: columns `fold`, `seed`, `file`, `speaker`, `emotion`, `predicted`; of each network all utterances.
        classes: names of the classes.
    """
    networks = [confusions_of(rows, classes) for _, rows in predictions.groupby(["fold", "seed"])]
    return confusion_figures(networks, classes)


def figures_by_corpus(predictions: pd.DataFrame, classes: Sequence[str]) -> dict[str, JsonObject]:
    """Name of each corpus of a table of predictions -> its figures, in the order in which they come."""
    groups = predictions.groupby(CORPUS_COLUMN, sort=False)
    return {str(name): corpus_figures(rows, classes) for name, rows in groups}


def _macro_f1(confusion: npt.NDArray[np.int64]) -> float:
    """Mean F1 over the classes that occur."""
    hits, true, answered = np.diagonal(confusion), confusion.sum(1), confusion.sum(0)
    return float((2 * hits / np.maximum(true + answered, 1))[true > 0].mean())


def _interval(networks: Sequence[Confusions]) -> list[float] | None:
    """Of the mean UAR, under resampling of the speakers, whom all networks share."""
    if len(networks[0]) < LEAST_SPEAKERS:
        return None
    return list(bootstrap_uar(stack_speakers([gather_speakers([(0, each)]) for each in networks])))
