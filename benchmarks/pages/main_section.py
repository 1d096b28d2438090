"""The section of docs/RESULTS.md about a main table: figures, comparisons, folds, classes and what was searched."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from benchmarks.evidence.tables import MainTable, SeedBudget
from benchmarks.pages.markdown import markdown_table
from benchmarks.pages.searched_section import searched_paragraphs
from benchmarks.pages.wording import find_method, missing_text, numbers_text, seeds_text, uar_text
from nni_emodarts.metrics.comparisons import Comparison
from nni_emodarts.metrics.notation import (
    figure_text,
    interval_text,
    millions_text,
    p_text,
    share_text,
    signed_text,
    whole_text,
)
from nni_emodarts.metrics.summaries import MethodSummary
from nni_emodarts.models.baselines import ON_MAPS
from nni_emodarts.report.drawings.charts import draw_figures

_SAME_COST = 0.01
"""Costs that differ by less are those of one machine, rounded."""
_KINDS = {**dict.fromkeys(ON_MAPS, " (one architecture)"), "random_sampling": " (another architecture each time)"}
_LABELS = {
    "darts": "DARTS, searched anew inside each fold",
    "random_search": "random search, at least the cost of that search",
    "random_sampling": "random sampling, one uniform draw",
    "cnn": "CNN, hand-designed",
    "rnn": "RNN, hand-designed",
    "lstm": "LSTM, hand-designed",
    "cnn_lstm": "CNN-LSTM, hand-designed",
    "cnn_lstm_attention": "CNN-LSTM with attention, hand-designed",
    "egemaps_svm": "eGeMAPSv02 + linear SVM",
    "compare_svm": "ComParE_2016 + linear SVM",
}


def paragraphs(table: MainTable, about: str) -> list[str]:
    """The section.

    Args:
        table: the main table.
        about: what the notes say of its corpus.
    """
    manifest, classes = table.manifest, table.manifest.classes
    speakers = table.methods[0].speakers if table.methods else 0
    head = (
        f"{manifest.utterances} utterances of {speakers} speakers, classes {', '.join(classes)} (UAR of chance: "
        f"{figure_text(1 / len(classes))}); protocol `{table.protocol}`, {table.folds} folds, preset `{table.preset}`. "
        "No speaker is in two of train, validation and test. A search happens anew inside each fold and sees its "
        f"training and validation speakers only; {_epoch(table.configuration['retrain'])}; a cell reads its test "
        "part once, but there were cells of earlier recipes (*The recipe*). All networks share folds, seeds, features, "
        f"dropout and retrain recipe, which was tuned mostly on networks of the space. {about}"
    ).rstrip()
    if not table.methods:
        return [head, missing_text(table.missing)]
    return [
        head,
        _chart(table),
        _figures(table.methods),
        missing_text(table.missing),
        _budgets(table.prices),
        _differences(table),
        _untouched(table),
        _unplanned(table.unplanned),
        _ensembles(table.methods),
        _by_fold(table.methods),
        _recalls(table.methods),
        _confusion(table),
        *searched_paragraphs(table),
    ]


def chart_path(table: MainTable) -> str:
    """Where the page's folder holds the picture of the table's figures."""
    return f"images/{table.name}.svg"


def draw_chart(table: MainTable) -> Figure:
    """UAR of each method with its interval."""
    return draw_figures([(_label(method), method.uar_mean, method.uar_interval) for method in table.methods])


def _chart(table: MainTable) -> str:
    return f"![Test UAR of each method with its 95 % interval, as in the table below]({chart_path(table)})"


def _epoch(recipe: dict[str, Any]) -> str:
    """Which epoch's weights are scored, and on whom they were trained."""
    chosen = "epoch that is best on validation" if recipe["keep"] == "best" else "last epoch"
    more = ", and networks are trained on validation speakers, too" if recipe["refit"] else ""
    return f"the {chosen} is scored{more}"


