"""The figures of runs as a page shows them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean, stdev
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from nni_emodarts.metrics.headline import CCC, HEADLINES, headline_of, shown_in
from nni_emodarts.metrics.intervals import bootstrap_recalls, bootstrap_uar, uar_of_confusion, wa_of_confusion
from nni_emodarts.metrics.notation import figure_text, interval_text, share_text
from nni_emodarts.metrics.paired import compare_systems, holm
from nni_emodarts.report.drawings.charts import draw_figures, draw_recalls, draw_training
from nni_emodarts.report.runs import Network, Run, Search

Interval = tuple[float, float]
"""Lower and upper bound, 95 %."""
LEAST_SPEAKERS = 3
"""Fewest speakers that an interval is drawn from."""
_NO_INTERVAL = (float("nan"), float("nan"))


@dataclass(frozen=True)
class Picture:
    """A chart, and what it shows in words."""

    figure: Figure
    alt: str


@dataclass(frozen=True)
class Headline:
    """A run's row; None where a figure is not known.

    Attributes:
        name: of the run.
        method: what its networks come from.
        uar: pooled test UAR, mean over the seeds.
        std: its deviation over the seeds.
        interval: over speakers.
        ccc: pooled mean CCC, where dimensions were learnt.
        wa: pooled accuracy.
        f1: pooled macro F1.
        kl: KL divergence of annotators' votes from the answers, in nats.
        js: their Jensen-Shannon divergence, from 0 to 1.
        val_uar: mean validation UAR, or what chooses in its place.
        folds: number of folds.
        seeds: number of seeds.
        parameters: of one network, mean.
        cpu_seconds: of all searches and trainings.
        overlap: whether a search saw test speakers.
    """

    name: str
    method: str
    uar: float | None
    std: float | None
    interval: Interval | None
    ccc: float | None
    wa: float | None
    f1: float | None
    kl: float | None
    js: float | None
    val_uar: float | None
    folds: int
    seeds: int
    parameters: int | None
    cpu_seconds: float
    overlap: bool


@dataclass(frozen=True)
class RunDifference:
    """A run against the first: UAR of `name` less that of `reference`."""

    name: str
    reference: str
    value: float
    interval: Interval
    p: float
    p_holm: float


@dataclass(frozen=True)
class RunComparison:
    """Runs beside each other: a row for each, charts, and the difference of each from the first."""

    rows: list[Headline]
    chart: Picture | None
    recalls: Picture | None
    differences: list[RunDifference]

    @property
    def voted(self) -> bool:
        """Whether a run was scored by annotators' votes."""
        return any(row.js is not None for row in self.rows)


@dataclass(frozen=True)
class FoldRow:
    """Figures of one fold, means over its seeds; texts are as the page shows them."""

    fold: int
    speakers: str
    utterances: int
    val_uar: float | None
    test_uar: float | None
    epochs: str
    architecture: str


@dataclass(frozen=True)
class EmotionRow:
    """Figures of one emotion over all folds and seeds; `utterances` are those of one seed."""

    name: str
    utterances: int
    recall: float | None
    interval: Interval | None
    precision: float | None
    taken_for: str


@dataclass(frozen=True)
class Share:
    """A field of a confusion matrix: a number of predictions, its share of the row, and how dark it is, 0 to 10."""

    count: int
    share: float
    hit: bool
    level: int


@dataclass(frozen=True)
class ConfusionRow:
    """A row of a confusion matrix: a true emotion."""

    name: str
    cells: list[Share]


@dataclass(frozen=True)
class ConfusionTable:
    """A confusion matrix, true emotion by row."""

    classes: tuple[str, ...]
    rows: list[ConfusionRow]


@dataclass(frozen=True)
class RunResults:
    """A run's results by seed, by fold, by emotion, its confusions and its curves."""

    seeds: dict[int, float]
    folds: list[FoldRow]
    emotions: list[EmotionRow]
    confusion: ConfusionTable | None
    training: Picture | None


