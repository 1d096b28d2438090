"""What speakers add to pooled figures: sums, of which any figure of any speakers together is made anew.

UAR comes from confusions, CCC from moments, and their mean from both. None of them but UAR is a sum over speakers; all
are functions of sums over speakers.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from nni_emodarts.metrics import speakers
from nni_emodarts.metrics.dimensions import SUMS, dimension_names, mean_ccc, table_moments
from nni_emodarts.metrics.headline import BOTH, CCC, UAR, Headline
from nni_emodarts.metrics.intervals import interval_quantiles, speaker_confusions, uar_of_confusion

Tallies = npt.NDArray[np.float64]
"""(seeds, speakers, cells) sums of each speaker."""
Figure = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
"""Sums (..., cells) -> a figure of each (...)."""


@dataclass(frozen=True)
class Counting:
    """How sums of speakers are laid out: a confusion matrix (K, K), then moments (D, 7), all in one row.

    Attributes:
        classes: number of classes K.
        dimensions: number of dimensions D.
    """

    classes: int
    dimensions: int

    @property
    def headline(self) -> Headline:
        """The figure that such networks are compared by."""
        if not self.dimensions:
            return UAR
        return BOTH if self.classes else CCC

    def row(self, confusion: npt.ArrayLike | None, moments: npt.ArrayLike | None) -> npt.NDArray[np.float64]:
        """A speaker's sums in one row (cells,); zeros for what is not known of the speaker."""
        row = np.zeros(self.classes**2 + self.dimensions * len(SUMS))
        if confusion is not None:
            row[: self.classes**2] = np.asarray(confusion, dtype=np.float64).ravel()
        if moments is not None:
            row[self.classes**2 :] = np.asarray(moments, dtype=np.float64).ravel()
        return row

    def confusion(self, sums: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """(..., cells) -> (..., K, K)."""
        given = np.asarray(sums)
        return given[..., : self.classes**2].reshape(*given.shape[:-1], self.classes, self.classes)

    def moments(self, sums: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """(..., cells) -> (..., D, 7)."""
        given = np.asarray(sums)
        return given[..., self.classes**2 :].reshape(*given.shape[:-1], self.dimensions, len(SUMS))

    def uar(self, sums: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """UAR of sums: (..., cells) -> (...)."""
        return uar_of_confusion(self.confusion(sums))

    def ccc(self, sums: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Mean CCC of sums: (..., cells) -> (...)."""
        return mean_ccc(self.moments(sums))

    def score(self, sums: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The headline of sums: (..., cells) -> (...)."""
        if not self.dimensions:
            return self.uar(sums)
        return (self.uar(sums) + self.ccc(sums)) / 2 if self.classes else self.ccc(sums)


def speaker_tallies(table: pd.DataFrame, classes: Sequence[str]) -> tuple[Counting, dict[str, npt.NDArray[np.float64]]]:
    """How a table of predictions counts, and the sums of each of its speakers."""
    names = dimension_names(table)
    counting = Counting(len(classes), len(names))
    found = {}
    for speaker, rows in table.groupby("speaker"):
        confusion = next(iter(speaker_confusions(rows, classes).values())) if classes else None
        found[str(speaker)] = counting.row(confusion, table_moments(rows, names) if names else None)
    return counting, found


def gather(folds: Iterable[tuple[object, Mapping[str, npt.ArrayLike]]]) -> dict[str, npt.NDArray[np.float64]]:
    """Sums of the speakers of several folds together, by name; the unknown of each fold are people of their own."""
    return speakers.gather(folds, np.float64)


def stack(by_seed: Sequence[Mapping[str, npt.ArrayLike]]) -> Tallies:
    """Sums of each seed's speakers as one array (seeds, speakers, cells), speakers in order of their names.

    Raises:
        ValueError: the seeds were not scored on the same speakers.
    """
    return speakers.stack(by_seed, np.float64)


def ccc_interval(table: pd.DataFrame) -> tuple[float, float]:
    """Interval over speakers of the mean CCC of a table of predictions with columns `seed` and `fold`.

    Raises:
        ValueError: the seeds were not scored on the same speakers.
    """
    counting = speaker_tallies(table, ())[0]
    by_seed = [
        gather((fold, speaker_tallies(part, ())[1]) for fold, part in rows.groupby("fold"))
        for _, rows in table.groupby("seed")
    ]
    return interval(stack(by_seed), counting.ccc)


def drawn(tallies: Tallies, figure: Figure, resamples: int = 10_000, seed: int = 0) -> npt.NDArray[np.float64]:
    """A figure of resamples of the speakers, averaged over seeds: (seeds, speakers, cells) -> (resamples,).

    Each resample draws as many speakers as there are, with replacement, the same ones for every seed, and for every
    system with an equal seed of the drawing (Efron 1979).
    """
    count = tallies.shape[1]
    generator = np.random.default_rng(seed)
    times_drawn = generator.multinomial(count, np.full(count, 1 / count), size=resamples)
    pooled = np.einsum("rs,nsk->nrk", times_drawn.astype(np.float64), tallies)
    return np.asarray(figure(pooled).mean(0))


def interval(
    tallies: Tallies, figure: Figure, resamples: int = 10_000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Expanded percentile interval of a pooled figure under resampling of speakers; see `bootstrap_uar`."""
    quantiles = interval_quantiles(level, tallies.shape[1])
    low, high = np.quantile(drawn(tallies, figure, resamples, seed), quantiles)
    return float(low), float(high)