def _figures(methods: Sequence[MethodSummary]) -> str:
    rows = []
    for method in methods:
        uars = method.uar_by_seed.values() if len(method.seeds) > 1 else ()
        rows.append(
            [
                _label(method),
                uar_text(method),
                ", ".join(map(figure_text, uars)),
                interval_text(method.uar_interval),
                figure_text(method.wa_mean),
                figure_text(method.fold_mean_uar),
                whole_text(method.parameters),
                millions_text(method.flops, missing=""),
                _search_cost(method),
                whole_text(method.cpu_seconds),
                "" if method.candidates is None else f"{method.candidates:.1f}",
                numbers_text(method.seeds),
            ]
        )
    head = (
        "method|UAR|of each seed|95 % interval|WA|mean of fold UARs|parameters|MFLOPs|search, CPU s|"
        "search and training, CPU s|candidates|seeds"
    )
    return markdown_table(head.split("|"), rows)


def _search_cost(method: MethodSummary) -> str:
    budget = method.budget_cpu_seconds
    return whole_text(method.search_cpu_seconds) + ("" if budget is None else f" (budget {whole_text(budget)})")


def _budgets(rows: Sequence[SeedBudget]) -> str:
    """What became of the budget of random search, whose last candidate goes beyond it."""
    if not rows:
        return ""
    spent, budget = sum(row.search_cpu_seconds for row in rows), sum(row.budget_cpu_seconds for row in rows)
    more, seeds = spent / budget - 1, "; ".join(f"seed {row.seed} {_budget(row)}" for row in rows)
    return (
        f"Random search spent {share_text(more)} more than its budget, since its last candidate is trained to "
        "the end. Its budget is what the search of DARTS on the same fold and seed costs on the same kind of machine; "
        f"where that had been computed on another kind, it was timed again: {seeds}. CPU seconds of rows that were "
        "computed on several kinds do not compare; by kind they stand under *Cost*."
    )


def _budget(row: SeedBudget) -> str:
    """A budget beside what the searches had cost where they ran."""
    budget, noted = row.budget_cpu_seconds, row.payer_cpu_seconds
    if abs(budget / noted - 1) <= _SAME_COST:
        return f"{whole_text(budget)} CPU seconds, as noted"
    return f"{whole_text(budget)} CPU seconds, {budget / noted:.2f} times the {whole_text(noted)} noted"


def _differences(table: MainTable) -> str:
    comparisons = table.comparisons
    if not comparisons:
        return ""
    intro = (
        f"Paired comparisons with `{comparisons[0].reference}`, on the seeds that both have; a negative difference "
        "says that it is better:"
    )
    widths = [_half(row.interval) for row in comparisons]
    resolution = (
        f"These intervals reach {_span(widths)} to either side, with the networks as they were "
        "trained: a smaller difference cannot be seen with so few speakers"
    )
    if not _fold_is_speaker(table):
        wider = [_half(row.interval_folds) for row in comparisons]
        resolution += f", and with the luck of trainings, over folds, none below {_span(wider)}"
    return f"{intro}\n\n{_comparison_table(comparisons, table)}\n\n{resolution}."


def _untouched(table: MainTable) -> str:
    """The comparisons without the seeds that had a say."""
    rows, seeds = table.untouched, table.chosen_by
    if not rows:
        return ""
    intro = (
        f"The same without {seeds_text(seeds)}, by whose test figures something was chosen (*The "
        "recipe*): other trainings, but the same speakers. p is corrected among these rows alone, which were not "
        "planned:"
    )
    return f"{intro}\n\n{_comparison_table(rows, table)}"


def _unplanned(rows: Sequence[Comparison]) -> str:
    """What else stands in the table, compared outside of the plan."""
    if not rows:
        return ""
    listed = "; ".join(
        f"`{row.method}` {signed_text(row.difference)} ({interval_text(row.interval, signed=True)}, p {p_text(row.p)}, "
        f"{seeds_text(row.seeds)})"
        for row in rows
    )
    return f"Not planned, and p corrected for nothing, beside `{rows[0].reference}`: {listed}."


