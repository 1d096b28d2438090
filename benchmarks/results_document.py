"""`python -m benchmarks.results_document`: docs/RESULTS.md, made of the files under docs/results alone.

A table, or a row of it, that is not computed yet is left out, and the page says so.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from math import sqrt
from pathlib import Path
from statistics import stdev
from typing import Any

import yaml

from benchmarks import main_section
from benchmarks.ablation_table import HAND_DESIGNED
from benchmarks.markdown import markdown_table
from benchmarks.nas_checklist import CHECKLIST, Evidence, Table
from benchmarks.wording import find_method, missing_text, p_text, uar_text
from nni_emodarts.report.canvas import svg
from nni_emodarts.writing import write_atomically

TABLES = ("emodb4-loso", "ravdess-6fold")
ABLATIONS = "emodb4-ablations"
TRANSFER = "transfer"
NOTES = "notes.yml"


def write_document(docs: Path) -> None:
    """Write RESULTS.md beside the results."""
    evidence = read_evidence(docs / "results")
    parts = ["# Results on EMO-DB and RAVDESS (acted speech)", _preface(evidence)]
    for table in evidence.tables:
        parts += [f"## {table['title']}", *main_section.paragraphs(table, _notes_on(evidence, table, "about"))]
    parts += ["## Ablations", *_ablation_section(evidence.ablations)]
    parts += ["## Transfer", *_transfer_section(evidence.transfer)]
    parts += ["## The recipe", *_recipe_section(evidence)]
    parts += ["## What did not work", _failures(evidence)]
    parts += ["## The checklist", _checklist(evidence)]
    parts += ["## Cost, hardware, versions", _cost_table(evidence)]
    parts += ["## How to read this", _reading()]
    for table in evidence.tables:
        if table["methods"]:
            _write_chart(docs, table)
    write_atomically(docs / "RESULTS.md", ("\n\n".join(part for part in parts if part) + "\n").encode())


def _write_chart(docs: Path, table: Table) -> None:
    """The picture that the table's section shows."""
    file = docs / main_section.chart_path(table)
    file.parent.mkdir(exist_ok=True)
    write_atomically(file, svg(main_section.draw_chart(table)).encode())


def read_evidence(results: Path) -> Evidence:
    """All that is under docs/results; what is not there is empty."""
    tables = [_read(results / f"{name}.json") for name in TABLES]
    file = results / NOTES
    notes = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
    return Evidence(
        [table for table in tables if table],
        _read(results / f"{ABLATIONS}.json"),
        _read(results / f"{TRANSFER}.json"),
        notes or {},
    )


def _read(file: Path) -> Table:
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def _preface(evidence: Evidence) -> str:
    lines = [
        "UAR is the mean recall over the classes, of the test predictions of all folds together; WA is the accuracy. "
        "DARTS is this project's variant of the emoDARTS search ([what differs](space.md)); goals are targets that "
        "this project set itself, not published results. This page is made of the files under [`results/`](results) "
        "alone; the cells behind them are computed where they are missing:\n\n"
        "```bash\nexport EMODARTS_DATA=/path/to/corpora   # holds emodb4/manifest.csv and ravdess/manifest.csv\n"
        "python -m benchmarks.results             # main tables; --corpora, --methods, --seeds choose a slice\n"
        "python -m benchmarks.ablations           # ablations and transfer; --groups chooses some\n"
        "python -m benchmarks.results_document    # this page alone\n```"
    ]
    lines += [f"- {_verdict(table)} {_notes_on(evidence, table, 'caveat')}".rstrip() for table in evidence.tables]
    return lines[0] + "\n\n" + "\n".join(lines[1:])


def _notes_on(evidence: Evidence, table: Table, what: str) -> str:
    """What the notes say of a table: `about` its corpus, or the `caveat` that its verdict needs."""
    return str((evidence.notes.get(what) or {}).get(table["name"], "")).strip()


def _verdict(table: Table) -> str:
    """How far the searched network is from its goal, and what it stands above."""
    ours = find_method(table, "darts")
    if ours is None:
        return f"{table['name']}: the search is not computed yet, so that this page shows nothing of it."
    gap = ours["uar_mean"] - table["goal"]
    reached = "reaches" if gap >= 0 else f"is {-gap:.3f} below"
    below = [row for row in table["comparisons"] if row["reference"] == "darts"]
    sentences = [_standing(row, ours["seeds"], _least_p_folds(table)) for row in below]
    against = f" Against the others: {'; '.join(sentences)}." if sentences else ""
    return f"{table['name']}: DARTS {uar_text(ours)} {reached} the goal of {table['goal']:.2f}.{against}"


def _least_p_folds(table: Table) -> float:
    """The smallest p over folds that the first of a table's comparisons can have after Holm's correction."""
    folds: int = table["folds"]
    return min(1.0, len(table["comparisons"]) * 2 / 2.0**folds)