def compare_runs(runs: Sequence[Run]) -> RunComparison:
    """Runs beside each other, charts where there are figures."""
    rows = [_headline(run) for run in runs]
    scored = [(run, row, row.uar) for run, row in zip(runs, rows, strict=True) if row.uar is not None]
    chart = recalls = None
    if len(scored) > 1:
        figure = draw_figures([(run.name, uar, row.interval) for run, row, uar in scored])
        words = (f"{run.name}: test UAR {figure_text(uar)}{_words(row.interval)}" for run, row, uar in scored)
        chart = Picture(figure, "; ".join(words))
    if scored and len({run.classes for run, _, _ in scored}) == 1:
        classes, found = scored[0][0].classes, {run.name: _recalls(run) for run, _, _ in scored}
        words = (_recall_words(name, classes, values) for name, (values, _) in found.items())
        recalls = Picture(draw_recalls(classes, found), "; ".join(words))
    return RunComparison(rows, chart, recalls, _differences(runs))


def uars_by_seed(run: Run) -> dict[int, float]:
    """Pooled test UAR of each seed."""
    by_seed: dict[int, Any] = {}
    for network in run.scored:
        total = np.sum([np.asarray(counts) for counts in network.speakers.values()], axis=0)
        by_seed[network.seed] = by_seed.get(network.seed, 0) + total
    return {seed: float(uar_of_confusion(counts)) for seed, counts in sorted(by_seed.items())}


def _headline(run: Run) -> Headline:
    """A run's row."""
    uars = list(uars_by_seed(run).values())
    figures = run.pooled or {}
    confusion = run.confusion
    measured = run.networks or run.searches  # a supernet's figure and a network's are not the same thing
    parameters = [int(network.metrics["parameters"]) for network in run.networks if "parameters" in network.metrics]
    return Headline(
        name=run.name,
        method=run.method,
        uar=mean(uars) if uars else None,
        ccc=figures.get(CCC.test),
        std=stdev(uars) if len(uars) > 1 else None,
        interval=bootstrap_uar(run.stacked) if run.stacked is not None and _enough(run) else None,
        wa=figures.get("test_wa", None if confusion is None else float(wa_of_confusion(confusion))),
        f1=figures.get("test_macro_f1"),
        kl=figures.get("test_kl"),
        js=figures.get("test_js"),
        val_uar=_validation(measured),
        folds=len(run.folds),
        seeds=len(run.seeds),
        parameters=round(mean(parameters)) if parameters else None,
        cpu_seconds=_cost(run),
        overlap=bool(run.overlap),
    )


def _enough(run: Run) -> bool:
    """Whether there are speakers enough to draw them anew; one alone would give an interval without width."""
    return run.stacked is not None and run.stacked.shape[1] >= LEAST_SPEAKERS


def _cost(run: Run) -> float:
    """CPU seconds of all searches and trainings; a benchmark's cell counts its search itself."""
    keys = ("cpu_seconds", "candidate_cpu_seconds")  # candidates are trained in processes of their own
    return sum(max(float(each.metrics.get(key, 0.0)) for key in keys) for each in run.parts)


def _differences(runs: Sequence[Run]) -> list[RunDifference]:
    """Each run against the first, where both were scored on the same utterances."""
    if not runs or runs[0].stacked is None or not _enough(runs[0]):
        return []
    found: list[RunDifference] = []
    for run in runs[1:]:
        if run.stacked is None or run.classes != runs[0].classes:
            continue
        try:
            each = compare_systems(run.stacked, runs[0].stacked)
        except ValueError:  # other utterances
            continue
        found.append(RunDifference(run.name, runs[0].name, each.value, each.interval, each.p, each.p))
    adjusted = holm([each.p for each in found]) if found else []
    return [replace(each, p_holm=p) for each, p in zip(found, adjusted, strict=True)]


def describe_results(run: Run) -> RunResults | None:
    """A run's results; None where nothing was trained."""
    if not run.networks:
        return None
    return RunResults(
        seeds=uars_by_seed(run),
        folds=[_fold(run, fold) for fold in run.folds],
        emotions=_emotions(run),
        confusion=_confusion(run),
        training=_training(run),
    )


def _training(run: Run) -> Picture | None:
    """Curves of the networks whose epochs were recorded."""
    histories = {
        network.name: network.history
        for network in run.networks
        if network.history is not None and shown_in(network.history.columns).val in network.history.columns
    }
    return Picture(draw_training(histories, _kept(run)), _training_words(run)) if histories else None