def _comparison_table(comparisons: Sequence[Comparison], table: MainTable) -> str:
    """Rows of comparisons; those over folds are left out where a fold is a speaker, since they would say the same."""
    over_folds = not _fold_is_speaker(table)
    rows = []
    for row in comparisons:
        line = [f"`{row.method}`", signed_text(row.difference), interval_text(row.interval, signed=True)]
        line += [interval_text(row.interval_folds, signed=True)] * over_folds
        line += [p_text(row.p), p_text(row.p_holm)]
        line += [p_text(row.p_folds), p_text(row.p_folds_holm)] * over_folds
        rows.append([*line, numbers_text(row.seeds)])
    head = ["method", "difference of UAR", "95 % interval", *["over folds"] * over_folds, "p", "p (Holm)"]
    head += ["p over folds", "p over folds (Holm)"] * over_folds
    return markdown_table([*head, "seeds"], rows)


def _fold_is_speaker(table: MainTable) -> bool:
    return table.methods[0].speakers == table.folds


def _half(interval: tuple[float, float]) -> float:
    """How far an interval reaches to either side."""
    return (interval[1] - interval[0]) / 2


def _span(values: Sequence[float]) -> str:
    return interval_text((min(values), max(values)))


def _ensembles(methods: Sequence[MethodSummary]) -> str:
    """The networks of a method's seeds asked together: a figure beside the table's, since it takes several networks."""
    rows = []
    for method in methods:
        joint = method.ensemble
        if joint is not None:
            shown = figure_text(joint.uar), interval_text(joint.uar_interval)
            rows.append([f"`{method.name}`", f"{len(method.seeds)}", *shown])
    if not rows:
        return ""
    intro = "Ensembles, the mean of the probabilities of a method's seeds (not what the table above compares):"
    return f"{intro}\n\n" + markdown_table(["", "networks", "UAR", "95 % interval"], rows)


def _by_fold(methods: Sequence[MethodSummary]) -> str:
    folds = sorted({fold for method in methods for fold in method.by_fold}, key=int)

    def table(figures: dict[str, dict[str, float]]) -> str:
        rows = [[f"`{name}`", *(f"{own[fold]:.2f}" for fold in folds)] for name, own in figures.items()]
        return markdown_table(["fold", *folds], rows)

    uars, accuracies = ({m.name: m.by_fold for m in methods}, {m.name: m.wa_by_fold for m in methods})
    text = f"UAR of each fold, mean over the seeds:\n\n{table(uars)}\n\n{_luck(methods)}".rstrip()
    return f"{text}\n\nWA of each fold, likewise:\n\n{table(accuracies)}"


def _luck(methods: Sequence[MethodSummary]) -> str:
    """How far another seed alone moves a fold's figure."""
    lucks = [
        f"{figure_text(method.fold_uar_std)} with `{method.name}`{_KINDS.get(method.name, '')}"
        for method in methods
        if method.fold_uar_std is not None
    ]
    return f"From seed to seed a fold's UAR deviates by {'; '.join(lucks)}." if lucks else ""


def _recalls(methods: Sequence[MethodSummary]) -> str:
    labels = list(methods[0].recall)
    rows = [[f"`{m.name}`", *(f"{m.recall[label]:.2f}" for label in labels)] for m in methods]
    return "Recall of each class:\n\n" + markdown_table(["", *labels], rows)


def _confusion(table: MainTable) -> str:
    """Where the searched networks' answers go."""
    ours = find_method(table.methods, "darts")
    if ours is None:
        return ""
    labels = list(ours.recall)
    rows = [
        [label, *(f"{count / max(sum(counts), 1):.2f}" for count in counts)]
        for label, counts in zip(labels, ours.confusion, strict=True)
    ]
    return "What `darts` answers (columns) to each class (rows), as shares:\n\n" + markdown_table(["", *labels], rows)


def _label(method: MethodSummary) -> str:
    return _LABELS.get(method.name, method.name)
