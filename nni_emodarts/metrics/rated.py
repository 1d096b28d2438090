"""A method of a benchmark that learns dimensions, summed up from its finished cells."""

from collections.abc import Sequence
from statistics import mean, stdev

import numpy as np

from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.dimensions import ccc_of, mae_of, means_by_name, pearson_of
from nni_emodarts.metrics.other_corpora import figures_of_cells
from nni_emodarts.metrics.record import Record
from nni_emodarts.metrics.tallies import Tallies, gather, interval, stack
from nni_emodarts.metrics.tracks import SCRATCH, Track, one_track
from nni_emodarts.runtime.plain_data import JsonObject


class RatedSummary(Record):
    """A method's figures: pooled over the folds per seed, then over the seeds.

    Attributes:
        name: of the method.
        track: `scratch` or `pretrained`.
        speaker_adapted: whether unlabelled recordings of the test speakers were used.
        task: `dimensions` or `both`.
        figure: what methods are compared by: `ccc`, or `uar_ccc`, the mean of UAR and CCC.
        mean: that figure, mean over the seeds.
        std: its deviation over the seeds; None for one.
        by_seed: seed -> that figure.
        interval: bootstrap over speakers.
        by_fold: fold -> that figure, mean over the seeds.
        val: validation figure, mean; None where a cell has none.
        uar_mean: UAR, mean over the seeds; None where there are no classes.
        ccc_mean: mean CCC over the dimensions, mean over the seeds.
        ccc: dimension -> CCC, likewise; None where it has none.
        pearson: dimension -> Pearson's correlation, likewise.
        mae: dimension -> mean absolute error, likewise.
        seeds: that were summed up.
        folds: likewise.
        speakers: number of test speakers.
        cpu_seconds: of one seed, all folds.
        search_cpu_seconds: the searches' part of them.
        parameters: of one network, mean.
        flops: of one network, for one second of audio, mean; None where a cell has none.
        other_corpora: further corpus -> figures, as `nni_emodarts.metrics.other_corpora` gives them, over all cells.
    """

    name: str
    track: str = SCRATCH
    speaker_adapted: bool = False
    task: str
    figure: str
    mean: float
    std: float | None
    by_seed: dict[str, float]
    interval: tuple[float, float]
    by_fold: dict[str, float]
    val: float | None
    uar_mean: float | None
    ccc_mean: float
    ccc: dict[str, float | None]
    pearson: dict[str, float | None]
    mae: dict[str, float | None]
    seeds: list[int]
    folds: list[int]
    speakers: int
    cpu_seconds: float
    search_cpu_seconds: float
    parameters: int
    flops: int | None = None
    other_corpora: dict[str, JsonObject] | None = None


def summarize_rated(name: str, cells: Sequence[FinishedCell]) -> RatedSummary:
    """A method's figures over its cells, folds and seeds that are all there.

    Args:
        name: of the method.
        cells: its cells.
    """
    seeds, folds = sorted({cell.seed for cell in cells}), sorted({cell.fold for cell in cells})
    counting, sums = cells[0].counting, stacked_tallies(cells)
    pooled = sums.sum(1)
    reached = [float(value) for value in counting.score(pooled)]
    names, moments = cells[0].dimensions or [], counting.moments(pooled)
    validated = [cell.val_score for cell in cells if cell.val_score is not None]
    flops = [cell.flops for cell in cells if cell.flops is not None]
    return RatedSummary(
        name=name,
        **one_track({str(cell.fold): Track.of(cell.to_data()) for cell in cells}).to_dict(),
        figure=cells[0].headline.key,
        mean=mean(reached),
        std=stdev(reached) if len(reached) > 1 else None,
        by_seed={str(seed): value for seed, value in zip(seeds, reached, strict=True)},
        interval=interval(sums, counting.score),
        by_fold={str(fold): mean(cell.test_score for cell in cells if cell.fold == fold) for fold in folds},
        val=mean(validated) if len(validated) == len(cells) else None,
        uar_mean=float(counting.uar(pooled).mean()) if counting.classes else None,
        ccc_mean=float(counting.ccc(pooled).mean()),
        ccc=means_by_name(names, ccc_of(moments)),
        pearson=means_by_name(names, pearson_of(moments)),
        mae=means_by_name(names, mae_of(moments)),
        seeds=seeds,
        folds=folds,
        speakers=sums.shape[1],
        cpu_seconds=round(sum(cell.cpu_seconds for cell in cells) / len(seeds), 1),
        search_cpu_seconds=round(sum(cell.search_cpu_seconds for cell in cells) / len(seeds), 1),
        parameters=round(mean(cell.parameters for cell in cells)),
        flops=round(mean(flops)) if len(flops) == len(cells) else None,
        **figures_of_cells(cells),
    )


def stacked_tallies(cells: Sequence[FinishedCell]) -> Tallies:
    """Sums of a method's speakers (seeds, speakers, cells), seeds in their order, the folds' speakers together."""
    seeds = sorted({cell.seed for cell in cells})
    return stack([gather((cell.fold, cell.tallies) for cell in cells if cell.seed == seed) for seed in seeds])


def stacked_fold_tallies(cells: Sequence[FinishedCell]) -> Tallies:
    """Sums of a method's folds (seeds, folds, cells); see `comparisons.stacked_folds`."""
    seeds = sorted({cell.seed for cell in cells})
    return stack([{f"{cell.fold:06d}": _together(cell) for cell in cells if cell.seed == seed} for seed in seeds])


def _together(cell: FinishedCell) -> np.ndarray:
    return np.asarray(np.sum(list(cell.tallies.values()), axis=0))