def _fold(run: Run, fold: int) -> FoldRow:
    networks = [network for network in run.networks if network.fold == fold]
    epochs = [network.metrics["best_epoch"] for network in networks if network.metrics.get("best_epoch") is not None]
    speakers = sorted({speaker for network in networks for speaker in network.speakers})
    first = networks[0]
    return FoldRow(
        fold=fold,
        speakers=", ".join(speakers) if len(speakers) <= 6 else f"{len(speakers)} speakers",
        utterances=sum(int(np.sum(counts)) for counts in first.speakers.values()),
        val_uar=_validation(networks),
        test_uar=mean(map(_test_uar, networks)) if first.speakers else None,
        epochs=", ".join(map(str, epochs)),
        architecture=str(first.metrics.get("architecture", "–"))
        if first.subject is None
        else first.subject.architecture.id,
    )


def _test_uar(network: Network) -> float:
    return float(uar_of_confusion(np.sum([np.asarray(counts) for counts in network.speakers.values()], axis=0)))


def _recalls(run: Run) -> tuple[list[float | None], list[Interval]]:
    """Recall of each class, and its interval."""
    confusion = run.confusion
    if confusion is None:
        return [None] * len(run.classes), [_NO_INTERVAL] * len(run.classes)
    totals = confusion.sum(1)
    values = [float(confusion[k, k] / totals[k]) if totals[k] else None for k in range(len(run.classes))]
    if run.stacked is None or not _enough(run):
        return values, [_NO_INTERVAL] * len(values)
    return values, [(float(low), float(high)) for low, high in bootstrap_recalls(run.stacked)]


def _emotions(run: Run) -> list[EmotionRow]:
    confusion = run.confusion
    if confusion is None:
        return []
    values, intervals = _recalls(run)
    seeds = max(len({network.seed for network in run.scored}), 1)
    predicted = confusion.sum(0)
    return [
        EmotionRow(
            name=name,
            utterances=int(confusion[number].sum()) // seeds,
            recall=values[number],
            interval=None if np.isnan(intervals[number][0]) else intervals[number],
            precision=float(confusion[number, number] / predicted[number]) if predicted[number] else None,
            taken_for=_taken_for(confusion[number], number, run.classes),
        )
        for number, name in enumerate(run.classes)
    ]


def _taken_for(row: npt.NDArray[np.int64], number: int, classes: Sequence[str]) -> str:
    """What an emotion was most often taken for."""
    others = row.copy()
    others[number] = 0
    if not others.any():
        return "–"
    most = int(others.argmax())
    return f"{classes[most]} ({share_text(others[most] / row.sum())})"


def _confusion(run: Run) -> ConfusionTable | None:
    confusion = run.confusion
    if confusion is None:
        return None
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)

    def cell(true: int, predicted: int) -> Share:
        share = float(shares[true, predicted])
        return Share(int(confusion[true, predicted]), share, true == predicted, round(share * 10))

    every = range(len(run.classes))
    rows = [ConfusionRow(name, [cell(true, other) for other in every]) for true, name in enumerate(run.classes)]
    return ConfusionTable(run.classes, rows)


def _validation(measured: Sequence[Network] | Sequence[Search]) -> float | None:
    """Mean validation figure of those that were validated."""
    figures = [each.metrics for each in measured]
    found = [float(each[key]) for each in figures if each.get(key := headline_of(each).val) is not None]
    return mean(found) if found else None


def _kept(run: Run) -> dict[str, int]:
    """The epoch of each network whose weights are kept, by the network's name."""
    epochs = {network.name: network.metrics.get("best_epoch") for network in run.networks}
    return {name: epoch for name, epoch in epochs.items() if epoch is not None}


def _training_words(run: Run) -> str:
    chosen = HEADLINES[run.track.task]
    parts = [
        f"{network.name}: {figure_text(network.metrics[chosen.val])} after epoch {network.metrics.get('best_epoch')}, "
        f"which is kept"
        for network in run.networks
        if network.metrics.get(chosen.val) is not None
    ]
    return f"Validation {chosen.name} and loss by epoch. {'; '.join(parts)}."


def _recall_words(name: str, classes: Sequence[str], values: Sequence[float | None]) -> str:
    known = (figure_text(value, missing="unknown") for value in values)
    return f"{name}: {', '.join(f'{each} {text}' for each, text in zip(classes, known, strict=True))}"


def _words(interval: Interval | None) -> str:
    return "" if interval is None else f" (95 % interval {interval_text(interval)})"
