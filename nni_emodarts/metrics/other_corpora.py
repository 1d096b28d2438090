"""Figures on corpora that networks were not trained on: each network answers all of a corpus."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nni_emodarts.metrics.intervals import bootstrap_uar, gather_speakers, speaker_confusions, stack_speakers
from nni_emodarts.metrics.scores import scores, summary
from nni_emodarts.runtime.plain_data import JsonObject

CORPUS_COLUMN = "corpus"
"""Column of a table of predictions that names the corpus of each utterance."""
LEAST_SPEAKERS = 2
"""Speakers from which on an interval over them means anything."""


def corpus_figures(predictions: pd.DataFrame, classes: Sequence[str]) -> JsonObject:
    """Figures of one corpus, as means over the networks that answered it.

    Utterances of unknown speakers count as speakers of their own.

    Args:
        predictions: columns `fold`, `seed`, `file`, `speaker`, `emotion`, `predicted`; of each network all utterances.
        classes: names of the classes.

    Returns:
        `test_uar`, `test_wa`, `test_macro_f1` and `recall` as means over the networks, `test_uar_std` over them;
        `test_uar_interval` over the speakers, None of too few; `confusion` (K, K) of all networks together, rows true;
        number of `networks`, `utterances` and `speakers`.
    """
    number = {name: position for position, name in enumerate(classes)}
    named = predictions["speaker"].fillna("").astype(str)
    who = named.where(named != "", "?" + predictions["file"].astype(str))
    table = predictions.assign(speaker=who)
    networks = [rows for _, rows in table.groupby(["fold", "seed"])]
    found = [scores(rows["emotion"].map(number), rows["predicted"].map(number), classes) for rows in networks]
    uar, deviation = summary(each["uar"] for each in found)
    recalls = pd.DataFrame([each["recall"] for each in found], columns=list(classes), dtype=np.float64).mean()
    return {
        "test_uar": uar,
        "test_uar_std": deviation,
        "test_uar_interval": _interval(networks, classes),
        "test_wa": summary(each["wa"] for each in found)[0],
        "test_macro_f1": summary(each["macro_f1"] for each in found)[0],
        "recall": {name: None if np.isnan(value) else float(value) for name, value in recalls.items()},
        "confusion": np.sum([each["confusion"] for each in found], axis=0).tolist(),
        "networks": len(networks),
        "utterances": found[0]["n"],
        "speakers": int(networks[0]["speaker"].nunique()),
    }


def figures_by_corpus(predictions: pd.DataFrame, classes: Sequence[str]) -> dict[str, JsonObject]:
    """Name of each corpus of a table of predictions -> its figures, in the order in which they come."""
    groups = predictions.groupby(CORPUS_COLUMN, sort=False)
    return {str(name): corpus_figures(rows, classes) for name, rows in groups}


def _interval(networks: Sequence[pd.DataFrame], classes: Sequence[str]) -> list[float] | None:
    """Of the mean UAR, under resampling of the speakers, whom all networks share."""
    if networks[0]["speaker"].nunique() < LEAST_SPEAKERS:
        return None
    by_network = [gather_speakers([(0, speaker_confusions(rows, classes))]) for rows in networks]
    return list(bootstrap_uar(stack_speakers(by_network)))
