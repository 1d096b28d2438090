"""The sections of docs/RESULTS.md about ablations and transfer."""

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import mean, stdev

from benchmarks.evidence.tables import AblationRow, AblationTable, TransferRow, TransferTable
from benchmarks.pages.markdown import markdown_table
from benchmarks.pages.wording import missing_text, numbers_text, seeds_text, uar_text
from nni_emodarts.metrics.comparisons import Comparison
from nni_emodarts.metrics.notation import figure_text, interval_text, p_text, signed_text, whole_text


def ablation_paragraphs(table: AblationTable | None) -> list[str]:
    """The section on ablations.

    Args:
        table: `emodb4-ablations.json`; None where not computed.
    """
    if table is None:
        return ["Not computed yet: `python -m benchmarks.evidence.ablations`."]
    folds, seeds = numbers_text(table.folds), seeds_text(table.seeds)
    parts = [
        f"On {table.corpus}, **folds {folds} and {seeds} only**. Each row changes one thing of the configuration as "
        "shipped, `as_shipped`, with what must follow from it, or measures another method. Rows of the recipe retrain "
        "the architectures that `as_shipped` found, and cost that alone; hand-designed networks are trained; the "
        "others search anew.",
        _luck(table),
        missing_text(table.missing),
    ]
    against = {row.method: row for row in table.comparisons}
    for group, title in table.groups.items():
        methods = [row for row in table.methods if row.group in (group, "reference")]
        if len(methods) > 1:
            parts += [f"### {title}", _variants(methods, against), _whole(table.whole.get(group, []))]
    return parts


def deviation(by_seed: Mapping[str, float]) -> float:
    """Standard deviation of a difference of two figures of one seed each; 0 where nothing is known of it."""
    return sqrt(2) * stdev(by_seed.values()) if len(by_seed) > 1 else 0.0


def _luck(table: AblationTable) -> str:
    """What another seed alone changes, so that no difference of one seed is taken for more than that."""
    by_seed = table.by_seed.get("darts", {})
    if len(by_seed) < 2:
        return ""
    figures = ", ".join(f"{figure_text(uar)} (seed {seed})" for seed, uar in by_seed.items())
    return (
        f"`as_shipped` itself has {figures} on these folds. So the difference of two figures, of one seed each, has a "
        f"standard deviation of about {figure_text(deviation(by_seed))} by luck alone, and the largest of as many rows "
        f"as there are here is easily twice that. {_side(table)}"
    ).rstrip()


def _side(table: AblationTable) -> str:
    """How far all rows lie to one side of the one that they share."""
    differences = [row.difference for row in table.comparisons]
    if not differences:
        return ""
    seeds = {name: mean(uars.values()) for name, uars in table.by_seed.items()}
    others = "".join(f", `{name}` {figure_text(uar)}" for name, uar in seeds.items() if name != "darts")
    return (
        f"{sum(difference > 0 for difference in differences)} of {len(differences)} rows stand above `as_shipped`, all "
        f"of them by {signed_text(mean(differences))} on average. Over all seeds of the main table it has "
        f"{figure_text(seeds['darts'])} on these folds{others}."
    )


def _variants(methods: Sequence[AblationRow], against: Mapping[str, Comparison]) -> str:
    shipped = next((method.by_fold for method in methods if method.group == "reference"), {})
    rows = []
    for method in methods:
        found = against.get(method.name)
        rows.append(
            [
                f"`{method.name}`",
                ", ".join(f"`{setting}`" for setting in method.settings),
                uar_text(method),
                "" if found is None else signed_text(found.difference),
                "" if found is None else ", ".join(f"{uar - shipped[k]:+.2f}" for k, uar in method.by_fold.items()),
                figure_text(method.val_uar, missing=""),  # where networks were validated
                whole_text(method.parameters),
                whole_text(method.cpu_seconds),
            ]
        )
    head = ["variant", "settings", "UAR", "difference", "of each fold", "validation UAR", "parameters", "CPU s"]
    return markdown_table(head, rows)


def _whole(rows: Sequence[Comparison]) -> str:
    """What became of the rows' differences where all folds are computed."""
    if not rows:
        return ""
    listed = ", ".join(f"`{row.method}` {signed_text(row.difference)}" for row in rows)
    return f"Over all folds, with the same seed, differences are others: {listed}."


def transfer_paragraphs(table: TransferTable | None) -> list[str]:
    """The section on transfer.

    Args:
        table: `transfer.json`; None where not computed.
    """
    if table is None or not table.methods:
        return ["Not computed yet: `python -m benchmarks.evidence.ablations --groups transfer`."]
    text = (
        "One architecture, carried to the other corpus and trained there from scratch: that of fold 0 and seed 1 of "
        "the main table, fixed beforehand. It stands beside the searches on that corpus itself and beside one "
        "architecture drawn at random for each fold, all with the same seed; p is corrected for nothing."
    )
    rows = [f"- `{row.name}`, scored on {row.scored_on}: {_carried(row)}" for row in table.methods]
    return [text, "\n".join(rows), missing_text(table.missing)]


def _carried(row: TransferRow) -> str:
    figures = f"UAR {uar_text(row)} ({interval_text(row.uar_interval)})"
    text = f"{figures}, architecture [`{row.architecture}`](results/{row.file})"
    beside = [
        f"{signed_text(found.difference)} beside {words} (p {p_text(found.p)}, over folds {p_text(found.p_folds)})"
        for found, words in ((row.against_nested, "the searches"), (row.against_random, "random architectures"))
        if found is not None
    ]
    return "; ".join([text, *beside]) + "."
