"""The sections of docs/RESULTS.md about ablations and transfer."""

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import mean, stdev

from benchmarks.pages.markdown import markdown_table
from benchmarks.pages.wording import Table, figure_text, missing_text, p_text, seeds_text, uar_text


def ablation_paragraphs(table: Table) -> list[str]:
    """The section on ablations.

    Args:
        table: `emodb4-ablations.json`; empty where not computed.
    """
    if not table:
        return ["Not computed yet: `python -m benchmarks.evidence.ablations`."]
    folds, seeds = ", ".join(map(str, table["folds"])), seeds_text(table["seeds"])
    parts = [
        f"On {table['corpus']}, **folds {folds} and {seeds} only**. Each row changes one thing of the configuration as "
        "shipped, `as_shipped`, with what must follow from it, or measures another method. Rows of the recipe retrain "
        "the architectures that `as_shipped` found, and cost that alone; hand-designed networks are trained; the "
        "others search anew.",
        _luck(table),
        missing_text(table),
    ]
    against = {row["method"]: row for row in table["comparisons"]}
    for group, title in table["groups"].items():
        methods = [row for row in table["methods"] if row["group"] in (group, "reference")]
        if len(methods) > 1:
            parts += [f"### {title}", _variants(methods, against), _whole(table["whole"].get(group, []))]
    return parts


def deviation(by_seed: Mapping[str, float]) -> float:
    """Standard deviation of a difference of two figures of one seed each; 0 where nothing is known of it."""
    return sqrt(2) * stdev(by_seed.values()) if len(by_seed) > 1 else 0.0


def _luck(table: Table) -> str:
    """What another seed alone changes, so that no difference of one seed is taken for more than that."""
    by_seed: Mapping[str, float] = table["by_seed"].get("darts", {})
    if len(by_seed) < 2:
        return ""
    figures = ", ".join(f"{uar:.3f} (seed {seed})" for seed, uar in by_seed.items())
    return (
        f"`as_shipped` itself has {figures} on these folds. So the difference of two figures, of one seed each, has a "
        f"standard deviation of about {deviation(by_seed):.3f} by luck alone, and the largest of as many rows as there "
        f"are here is easily twice that. {_side(table)}"
    ).rstrip()


def _side(table: Table) -> str:
    """How far all rows lie to one side of the one that they share."""
    differences = [row["difference"] for row in table["comparisons"]]
    if not differences:
        return ""
    seeds = {name: mean(uars.values()) for name, uars in table["by_seed"].items()}
    others = "".join(f", `{name}` {uar:.3f}" for name, uar in seeds.items() if name != "darts")
    return (
        f"{sum(difference > 0 for difference in differences)} of {len(differences)} rows stand above `as_shipped`, all "
        f"of them by {mean(differences):+.3f} on average. Over all seeds of the main table it has {seeds['darts']:.3f} "
        f"on these folds{others}."
    )


def _variants(methods: Sequence[Table], against: Mapping[str, Table]) -> str:
    shipped: Mapping[str, float] = next((method["by_fold"] for method in methods if method["group"] == "reference"), {})
    rows = []
    for method in methods:
        found = against.get(method["name"])
        rows.append(
            [
                f"`{method['name']}`",
                ", ".join(f"`{setting}`" for setting in method["settings"]),
                uar_text(method),
                "" if found is None else f"{found['difference']:+.3f}",
                "" if found is None else ", ".join(f"{uar - shipped[k]:+.2f}" for k, uar in method["by_fold"].items()),
                figure_text(method["val_uar"]),  # where networks were validated
                f"{method['parameters']:,}",
                f"{method['cpu_seconds']:,.0f}",
            ]
        )
    head = ["variant", "settings", "UAR", "difference", "of each fold", "validation UAR", "parameters", "CPU s"]
    return markdown_table(head, rows)


def _whole(rows: Sequence[Table]) -> str:
    """What became of the rows' differences where all folds are computed."""
    if not rows:
        return ""
    told = ", ".join(f"`{row['method']}` {row['difference']:+.3f}" for row in rows)
    return f"Over all folds, with the same seed, differences are others: {told}."


def transfer_paragraphs(table: Table) -> list[str]:
    """The section on transfer.

    Args:
        table: `transfer.json`; empty where not computed.
    """
    if not table or not table["methods"]:
        return ["Not computed yet: `python -m benchmarks.evidence.ablations --groups transfer`."]
    text = (
        "One architecture, carried to the other corpus and trained there from scratch: that of fold 0 and seed 1 of "
        "the main table, fixed beforehand. It stands beside the searches on that corpus itself and beside one "
        "architecture drawn at random for each fold, all with the same seed; p is corrected for nothing."
    )
    rows = [f"- `{row['name']}`, scored on {row['scored_on']}: {_carried(row)}" for row in table["methods"]]
    return [text, "\n".join(rows), missing_text(table)]


def _carried(row: Table) -> str:
    low, high = row["uar_interval"]
    text = (
        f"UAR {uar_text(row)} ({low:.3f} to {high:.3f}), architecture [`{row['architecture']}`](results/{row['file']})"
    )
    beside = [
        f"{found['difference']:+.3f} beside {words} (p {p_text(found['p'])}, over folds {p_text(found['p_folds'])})"
        for key, words in (("against_nested", "the searches"), ("against_random", "random architectures"))
        if (found := row.get(key)) is not None
    ]
    return "; ".join([text, *beside]) + "."
