"""`python -m benchmarks.pages.results_document`: docs/RESULTS.md, made of the files under docs/results alone.

A table, or a row of it, that is not computed yet is left out, and the page says so.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from benchmarks.evidence.ablation_table import HAND_DESIGNED
from benchmarks.evidence.tables import AblationTable, Environments, MachineCost, MainTable, TransferTable
from benchmarks.pages import main_section
from benchmarks.pages.ablation_section import ablation_paragraphs, deviation, transfer_paragraphs
from benchmarks.pages.markdown import markdown_table
from benchmarks.pages.nas_checklist import CHECKLIST, Evidence
from benchmarks.pages.wording import find_method, seeds_text, uar_text
from nni_emodarts.metrics.comparisons import Comparison
from nni_emodarts.metrics.notation import figure_text, p_text, signed_text, whole_text
from nni_emodarts.metrics.record import Record
from nni_emodarts.report.drawings.canvas import svg
from nni_emodarts.runtime.writing import write_atomically
from nni_emodarts.runtime.yaml_reading import parse_yaml

TABLES = ("emodb4-loso", "ravdess-6fold")
ABLATIONS = "emodb4-ablations"
TRANSFER = "transfer"
NOTES = "notes.yml"
AnyTable = TypeVar("AnyTable", bound=Record)


def write_document(docs: Path) -> None:
    """Write RESULTS.md beside the results."""
    evidence = read_evidence(docs / "results")
    parts = ["# Results on EMO-DB and RAVDESS (acted speech)", _preface(evidence)]
    for table in evidence.tables:
        about = str((evidence.notes.get("about") or {}).get(table.name, "")).strip()
        parts += [f"## {table.title}", *main_section.paragraphs(table, about)]
    parts += ["## Ablations", *ablation_paragraphs(evidence.ablations)]
    parts += ["## Transfer", *transfer_paragraphs(evidence.transfer)]
    parts += ["## The recipe", *_recipe_section(evidence)]
    parts += ["## What did not work", _failures(evidence)]
    parts += ["## Why, as far as found", _diagnoses(evidence)]
    parts += ["## The checklist", _checklist(evidence)]
    parts += ["## Cost, hardware, versions", _cost_table(evidence)]
    parts += ["## How to read this", _reading()]
    for table in evidence.tables:
        if table.methods:
            _write_chart(docs, table)
    write_atomically(docs / "RESULTS.md", ("\n\n".join(part for part in parts if part) + "\n").encode())


def _write_chart(docs: Path, table: MainTable) -> None:
    """The picture that the table's section shows."""
    file = docs / main_section.chart_path(table)
    file.parent.mkdir(exist_ok=True)
    write_atomically(file, svg(main_section.draw_chart(table)).encode())


def read_evidence(results: Path) -> Evidence:
    """All that is under docs/results; what is not there is empty."""
    tables = [_read(results / f"{name}.json", MainTable) for name in TABLES]
    file = results / NOTES
    notes = parse_yaml(file.read_text(encoding="utf-8")) if file.exists() else {}
    return Evidence(
        [table for table in tables if table is not None],
        _read(results / f"{ABLATIONS}.json", AblationTable),
        _read(results / f"{TRANSFER}.json", TransferTable),
        notes or {},
    )


