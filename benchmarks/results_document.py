"""docs/RESULTS.md, made of the figures under docs/results alone."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nni_emodarts.architecture import Architecture
from nni_emodarts.config import NONE
from nni_emodarts.run_folder import write_atomically
from nni_emodarts.summaries import read_cell

_NAMES = {
    "darts": "emoDARTS, searched anew inside each fold",
    "darts_from_emodb4": "emoDARTS, the architecture found on EMO-DB",
    "cnn_lstm": "hand-designed CNN-LSTM",
}
# UAR of openSMILE functionals and a linear SVM under the same folds; measured once, outside this command.
_SVM = {"emodb4-loso": ("0.765", "0.865"), "ravdess-6fold": ("0.483", "0.567")}


def write_document(docs: Path) -> None:
    """Write RESULTS.md beside the results."""
    emodb4, ravdess = (_read(docs / "results" / f"{name}.json") for name in ("emodb4-loso", "ravdess-6fold"))
    cells = [read_cell(file) for file in sorted((docs / "results" / "cells").glob("*/*.json"))]
    architecture = Architecture.load(docs / "results" / "emodb4-darts.json")
    text = "\n\n".join(
        [
            "# Results on real speech",
            _preface(cells),
            "## EMO-DB, four classes, leave one speaker out",
            _emodb4_text(emodb4),
            _table(emodb4),
            _folds_table(docs / "results" / "cells" / "emodb4-loso"),
            "## RAVDESS, eight classes, six folds: a transfer",
            _ravdess_text(architecture),
            _table(ravdess),
            "## Recall of each emotion",
            *(_recall_table(summary) for summary in (emodb4, ravdess)),
            "## How to read this",
            _reading(emodb4, ravdess, cells),
        ]
    )
    write_atomically(docs / "RESULTS.md", (text + "\n").encode())


def _preface(cells: Sequence[dict[str, Any]]) -> str:
    environment = cells[0]["environment"]
    packages = ", ".join(f"{name} {environment['packages'][name]}" for name in ("nni", "torch", "torchaudio"))
    hours = sum(cell["cpu_seconds"] for cell in cells) / 3600
    return (
        "This page is made by one command, from the cells that it finds under `docs/results` and those that it computes"
        " where one is missing; the variable names the folder that holds `emodb4/manifest.csv` and "
        "`ravdess/manifest.csv`:\n\n"
        "```bash\nEMODARTS_DATA=/path/to/corpora python -m benchmarks.results\n```\n\n"
        f"All cells together took {hours:.1f} CPU hours, as processes of {environment['threads']} thread each on "
        f"{environment['processor']} ({packages}, Python {environment['python']}). Preset `compact`, seed 1."
    )


def _emodb4_text(summary: dict[str, Any]) -> str:
    ours = _method(summary, "darts")
    return (
        f"EMO-DB (Burkhardt et al. 2005), anger, happiness, neutral and sadness: {ours['utterances']} utterances of "
        f"{ours['speakers']} speakers. In each of the {len(ours['folds'])} folds one speaker is the test part, two "
        "(one of each gender) validate, the others train. The search happens anew inside each fold and sees its "
        "training and validation speakers only. Validation chooses the epoch; the test part is read once. Both rows "
        "use the same features, retrain recipe, folds and seed."
    )


def _ravdess_text(architecture: Architecture) -> str:
    origin = architecture.origin
    return (
        "RAVDESS (Livingstone & Russo 2018), speech: 24 speakers, eight classes; fold i tests the sorted male speakers "
        "[i::6] and the sorted female speakers [i::6]. Nothing is searched here: the architecture "
        f"[`{architecture.id}`](results/emodb4-darts.json) was found on EMO-DB in fold {origin['fold']}, whose "
        "network did best on *validation* speakers, and is trained from scratch. Epochs are bounded to 16 batches "
        "(`retrain.epoch_steps`) for both rows, so that the whole page stays within two hours on two cores."
    )


def _table(summary: dict[str, Any]) -> str:
    rows = [
        "| method | UAR | 95 % interval | WA | mean of fold UARs | parameters | CPU seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for method in summary["methods"]:
        low, high = method["uar_interval"]
        rows.append(
            f"| {_NAMES[method['name']]} | {method['uar_mean']:.3f} | {low:.3f} to {high:.3f} | "
            f"{method['wa_mean']:.3f} | {method['fold_mean_uar']:.3f} | {method['parameters']:,} | "
            f"{method['cpu_seconds']:,.0f} |"
        )
    egemaps, compare = _SVM[summary["name"]]
    rows += [
        f"| eGeMAPSv02 + linear SVM, for orientation | {egemaps} | | | | | |",
        f"| ComParE_2016 + linear SVM, for orientation | {compare} | | | | | |",
    ]
    return "\n".join(rows)


def _folds_table(folder: Path) -> str:
    """Figures of each fold, so that the spread over speakers is seen."""
    rows = [
        "| test speaker | emoDARTS: validation | test | CNN-LSTM: validation | test | architecture |",
        "|---|---|---|---|---|---|",
    ]
    for file in sorted(folder.glob("darts-fold_*.json")):
        ours, other = read_cell(file), read_cell(folder / file.name.replace("darts", "cnn_lstm", 1))
        rows.append(
            f"| {', '.join(ours['speakers'])} | {ours['val_uar']:.3f} | {ours['test_uar']:.3f} | "
            f"{other['val_uar']:.3f} | {other['test_uar']:.3f} | `{ours['architecture']['id']}` |"
        )
    return "\n".join(rows)


def _recall_table(summary: dict[str, Any]) -> str:
    labels = list(summary["methods"][0]["recall"])
    rows = [f"| {summary['name']} | {' | '.join(labels)} |", "|---" * (len(labels) + 1) + "|"]
    for method in summary["methods"]:
        recalls = " | ".join(f"{method['recall'][label]:.2f}" for label in labels)
        rows.append(f"| {_NAMES[method['name']]} | {recalls} |")
    return "\n".join(rows)


def _reading(emodb4: dict[str, Any], ravdess: dict[str, Any], cells: Sequence[dict[str, Any]]) -> str:
    return (
        "- UAR is the mean recall over the classes, of the test predictions of all folds together. Intervals are "
        "percentiles of 10,000 resamples of whole speakers; they say nothing about other seeds, of which there is one."
        f"\n- {_verdict(emodb4, 'darts')}"
        f"\n- {_verdict(ravdess, 'darts_from_emodb4')}"
        "\n- Cost: CPU seconds of search and retraining over all folds. The transferred row's own search is counted in "
        "the first table."
        "\n- The SVM rows use hand-made features, standardised on the training speakers, under the same folds; they "
        "come from another program and are here for orientation."
        f"\n- {_parameter_free(cells)}"
        "\n- Sixteen batches an epoch leave both networks far from trained on RAVDESS; the row compares them, it does "
        "not say what either can reach."
        "\n- Random sampling, random search, further seeds and paired tests are not on this page: without them it does "
        "not show that the *search* helps."
    )


def _parameter_free(cells: Sequence[dict[str, Any]]) -> str:
    """How far the searches went for operations that learn nothing, beside an even draw."""
    free, chance, count = 0, 0.0, 0
    for architecture in (cell["architecture"] for cell in cells if cell["method"] == "darts"):
        for label, choice in architecture["choices"].items():
            if isinstance(choice, str):
                key = "seqnn_primitives" if label.startswith("seqnn") else "cnn_primitives"
                offered = [name for name in architecture["space"][key] if name != NONE]
                free, count = free + _learns_nothing(choice), count + 1
                chance += sum(map(_learns_nothing, offered)) / len(offered)
    return (
        f"{free} of the {count} operations that the searches on EMO-DB chose are skip connections or pooling, which "
        f"learn nothing; an even draw gives {chance:.0f}. DARTS is known to lean that way; the cures are options "
        "of the strategy, all off here."
    )


def _learns_nothing(operation: str) -> bool:
    return operation == "skip_connect" or operation.endswith("_pool_3x3")


def _verdict(summary: dict[str, Any], name: str) -> str:
    ours, other = _method(summary, name), _method(summary, "cnn_lstm")
    apart = ours["uar_interval"][0] > other["uar_interval"][1] or other["uar_interval"][0] > ours["uar_interval"][1]
    how = "above" if ours["uar_mean"] > other["uar_mean"] else "below"
    return (
        f"{summary['name']}: emoDARTS is {abs(ours['uar_mean'] - other['uar_mean']):.3f} {how} the hand-designed "
        f"network; their intervals {'do not overlap' if apart else 'overlap'}."
    )


def _method(summary: dict[str, Any], name: str) -> dict[str, Any]:
    return next(method for method in summary["methods"] if method["name"] == name)


def _read(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text(encoding="utf-8")))
