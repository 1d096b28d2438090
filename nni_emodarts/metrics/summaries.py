"""A method of a benchmark, summed up from its finished cells."""

from collections import Counter
from collections.abc import Sequence
from math import sqrt
from statistics import mean, stdev, variance

from pydantic import Field

from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.comparisons import Comparison, stacked, stacked_folds
from nni_emodarts.metrics.ensemble import joint_confusions
from nni_emodarts.metrics.intervals import bootstrap_uar, uar_of_confusion, wa_of_confusion
from nni_emodarts.metrics.other_corpora import figures_of_cells
from nni_emodarts.metrics.rated import RatedSummary
from nni_emodarts.metrics.record import Record
from nni_emodarts.metrics.tracks import SCRATCH, Track, one_track
from nni_emodarts.runtime.plain_data import JsonObject


class Ensemble(Record):
    """Networks of several seeds that answer together: the mean of their probabilities.

    Attributes:
        uar: pooled over the folds.
        uar_interval: bootstrap over speakers.
        wa: likewise pooled.
    """

    uar: float
    uar_interval: tuple[float, float]
    wa: float


class EnrolmentSummary(Record):
    """A speaker-adapted method's figure by one enrolment.

    Attributes:
        least: smallest number of recordings that a test utterance was normalised by.
        mean: their mean.
        most: the largest number.
        uar_mean: UAR pooled over the folds, mean over the seeds.
    """

    least: int
    mean: float
    most: int
    uar_mean: float


class MethodSummary(Record):
    """A method's figures: pooled over the folds per seed, then over the seeds.

    Attributes:
        name: of the method.
        track: `scratch` or `pretrained`.
        speaker_adapted: whether unlabelled recordings of the test speakers were used.
        speaker_dependent: whether test speakers were learnt from, too.
        uar_mean: UAR, mean over the seeds.
        uar_std: its deviation over the seeds; None for one.
        uar_by_seed: seed -> UAR.
        uar_interval: bootstrap over speakers.
        wa_mean: accuracy, mean over the seeds.
        fold_mean_uar: mean of the cells' own UARs.
        fold_uar_std: deviation of one fold's UAR over the seeds, root mean square over the folds; None for one seed.
        val_uar: validation UAR, mean; None where a cell has none.
        recall: class -> recall, all seeds together.
        confusion: rows true, columns predicted, all seeds together.
        seeds: that were summed up.
        folds: likewise.
        by_fold: fold -> UAR, mean over the seeds.
        wa_by_fold: fold -> accuracy, mean over the seeds.
        speakers: number of test speakers.
        utterances: number of test utterances.
        cpu_seconds: of one seed, all folds.
        search_cpu_seconds: the searches' part of them.
        parameters: of one network, mean.
        flops: of one network, for one second of audio, mean; None where a cell has none.
        ensemble: where several seeds say what they answered.
        candidates: of one search, mean; where searches have candidates.
        budget_cpu_seconds: what random search was given to spend, of one seed, all folds.
        payer_cpu_seconds: what the searches that it is compared with had cost where they were computed, likewise.
        levels: number of a level -> how often a probe chose it.
        enrolment: enrolment -> figure, of a speaker-adapted method.
        other_corpora: further corpus -> figures, as `nni_emodarts.metrics.other_corpora` gives them, over all cells.
        operations: operation -> how often it was chosen, where networks were searched or drawn.
    """

    name: str
    track: str = SCRATCH
    speaker_adapted: bool = False
    speaker_dependent: bool = False
    uar_mean: float
    uar_std: float | None
    uar_by_seed: dict[str, float] = Field(default_factory=dict)
    uar_interval: tuple[float, float]
    wa_mean: float
    fold_mean_uar: float
    fold_uar_std: float | None = None
    val_uar: float | None
    recall: dict[str, float]
    confusion: list[list[int]] = Field(default_factory=list)
    seeds: list[int]
    folds: list[int]
    by_fold: dict[str, float]
    wa_by_fold: dict[str, float] = Field(default_factory=dict)
    speakers: int
    utterances: int
    cpu_seconds: float
    search_cpu_seconds: float
    parameters: int
    flops: int | None = None
    ensemble: Ensemble | None = None
    candidates: int | float | None = None
    budget_cpu_seconds: float | None = None
    payer_cpu_seconds: float | None = None
    levels: dict[str, int] | None = None
    enrolment: dict[str, EnrolmentSummary] | None = None
    operations: dict[str, int] | None = None
    other_corpora: dict[str, JsonObject] | None = None


class BenchmarkSummary(Record):
    """What `OUT/NAME.json` holds.

    Attributes:
        name: of the benchmark.
        preset: of its configuration.
        protocol: how speakers are divided.
        track: of all of it.
        speaker_adapted: likewise.
        speaker_dependent: likewise.
        methods: a summary of each, where emotions alone are learnt.
        rated: likewise, where dimensions are.
        comparisons: each against the reference; none where there is nothing to compare.
    """

    name: str
    preset: str | None
    protocol: str
    track: str = SCRATCH
    speaker_adapted: bool = False
    speaker_dependent: bool = False
    methods: list[MethodSummary]
    rated: list[RatedSummary] | None = None
    task: str = "emotion"
    comparisons: list[Comparison]