def _read(file: Path, kind: type[AnyTable]) -> AnyTable | None:
    return kind.from_data(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None


def _preface(evidence: Evidence) -> str:
    lines = [
        "UAR is the mean recall over the classes, of the test predictions of all folds together; WA is the accuracy. "
        "DARTS is this project's variant of the emoDARTS search ([what differs](space.md)); goals are targets that "
        "this project set itself, not published results. This page is made of the files under [`results/`](results) "
        "alone; the cells behind them are computed where they are missing:\n\n"
        "```bash\nexport EMODARTS_DATA=/path/to/corpora   # holds emodb4/manifest.csv and ravdess/manifest.csv\n"
        "python -m benchmarks.evidence.results        # main tables; --corpora, --methods, --seeds choose a slice\n"
        "python -m benchmarks.evidence.ablations      # ablations and transfer; --groups chooses some\n"
        "python -m benchmarks.pages.results_document  # this page alone\n```"
    ]
    for table in evidence.tables:
        caveats = (evidence.notes.get("caveats") or {}).get(table.name, [])
        lines.append("\n".join([f"**{table.name}.** {_verdict(table)}", "", *(f"- {text}" for text in caveats)]))
    return "\n\n".join(line.rstrip() for line in lines)


def _verdict(table: MainTable) -> str:
    """How far the searched network is from its goal, what is best, and what the search stands above."""
    ours = find_method(table.methods, "darts")
    if ours is None:
        return "The search is not computed yet, so that this page shows nothing of it."
    gap = ours.uar_mean - table.goal
    reached = "reaches" if gap >= 0 else f"is {figure_text(-gap)} below"
    best = max(table.methods, key=lambda method: method.uar_mean)
    sentences = [_standing(row, table) for row in table.comparisons if row.reference == "darts"]
    against = f" DARTS is {'; '.join(sentences)}." if sentences else ""
    return (
        f"DARTS {uar_text(ours)} {reached} the goal of {table.goal:.2f}. The highest UAR is that of "
        f"`{best.name}`, {uar_text(best)}.{against}"
    )


def _least_p_folds(table: MainTable) -> float:
    """The smallest p over folds that the first of a table's comparisons can have after Holm's correction."""
    return min(1.0, len(table.comparisons) * 2 / 2.0**table.folds)


def _standing(row: Comparison, table: MainTable) -> str:
    """A comparison in words, with its seeds where the table shows one of both methods with others.

    Args:
        row: the comparison.
        table: the main table that it is of.
    """
    how = "above" if row.difference < 0 else "below"
    shown = {seed for method in table.methods if method.name in (row.method, "darts") for seed in method.seeds}
    where = f" on {seeds_text(row.seeds)}" if set(row.seeds) < shown else ""
    sure = f"{_sureness(row, _least_p_folds(table))} (adjusted p {p_text(row.p_holm)})"
    return f"{figure_text(abs(row.difference))} {how} `{row.method}`{where}, {sure}"


def _sureness(row: Comparison, least: float) -> str:
    """Speakers of a fold share a network: what holds over speakers alone may be the luck of its training."""
    if row.p_holm >= 0.05:
        return "not significant"
    if row.p_folds_holm < 0.05:
        return "significant"
    return "significant over speakers, " + ("not over folds" if least < 0.05 else "which so few folds cannot confirm")


def _recipe_section(evidence: Evidence) -> list[str]:
    tried = evidence.notes.get("recipe_variants") or {}
    counts = [f"{tried[name] if tried.get(name) is not None else 'not stated yet'} on {name}" for name in TABLES]
    parts = [
        f"Variants of recipe, space and search that were tried: {', '.join(counts)}, besides the ablations above.",
        _recipe_table(evidence.notes.get("recipe_parts") or []),
        str(evidence.notes.get("recipe") or "").strip(),
    ]
    parts.append(_earlier(evidence))
    shown: list[Any] = []
    for table in evidence.tables:
        settings = {key: table.configuration[key] for key in ("features", "space", "search", "retrain")}
        if settings not in shown:
            shown.append(settings)
            text = yaml.safe_dump(settings, sort_keys=False).strip()
            parts.append(f"Settings on {table.name} ([what they mean](configuration.md)):\n\n```yaml\n{text}\n```")
    return parts


def _recipe_table(rows: Sequence[Sequence[str]]) -> str:
    """The parts of the recipe in words."""
    return markdown_table(["part", "what is done", "what else was tried"], rows) if rows else ""


def _earlier(evidence: Evidence) -> str:
    """Test figures that were read before the recipe was fixed, oldest first, beside those of today."""
    now = {
        (table.name, method.name): method.uar_by_seed.get("1") for table in evidence.tables for method in table.methods
    }
    rows = [
        [name, f"`{method}`", ", ".join(map(figure_text, uars)), figure_text(now.get((name, method)), missing="")]
        for name, methods in (evidence.notes.get("earlier") or {}).items()
        for method, uars in methods.items()
    ]
    if not rows:
        return ""
    intro = "Test UAR of seed 1 over all folds as it was read under the recipes and searches before, oldest first:"
    return f"{intro}\n\n" + markdown_table(["table", "method", "UAR before", "UAR now"], rows)


def _failures(evidence: Evidence) -> str:
    lines = [f"- {text}" for text in evidence.notes.get("did_not_work") or []]
    if lines:
        lines.insert(0, "Trials made on the way, one or a few trainings each; no command repeats them:\n")
    lines += [_trials(**subject) for subject in evidence.notes.get("trials") or []]
    lines += _failed_parts(evidence.ablations) if evidence.ablations is not None else []
    return "\n".join(lines) or "Nothing is known yet: neither the search nor its ablations are computed."


def _failed_parts(table: AblationTable) -> list[str]:
    """Ablations that went against what the recipe does, by more than luck."""
    against = {row.method: row for row in table.comparisons}
    luck = 2 * deviation(table.by_seed.get("darts", {}))
    changes = [
        against[row.name]
        for row in table.methods
        if row.name in against and row.group != HAND_DESIGNED  # another method is no part that failed
    ]
    return [
        f"- Ablation `{row.method}`: {signed_text(row.difference)} UAR on its folds, against what the recipe does."
        for row in sorted(changes, key=lambda row: row.difference)
        if _failed(row) and abs(row.difference) >= luck
    ]


def _trials(title: str, text: str, head: Sequence[str], rows: Sequence[Sequence[str]], end: str) -> str:
    """Trials of one subject, with too many figures for a sentence."""
    return f"\n### {title}\n\n{text}\n\n{markdown_table(head, rows)}\n\n{end}"


def _diagnoses(evidence: Evidence) -> str:
    """What the notes say of causes."""
    return "\n".join(f"- {text}" for text in evidence.notes.get("diagnoses") or [])


def _failed(ablation: Comparison) -> bool:
    """Whether what is added brought nothing; or, where a part is left out, whether the part did not."""
    left_out = ablation.method.startswith("without_")
    return ablation.difference >= 0 if left_out else ablation.difference <= 0


def _checklist(evidence: Evidence) -> str:
    rows = [[item.question, item.answer(evidence)] for item in CHECKLIST]
    text = "Of Lindauer & Hutter (2020), *Best Practices for Scientific Research on Neural Architecture Search*."
    return text + "\n\n" + markdown_table(["question", "answer"], rows)


def _cost_table(evidence: Evidence) -> str:
    others = [table for table in (evidence.ablations, evidence.transfer) if table is not None]
    rows = [[each.name, f"{each.cpu_hours:.2f}", _machines(each.environments)] for each in (*evidence.tables, *others)]
    text = (
        "CPU hours of the cells that a table is made of: search and retraining, or fitting; without the extraction of "
        "features, and without searches that were done again for their cost alone."
    )
    parts = [
        text,
        markdown_table(["table", "CPU hours", "computed on"], rows),
        str(evidence.notes.get("extraction") or "").strip(),
        *map(_cost_by_machine, evidence.tables),
    ]
    return "\n\n".join(part for part in parts if part)


def _cost_by_machine(table: MainTable) -> str:
    """CPU seconds of a cell on each kind of machine; those of one are not those of another."""
    costs = [cost for cost in table.costs if find_method(table.methods, cost.method)]
    machines = sorted({cost.machine for cost in costs})
    by_place = {(cost.method, cost.machine): cost for cost in costs}
    rows = [
        [f"`{method.name}`", *(_seconds(by_place.get((method.name, machine))) for machine in machines)]
        for method in table.methods
    ]
    if not rows:
        return ""
    intro = (
        f"{table.name}: mean CPU seconds of a cell, which is one fold, by the machine that computed it; of them "
        "those of the search, and the number of cells. Rows of the main table that mix machines do not compare by "
        "cost, columns of this one do, to about a fifth."
    )
    return f"{intro}\n\n" + markdown_table(["", *machines], rows)


def _seconds(cost: MachineCost | None) -> str:
    if cost is None:
        return ""
    search = f", search {whole_text(cost.search_cpu_seconds)}" if cost.search_cpu_seconds else ""
    return f"{whole_text(cost.cpu_seconds)}{search} ({cost.cells})"


def _machines(environments: Environments) -> str:
    return "; ".join(
        f"{each['processor']}, {each.get('accelerator') or each['device']}, threads a process: {each['threads']} ("
        + ", ".join(f"{name} {version}" for name, version in each["packages"].items())
        + f", Python {each['python']}): {each['cells']} cells"
        for each in environments
    )


def _reading() -> str:
    lines = (
        "UAR is that of each seed's predictions, pooled over the folds; mean and deviation (that of "
        "a sample, with n - 1) are over the seeds.",
        "Intervals are expanded percentiles (Hesterberg 2015) of 10,000 bootstrap resamples of whole speakers: how far "
        "a figure would move with other speakers, not with other seeds; the networks are taken as they were trained. "
        "Those over folds draw whole folds, whose speakers one network answers, so that the luck of its training "
        "counts, too; six folds give a rough one.",
        "p is that of a two-sided paired permutation test that swaps two methods' predictions for whole speakers, all "
        "swaps counted up to 24 speakers. Holm's correction is over the comparisons of its table: the main one "
        "holds those of the planned methods.",
        "p over folds swaps whole folds, whose speakers one network answers. With six folds it cannot be less than "
        "0.0312, and the least of several, corrected, not less than as many times that: six folds are too few to "
        "confirm any of several differences.",
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
