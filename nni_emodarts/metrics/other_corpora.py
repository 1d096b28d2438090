"""Figures on corpora that networks were not trained on: each network answers all of a corpus.

Classes and dimensions are one matter here: speakers' sums, of which every figure is made (`metrics.tallies`).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.dimensions import dimension_figures, dimension_names
from nni_emodarts.metrics.headline import BOTH, CCC, UAR
from nni_emodarts.metrics.intervals import wa_of_confusion
from nni_emodarts.metrics.scores import summary
from nni_emodarts.metrics.tallies import Counting, interval, speaker_tallies, stack
from nni_emodarts.runtime.plain_data import JsonObject

CORPUS_COLUMN = "corpus"
"""Column of a table of predictions that names the corpus of each utterance."""
LEAST_SPEAKERS = 2
"""Speakers from which on an interval over them means anything."""
Network = Mapping[str, npt.ArrayLike]
"""Of one network the sums of each speaker in one row, as `Counting` lays them out."""


def of_people(predictions: pd.DataFrame) -> pd.DataFrame:
    """A table of predictions in which utterances of unknown speakers are people of their own."""
    named = predictions["speaker"].fillna("").astype(str)
    return predictions.assign(speaker=named.where(named != "", "?" + predictions["file"].astype(str)))


def network_figures(networks: Sequence[Network], classes: Sequence[str], dimensions: Sequence[str]) -> JsonObject:
    """Figures of one corpus, as means over the networks that answered it.

    Args:
        networks: the networks' sums, of the same speakers.
        classes: names of the classes; none where networks only answer in dimensions.
        dimensions: likewise of the dimensions; one without a value is left out.

    Returns:
        `test_uar` of classes, `test_ccc` of dimensions and `test_uar_ccc` of both, as means over the networks; with
        `_std` their deviation over them, with `_interval` that over the speakers, None of too few. Of classes
        `test_wa`, `test_macro_f1`, `recall` and `confusion` (K, K) of all networks together, rows true. Of dimensions
        `test_pearson`, `test_mae`, means over the dimensions; these and `test_ccc` of each, `test_ccc_NAME`; the names
        as `dimensions`, and how many utterances have a value as `rated`. Number of `networks`, `utterances` (of
        dimensions alone, those of the one that has most) and `speakers`.
    """
    counting, sums = Counting(len(classes), len(dimensions)), stack(networks)
    pooled = sums.sum(1)
    told = _class_figures(counting.confusion(pooled), classes) if classes else {}
    rated = _dimension_figures(counting.moments(pooled), dimensions) if dimensions else {}
    found: JsonObject = {}
    for headline, figure in ((UAR, counting.uar), (CCC, counting.ccc), (BOTH, counting.score)):
        if {UAR: told, CCC: rated, BOTH: told and rated}[headline]:
            found[headline.test], found[f"{headline.test}_std"] = summary(map(float, figure(pooled)))
            enough = len(networks[0]) >= LEAST_SPEAKERS
            found[f"{headline.test}_interval"] = list(interval(sums, figure)) if enough else None
    utterances = int(np.sum(told["confusion"])) // len(networks) if told else max(rated["rated"].values(), default=0)
    more = {"networks": len(networks), "utterances": utterances, "speakers": len(networks[0])}
    return {**found, **told, **rated, **more}


def corpus_figures(predictions: pd.DataFrame, classes: Sequence[str]) -> JsonObject:
    """`network_figures` of a table of predictions.

    Args:
        predictions: columns `fold`, `seed`, `file`, `speaker`; of classes `emotion` and `predicted`; of dimensions
            those of `nni_emodarts.metrics.dimensions.dimension_names`. Of each network all utterances.
        classes: names of the classes.
    """
    networks = [speaker_tallies(rows, classes)[1] for _, rows in of_people(predictions).groupby(["fold", "seed"])]
    return network_figures(networks, classes, dimension_names(predictions))


def figures_by_corpus(predictions: pd.DataFrame, classes: Sequence[str]) -> dict[str, JsonObject]:
    """Name of each corpus of a table of predictions -> its figures, in the order in which they come."""
    groups = predictions.groupby(CORPUS_COLUMN, sort=False)
    return {str(name): corpus_figures(rows, classes) for name, rows in groups}


def figures_of_cells(cells: Sequence[FinishedCell]) -> JsonObject:
    """`other_corpora`, a method's figures on further corpora that all of its cells were scored on; else nothing."""
    scored = [cell.tallies_elsewhere for cell in cells]
    if not all(scored):
        return {}
    names = [name for name in scored[0] if all(name in each for each in scored)]
    classes, dimensions = cells[0].classes, cells[0].dimensions or ()
    figures = {name: network_figures([each[name] for each in scored], classes, dimensions) for name in names}
    for name, scale in (cells[0].other_scales or {}).items():
        if name in figures:
            figures[name]["scale"] = list(scale)
    return {"other_corpora": figures}


def _class_figures(confusions: npt.NDArray[np.float64], classes: Sequence[str]) -> JsonObject:
    """Of the networks' confusions (networks, K, K)."""
    totals = confusions.sum(-1)[0]
    recalls = np.diagonal(confusions, axis1=1, axis2=2).mean(0) / np.maximum(totals, 1)
    return {
        "test_wa": float(wa_of_confusion(confusions).mean()),
        "test_macro_f1": float(np.mean([_macro_f1(each) for each in confusions])),
        "recall": {
            name: float(value) if total else None for name, value, total in zip(classes, recalls, totals, strict=True)
        },
        "confusion": confusions.sum(0).astype(np.int64).tolist(),
    }


def _macro_f1(confusion: npt.NDArray[np.float64]) -> float:
    """Mean F1 over the classes that occur."""
    hits, true, answered = np.diagonal(confusion), confusion.sum(1), confusion.sum(0)
    return float((2 * hits / np.maximum(true + answered, 1))[true > 0].mean())


def _dimension_figures(moments: npt.NDArray[np.float64], dimensions: Sequence[str]) -> JsonObject:
    """Of the networks' moments (networks, D, 7)."""
    counts = moments[0, :, 0].astype(np.int64)
    names = [name for name, count in zip(dimensions, counts, strict=True) if count]
    moments = moments[:, counts > 0]
    found: JsonObject = {"dimensions": names, "rated": dict(zip(names, counts[counts > 0].tolist(), strict=True))}
    each = [dimension_figures(network, names) for network in moments]
    for key in each[0]:
        known = [value for figures in each if (value := figures[key]) is not None]
        if key != "ccc":  # the headline's mean is made apart
            found[f"test_{key}"] = float(np.mean(known)) if known else None
    return found