def _standing(row: Mapping[str, Any], seeds: Sequence[int], least: float) -> str:
    """A comparison in words.

    Args:
        row: the comparison.
        seeds: all seeds of the searched network.
        least: the smallest p over folds that there can be.
    """
    how = "above" if row["difference"] < 0 else "below"
    where = f" on seeds {', '.join(map(str, row['seeds']))}" if set(row["seeds"]) < set(seeds) else ""
    sure = f"{_sureness(row, least)} (adjusted p {p_text(row['p_holm'])})"
    return f"{abs(row['difference']):.3f} {how} `{row['method']}`{where}, {sure}"


def _sureness(row: Mapping[str, Any], least: float) -> str:
    """Speakers of a fold share a network: what holds over speakers alone may be the luck of its training."""
    if row["p_holm"] >= 0.05:
        return "not significant"
    if row["p_folds_holm"] < 0.05:
        return "significant"
    return "significant over speakers, " + ("not over folds" if least < 0.05 else "which so few folds cannot confirm")


def _ablation_section(table: Table) -> list[str]:
    if not table:
        return ["Not computed yet: `python -m benchmarks.ablations`."]
    folds, seeds = ", ".join(map(str, table["folds"])), ", ".join(map(str, table["seeds"]))
    parts = [
        f"On {table['corpus']}, **folds {folds} and seed {seeds} only**. Each row changes one thing of the "
        "configuration as shipped, `as_shipped`, with what must follow from it, or measures another method. Rows of "
        "the recipe retrain the architectures that `as_shipped` found, and cost that alone; hand-designed networks are "
        "trained; the others search anew.",
        _luck(table["as_shipped_by_seed"]),
        missing_text(table),
    ]
    against = {row["method"]: row for row in table["comparisons"]}
    for group, title in table["groups"].items():
        methods = [row for row in table["methods"] if row["group"] in (group, "reference")]
        if len(methods) > 1:
            parts += [f"### {title}", _variants(methods, against)]
    return parts


def _luck(by_seed: Mapping[str, float]) -> str:
    """What another seed alone changes, so that no difference of one seed is taken for more than that."""
    if len(by_seed) < 2:
        return ""
    figures = ", ".join(f"{uar:.3f} (seed {seed})" for seed, uar in by_seed.items())
    return (
        f"`as_shipped` itself has {figures} on these folds. So the difference of two figures, of one seed each, has a "
        f"standard deviation of about {_deviation(by_seed):.3f} by luck alone; the largest of as many rows as there "
        "are here is easily twice that, and all rows may lie to one side, since they share one `as_shipped`."
    )


def _deviation(by_seed: Mapping[str, float]) -> float:
    """Standard deviation of a difference of two figures of one seed each; 0 where nothing is known of it."""
    return sqrt(2) * stdev(by_seed.values()) if len(by_seed) > 1 else 0.0


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
                _figure(method["val_uar"]),  # where networks were validated
                f"{method['parameters']:,}",
                f"{method['cpu_seconds']:,.0f}",
            ]
        )
    head = ["variant", "settings", "UAR", "difference", "of each fold", "validation UAR", "parameters", "CPU s"]
    return markdown_table(head, rows)


def _transfer_section(table: Table) -> list[str]:
    if not table or not table["methods"]:
        return ["Not computed yet: `python -m benchmarks.ablations --groups transfer`."]
    text = (
        "One architecture, carried to the other corpus and trained there from scratch: that of fold 0 and seed 1 of "
        "the main table, fixed beforehand."
    )
    rows = [f"- `{row['name']}`, scored on {row['scored_on']}: {_carried(row)}" for row in table["methods"]]
    return [text, "\n".join(rows), missing_text(table)]


def _carried(row: Table) -> str:
    low, high = row["uar_interval"]
    against = row.get("against_nested")
    text = (
        f"UAR {uar_text(row)} ({low:.3f} to {high:.3f}), architecture [`{row['architecture']}`](results/{row['file']})"
    )
    if against is None:
        return text + "."
    beside = f"{against['difference']:+.3f} beside the searches on that corpus itself, with the same seed"
    return f"{text}; {beside} (p {p_text(against['p'])})."


def _recipe_section(evidence: Evidence) -> list[str]:
    tried = evidence.notes.get("recipe_variants") or {}
    counts = [f"{tried[name] if tried.get(name) is not None else 'not stated yet'} on {name}" for name in TABLES]
    parts = [
        f"Variants of recipe, space and search that were tried in all: {', '.join(counts)}.",
        str(evidence.notes.get("recipe") or "").strip(),
    ]
    parts.append(_earlier(evidence))
    shown: list[Any] = []
    for table in evidence.tables:
        settings = {key: table["configuration"][key] for key in ("features", "space", "search", "retrain")}
        if settings not in shown:
            shown.append(settings)
            text = yaml.safe_dump(settings, sort_keys=False).strip()
            parts.append(f"Settings on {table['name']} ([what they mean](configuration.md)):\n\n```yaml\n{text}\n```")
    return parts