def summarize(name: str, cells: Sequence[FinishedCell]) -> MethodSummary:
    """A method's figures over its cells, folds and seeds that are all there.

    Args:
        name: of the method.
        cells: its cells.
    """
    seeds = sorted({cell.seed for cell in cells})
    flops = [cell.flops for cell in cells if cell.flops is not None]
    validated = [cell.val_uar for cell in cells if cell.val_uar is not None]
    confusions = stacked(cells)
    pooled = confusions.sum(1)
    uars = [float(value) for value in uar_of_confusion(pooled)]
    confusion = pooled.sum(0)
    return MethodSummary(
        name=name,
        **one_track({str(cell.fold): Track.of(cell.to_data()) for cell in cells}).to_dict(),
        uar_mean=mean(uars),
        uar_std=stdev(uars) if len(uars) > 1 else None,
        uar_by_seed={str(seed): uar for seed, uar in zip(seeds, uars, strict=True)},
        uar_interval=bootstrap_uar(confusions),
        wa_mean=float(wa_of_confusion(pooled).mean()),
        fold_mean_uar=mean(cell.test_score for cell in cells),
        fold_uar_std=_deviation_within_folds(cells) if len(seeds) > 1 else None,
        val_uar=mean(validated) if len(validated) == len(cells) else None,
        recall={
            label: float(row[number] / max(row.sum(), 1))
            for number, (label, row) in enumerate(zip(cells[0].classes, confusion, strict=True))
        },
        confusion=confusion.tolist(),
        seeds=seeds,
        folds=sorted({cell.fold for cell in cells}),
        by_fold=_uars_by_fold(cells),
        wa_by_fold=_accuracies_by_fold(cells),
        speakers=confusions.shape[1],
        utterances=int(confusion.sum()) // len(seeds),
        cpu_seconds=_of_one_seed([cell.cpu_seconds for cell in cells], seeds),
        search_cpu_seconds=_of_one_seed([cell.search_cpu_seconds for cell in cells], seeds),
        parameters=round(mean(cell.parameters for cell in cells)),
        flops=round(mean(flops)) if len(flops) == len(cells) else None,
        **_where_known(cells, seeds),
        **figures_of_cells(cells),
    )


def _where_known(cells: Sequence[FinishedCell], seeds: Sequence[int]) -> JsonObject:
    """What only some methods have."""
    found: JsonObject = {}
    if len(seeds) > 1 and all(cell.answers is not None for cell in cells):
        found["ensemble"] = _ask_together(cells)
    candidates = [cell.candidates for cell in cells if cell.candidates is not None]
    if len(candidates) == len(cells):
        found["candidates"] = mean(candidates)
    for key in ("budget_cpu_seconds", "payer_cpu_seconds"):
        costs = [cost for cell in cells if (cost := getattr(cell, key)) is not None]
        if len(costs) == len(cells):
            found[key] = _of_one_seed(costs, seeds)
    levels = [cell.level for cell in cells if cell.level is not None]
    if len(levels) == len(cells):
        found["levels"] = {str(level): count for level, count in sorted(Counter(levels).items())}
    if all(cell.enrolment is not None for cell in cells):
        found["enrolment"] = _by_enrolment(cells)
    architectures = [cell.architecture for cell in cells if cell.architecture is not None]
    if len(architectures) == len(cells):
        choices = [choice for made in architectures for choice in made["choices"].values()]
        found["operations"] = dict(sorted(Counter(choice for choice in choices if isinstance(choice, str)).items()))
    return found


def _by_enrolment(cells: Sequence[FinishedCell]) -> dict[str, EnrolmentSummary]:
    """Enrolment -> its figure; of those that every cell has, the headline's first."""
    names = [name for name in cells[0].enrolled or {} if all(name in (cell.enrolled or {}) for cell in cells)]
    found = {}
    for name in names:
        counts = [cell.enrolled[name] for cell in cells if cell.enrolled is not None]
        scored = [_enrolled_by(cell, name) for cell in cells]
        found[name] = EnrolmentSummary(
            least=min(count.least for count in counts),
            mean=round(mean(count.mean for count in counts), 1),
            most=max(count.most for count in counts),
            uar_mean=float(uar_of_confusion(stacked(scored).sum(1)).mean()),
        )
    return found


def _enrolled_by(cell: FinishedCell, name: str) -> FinishedCell:
    """The cell with the confusions of one enrolment in place of the headline's."""
    speakers = (cell.enrolment or {}).get(name)
    return cell if speakers is None else cell.model_copy(update={"speakers": speakers})


def _of_one_seed(costs: Sequence[float], seeds: Sequence[int]) -> float:
    """CPU seconds of all folds with one seed, mean."""
    return round(sum(costs) / len(seeds), 1)


def _deviation_within_folds(cells: Sequence[FinishedCell]) -> float:
    folds = {cell.fold for cell in cells}
    return sqrt(mean(variance(cell.test_score for cell in cells if cell.fold == fold) for fold in folds))


def _uars_by_fold(cells: Sequence[FinishedCell]) -> dict[str, float]:
    folds = sorted({cell.fold for cell in cells})
    return {str(fold): mean(cell.test_score for cell in cells if cell.fold == fold) for fold in folds}


def _accuracies_by_fold(cells: Sequence[FinishedCell]) -> dict[str, float]:
    folds = sorted({cell.fold for cell in cells})
    accuracies = wa_of_confusion(stacked_folds(cells)).mean(0)
    return {str(fold): float(value) for fold, value in zip(folds, accuracies, strict=True)}


def _ask_together(cells: Sequence[FinishedCell]) -> Ensemble:
    confusions = joint_confusions(cells)
    pooled = confusions.sum((0, 1))
    return Ensemble(
        uar=float(uar_of_confusion(pooled)), uar_interval=bootstrap_uar(confusions), wa=float(wa_of_confusion(pooled))
    )
