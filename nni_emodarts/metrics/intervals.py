"""How sure a figure is: intervals over speakers.

Utterances of one speaker resemble each other, so that the speaker is the unit that is drawn anew, never the utterance.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr, stdtrit
from sklearn.metrics import confusion_matrix

from nni_emodarts.metrics import speakers


def speaker_confusions(predictions: pd.DataFrame, classes: Sequence[str]) -> dict[str, list[list[int]]]:
    """A confusion matrix (K, K) for each speaker, rows true, columns predicted: all that pooled figures need.

    Args:
        predictions: columns `speaker`, `emotion`, `predicted`.
        classes: names of the classes.
    """
    return {
        str(speaker): confusion_matrix(rows["emotion"], rows["predicted"], labels=list(classes)).tolist()
        for speaker, rows in predictions.groupby("speaker")
    }


def uar_of_confusion(confusion: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Mean recall over the classes that occur: (..., K, K) -> (...)."""
    counts = np.asarray(confusion, dtype=np.float64)
    totals = counts.sum(-1)
    recall = np.divide(np.diagonal(counts, axis1=-2, axis2=-1), totals, out=np.zeros_like(totals), where=totals > 0)
    return np.asarray(recall.sum(-1) / np.maximum((totals > 0).sum(-1), 1))


def wa_of_confusion(confusion: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Accuracy: (..., K, K) -> (...)."""
    counts = np.asarray(confusion, dtype=np.float64)
    return np.asarray(np.trace(counts, axis1=-2, axis2=-1) / np.maximum(counts.sum((-2, -1)), 1))


def gather_speakers(
    folds: Iterable[tuple[object, Mapping[str, npt.ArrayLike]]],
) -> dict[str, npt.NDArray[np.int64]]:
    """Confusions of the speakers of several folds together, by name.

    Utterances of unknown speakers are people of their own in each fold: they must not be taken for one person.

    Args:
        folds: number of each fold, and the confusions of its speakers, "" standing for the unknown.
    """
    return speakers.gather(folds, np.int64)


def stack_speakers(by_seed: Sequence[Mapping[str, npt.ArrayLike]]) -> npt.NDArray[np.int64]:
    """Confusions of each seed's speakers as one array (seeds, speakers, K, K), speakers in order of their names.

    Raises:
        ValueError: the seeds were not scored on the same speakers.
    """
    return speakers.stack(by_seed, np.int64)


def bootstrap_uar(
    confusions: npt.NDArray[np.int64], resamples: int = 10_000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Expanded percentile interval of the pooled UAR, averaged over seeds, under resampling of speakers (Efron 1979).

    Each resample draws as many speakers as there are, with replacement, the same ones for every seed. A class that a
    resample lacks is left out of its mean.

    Args:
        confusions: (seeds, speakers, K, K), as `stack_speakers` gives them.
        resamples: number of resamples.
        level: share of such intervals that are to hold the true figure.
        seed: seed of the drawing.

    Returns:
        Lower and upper bound.
    """
    low, high = np.quantile(drawn_uar(confusions, resamples, seed), interval_quantiles(level, confusions.shape[1]))
    return float(low), float(high)


def interval_quantiles(level: float, speakers: int) -> tuple[float, float]:
    """Quantiles of the resamples that bound an interval, further out the fewer speakers there are.

    Plain percentiles are too narrow for few speakers: resamples spread by sqrt((n - 1) / n) too little, and as if the
    spread were known. Of ten speakers they hold the true mean 90 times in 100, not 95. Expanded percentiles make the
    interval of a mean as wide as Student's (Hesterberg 2015, What Teachers Should Know About the Bootstrap). Of five
    speakers they hold it about 90 times: resamples of so few reach no further.

    Args:
        level: share of such intervals that are to hold the true figure.
        speakers: number of speakers n; of one there is nothing to expand.
    """
    if speakers < 2:
        return (1 - level) / 2, (1 + level) / 2
    freedom = speakers - 1
    tail = float(ndtr(np.sqrt(speakers / freedom) * stdtrit(freedom, (1 - level) / 2)))
    return tail, 1 - tail


def drawn_uar(confusions: npt.NDArray[np.int64], resamples: int, seed: int) -> npt.NDArray[np.float64]:
    """Pooled UAR of resamples of the speakers, averaged over seeds: (seeds, speakers, K, K) -> (resamples,).

    Equal seeds of the drawing draw the same speakers, whatever system they were scored with.
    """
    seeds, speakers, classes, _ = confusions.shape
    generator = np.random.default_rng(seed)
    times_drawn = generator.multinomial(speakers, np.full(speakers, 1 / speakers), size=resamples)
    flat = confusions.reshape(seeds, speakers, classes * classes)
    pooled = np.einsum("rs,nsk->nrk", times_drawn, flat).reshape(seeds, resamples, classes, classes)
    return np.asarray(uar_of_confusion(pooled).mean(0))


def bootstrap_recalls(
    confusions: npt.NDArray[np.int64], resamples: int = 10_000, level: float = 0.95, seed: int = 0
) -> npt.NDArray[np.float64]:
    """Expanded percentile interval of each class's pooled recall, averaged over seeds, under resampling of speakers.

    Resamples that lack a class are left out of its interval.

    Args:
        confusions: (seeds, speakers, K, K), as `stack_speakers` gives them.
        resamples: number of resamples.
        level: share of such intervals that are to hold the true figure.
        seed: seed of the drawing.

    Returns:
        (K, 2) lower and upper bound; NaN for a class that does not occur.
    """
    speakers, classes = confusions.shape[1:3]
    generator = np.random.default_rng(seed)
    times_drawn = generator.multinomial(speakers, np.full(speakers, 1 / speakers), size=resamples)
    correct = times_drawn @ np.diagonal(confusions, axis1=-2, axis2=-1).mean(0)
    totals = times_drawn @ confusions.sum(-1).mean(0)
    found = np.full((classes, 2), np.nan)
    for number in range(classes):
        occurs = totals[:, number] > 0
        if occurs.any():
            drawn = correct[occurs, number] / totals[occurs, number]
            found[number] = np.quantile(drawn, interval_quantiles(level, speakers))
    return found