def _earlier(evidence: Evidence) -> str:
    """Test figures that were read before the recipe was fixed, oldest first, beside those of today."""
    now = {
        (table["name"], method["name"]): method["uar_by_seed"].get("1")
        for table in evidence.tables
        for method in table["methods"]
    }
    rows = [
        [name, f"`{method}`", ", ".join(f"{uar:.3f}" for uar in uars), _figure(now.get((name, method)))]
        for name, methods in (evidence.notes.get("earlier") or {}).items()
        for method, uars in methods.items()
    ]
    if not rows:
        return ""
    intro = "Test UAR of seed 1 over all folds as it was read under the recipes and searches before, oldest first:"
    return f"{intro}\n\n" + markdown_table(["table", "method", "UAR before", "UAR now"], rows)


def _figure(uar: float | None) -> str:
    return "" if uar is None else f"{uar:.3f}"


def _failures(evidence: Evidence) -> str:
    lines = [f"- {text}" for text in evidence.notes.get("did_not_work") or []]
    if lines:
        lines.insert(0, "Trials made on the way, one or a few trainings each; no command repeats them:\n")
    table = evidence.ablations
    against = {row["method"]: row for row in table.get("comparisons", [])}
    luck = 2 * _deviation(table.get("as_shipped_by_seed", {}))
    changes = [
        against[row["name"]]
        for row in table.get("methods", [])
        if row["name"] in against and row.get("group") != HAND_DESIGNED  # another method is no part that failed
    ]
    lines += [
        f"- Ablation `{row['method']}`: {row['difference']:+.3f} UAR on its folds, against what the recipe does."
        for row in sorted(changes, key=lambda row: float(row["difference"]))
        if _failed(row) and abs(row["difference"]) >= luck
    ]
    for found in evidence.tables:
        lines += [
            f"- {found['name']}: the search is {row['difference']:.3f} below `{row['method']}`."
            for row in found["comparisons"]
            if row["reference"] == "darts" and row["difference"] > 0
        ]
    return "\n".join(lines) or "Nothing is known yet: neither the search nor its ablations are computed."


def _failed(ablation: Table) -> bool:
    """Whether what is added brought nothing; or, where a part is left out, whether the part did not."""
    left_out = str(ablation["method"]).startswith("without_")
    return bool(ablation["difference"] >= 0 if left_out else ablation["difference"] <= 0)


def _checklist(evidence: Evidence) -> str:
    rows = [[item.question, item.answer(evidence)] for item in CHECKLIST]
    text = "Of Lindauer & Hutter (2020), *Best Practices for Scientific Research on Neural Architecture Search*."
    return text + "\n\n" + markdown_table(["question", "answer"], rows)


def _cost_table(evidence: Evidence) -> str:
    held = [*evidence.tables, *(table for table in (evidence.ablations, evidence.transfer) if table)]
    rows = [[table["name"], f"{table['cpu_hours']:.2f}", _machines(table)] for table in held]
    text = (
        "CPU hours of the cells that a table is made of: search and retraining, or fitting; without the extraction of "
        "features, and without searches that were done again for their cost alone."
    )
    return text + "\n\n" + markdown_table(["table", "CPU hours", "computed on"], rows)


def _machines(table: Table) -> str:
    return "; ".join(
        f"{each['processor']}, {each.get('accelerator') or each['device']}, threads a process: {each['threads']} ("
        + ", ".join(f"{name} {version}" for name, version in each["packages"].items())
        + f", Python {each['python']}): {each['cells']} cells"
        for each in table["environments"]
    )


def _reading() -> str:
    lines = (
        "UAR is that of each seed's predictions, pooled over the folds; mean and deviation are over the seeds.",
        "Intervals are expanded percentiles (Hesterberg 2015) of 10,000 bootstrap resamples of whole speakers: how far "
        "a figure would move with other speakers, not with other seeds.",
        "p is that of a two-sided paired permutation test that swaps two methods' predictions for whole speakers, all "
        "swaps counted up to 24 speakers. Holm's correction is over the comparisons of its table, which are those of "
        "the planned methods; whatever else stands in a table is not compared.",
        "p over folds swaps whole folds, whose speakers one network answers. With six folds it cannot be less than "
        "0.0312, and the least of several, corrected, not less than as many times that: six folds are too few to "
        "confirm any of several differences.",
        "p of transfer is corrected for nothing.",
        "CPU seconds are those of one seed over all folds, search and retraining. Random search begins another "
        "candidate as long as it has spent less than its budget, what the search of DARTS on that fold and seed costs "
        "on the machine at hand: where DARTS had been computed on another kind, its search was done again for its cost "
        "alone. Candidates are the mean of a search.",
        "Random sampling draws by seed and fold, so that both corpora get the same architectures.",
        "FLOPs are those of one network for one second of audio, 2 for a multiply-add; those of openSMILE's features "
        "are not counted.",
        "SVMs are deterministic, so that one seed suffices. They learn from training and validation speakers, with C "
        "fixed beforehand; features are standardised on what they learn from.",
    )
    return "\n".join(f"- {line}" for line in lines)


def main(words: Sequence[str] | None = None) -> None:
    """Write the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder of RESULTS.md and results/")
    write_document(parser.parse_args(words).out)


if __name__ == "__main__":
    main()
