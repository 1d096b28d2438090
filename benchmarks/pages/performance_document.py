"""`python -m benchmarks.pages.performance_document`: docs/PERFORMANCE.md, from the figures in docs/performance."""

import argparse
import json
from pathlib import Path
from typing import Any

from scipy.special import stdtrit

from benchmarks.pages import using_section
from benchmarks.pages.markdown import markdown_table, verdict
from benchmarks.speed.limits import bounds
from benchmarks.speed.search_options import preset_settings
from nni_emodarts.runtime.writing import write_atomically

COMMANDS = {
    "supernet": "benchmarks.speed.supernet --preset paper --batch-size 16",
    "supernet_kept": "benchmarks.speed.supernet --preset paper --batch-size 16 --variants kept",
    "supernet_64": "benchmarks.speed.supernet --preset paper --batch-size 64 --variants default",
    "limits": "benchmarks.speed.limits --preset paper --batch-size 16",
    "search": "benchmarks.speed.search --preset compact --protocol loso --epochs 3"
    " --manifest $EMODARTS_DATA/emodb4/manifest.csv",
    "features": "benchmarks.speed.features --manifest $EMODARTS_DATA/emodb4/manifest.csv",
    "loading": "benchmarks.speed.loading --manifest $EMODARTS_DATA/emodb4/manifest.csv",
    "corpus_size": "benchmarks.speed.corpus_size",
    "start_up": "benchmarks.speed.start_up",
}
"""What makes each file of figures."""

Figures = dict[str, dict[str, Any]]


def main() -> None:
    """Write the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="folder of PERFORMANCE.md and performance/")
    docs = parser.parse_args().docs
    write_atomically(docs / "PERFORMANCE.md", document(docs / "performance").encode())


def document(folder: Path) -> str:
    """The document's text."""
    figures = {name: json.loads((folder / f"{name}.json").read_text()) for name in [*COMMANDS, "search_options"]}
    paragraphs = [
        "# Speed and memory",
        _preface(figures),
        "## A search step of the paper's supernet",
        _supernet(figures),
        "## Where the time goes",
        _profile(figures["limits"]),
        "## A whole search",
        _search(figures["search"]),
        "## What the smaller supernet costs in accuracy",
        _accuracy(figures["search_options"]),
        "## Features",
        _features(figures["features"]),
        "## Loading",
        _loading(figures["loading"]),
        "## Large corpora",
        _corpus_size(figures["corpus_size"]),
        "## Start-up",
        _start_up(figures["start_up"]),
        *using_section.paragraphs(folder),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _preface(figures: Figures) -> str:
    own = figures["supernet"]["machine"]
    commands = "\n".join(
        f"python -m {command} --json docs/performance/{name}.json" for name, command in COMMANDS.items()
    )
    return (
        f"Measured on {own['processor']}, {own['cores']} cores, torch {own['torch']}, nothing else running. Each "
        "figure "
        "is the median of repeats in a process of its own; memory is the largest RssAnon, which belongs to no file. "
        f"Figures are of this machine{_elsewhere(figures)}; it shares its host, whose load changes seconds twofold "
        "from hour to hour, so that ratios within a table say more. This page is made of the files that "
        "these commands write:\n\n"
        f"```bash\n{commands}\npython -m benchmarks.speed.search_options   # accuracy: hours\n"
        "python -m benchmarks.pages.performance_document\n```"
    )


def _elsewhere(figures: Figures) -> str:
    """Which files were measured on another processor than the supernet's."""
    own = figures["supernet"]["machine"]["processor"]
    others: dict[str, list[str]] = {}
    for name, measured in figures.items():
        if (found := measured["machine"]["processor"]) != own:
            others.setdefault(found, []).append(f"`{name}.json`")
    return "".join(f", those of {', '.join(names)} of {processor}" for processor, names in others.items())


def _supernet(figures: Figures) -> str:
    own, large = figures["supernet"], figures["supernet_64"]["variants"][0]
    kept = figures["supernet_kept"]["variants"][0]
    rows = {row["name"]: row for row in own["variants"]}
    plain = rows["plain"]
    table = markdown_table(
        ["variant", "s a step", "timed steps", "times as fast", "GB", "million parameters"],
        [
            [
                f"`{row['name']}`",
                f"{row['seconds']:.1f}",
                str(len(row["all_seconds"])),
                f"{plain['seconds'] / row['seconds']:.1f}",
                f"{row['peak_bytes'] / 1e9:.1f}",
                f"{row['parameters'] / 1e6:.2f}",
            ]
            for row in own["variants"]
        ],
    )
    return (
        f"Preset `paper`, batch {own['batch_size']}, maps of 128 x 128, {own['threads']} threads; a step is one of the "
        "alphas and one of the weights, optimisers included.\n\n"
        f"{table}\n\n"
        "`plain` calls each operation of each edge by itself. `exact` gives the same outputs and gradients "
        "(`search.options.accelerated`, true unless switched off; tests compare them), and computes inner results of "
        "edges again in the backward pass (`search.options.recompute`); with these kept, as by default, a step takes "
        f"{kept['seconds']:.1f} s and {kept['peak_bytes'] / 1e9:.1f} GB. `default` is what the preset "
        f"ships: {_options(rows['default']['options'])}. At batch 64 a step of `default` takes "
        f"{large['seconds']:.1f} s and {large['peak_bytes'] / 1e9:.1f} GB.\n\n" + _goals(rows, large)
    )


def _goals(rows: dict[str, Any], large: dict[str, Any]) -> str:
    goals = [
        ("`exact`, s a step", 15.0, rows["exact"]["seconds"], "s"),
        ("`exact`, memory", 5.0, rows["exact"]["peak_bytes"] / 1e9, "GB"),
        ("`default`, s a step", 2.0, rows["default"]["seconds"], "s"),
        ("`default`, memory", 2.0, rows["default"]["peak_bytes"] / 1e9, "GB"),
        ("`default` at batch 64, memory", 8.0, large["peak_bytes"] / 1e9, "GB"),
    ]
    return "The project's goals, met or not:\n\n" + markdown_table(
        ["goal", "at most", "measured", ""],
        [
            [name, f"{most:.0f} {unit}", f"{found:.1f} {unit}", verdict(found, most)]
            for name, most, found, unit in goals
        ],
    )


def _options(options: dict[str, Any]) -> str:
    return ", ".join(f"`{key}: {json.dumps(value)}`" for key, value in options.items())


def _profile(own: dict[str, Any]) -> str:
    limits = own["limits"]
    rows = own["variants"]
    least = markdown_table(
        ["variant", "operations", "GB moved", "GFLOP", *(f"{name}, s" for name in bounds(rows[0], limits))],
        [
            [
                f"`{row['name']}`",
                f"{row['operations']:,}",
                f"{row['bytes'] / 1e9:.0f}",
                f"{row['flops'] / 1e9:.0f}",
                *(f"{seconds:.1f}" for seconds in bounds(row, limits).values()),
            ]
            for row in rows
        ],
    )
    families = list(dict.fromkeys(family for row in rows for family in row["seconds_by_family"]))
    shares = markdown_table(
        ["family", *(f"`{row['name']}`" for row in rows)],
        [[family, *(_share(row, family) for row in rows)] for family in families],
    )
    return (
        f"The machine multiplies matrices at {limits['flops_per_second'] / 1e9:.0f} GFLOP/s, copies "
        f"{limits['bytes_per_second'] / 1e9:.0f} GB/s (reads and writes counted), and takes "
        f"{limits['seconds_a_call'] * 1e6:.0f} microseconds for an operation on eight numbers with its gradient. "
        "Counted "
        "over a step, each of the three limits alone would ask for:\n\n"
        f"{least}\n\n"
        "Memory traffic counts every operand of every operation as if no cache held it, so that the true bound is "
        "lower. "
        "The time itself, as the profiler shares it out over a step:\n\n"
        f"{shares}\n\n"
        "In `exact` the library's LSTM layers and the products of the recurrences carry most of the time; they are as "
        "many as the method asks for. In `default` no family dominates: thousands of small operations, each a few "
        "frames of a few channels, cost their calls and their autograd bookkeeping rather than arithmetic."
    )


def _share(row: dict[str, Any], family: str) -> str:
    total = sum(row["seconds_by_family"].values())
    return f"{row['seconds_by_family'].get(family, 0.0) / total:.0%}, {row['calls_by_family'].get(family, 0):,} calls"


def _search(own: dict[str, Any]) -> str:
    first = own["rows"][0]
    table = markdown_table(
        ["variant", "s", "times as fast", "GB"],
        [
            [
                row["name"],
                f"{row['seconds']:.0f}",
                f"{first['seconds'] / row['seconds']:.1f}",
                f"{row['peak_bytes'] / 1e9:.1f}",
            ]
            for row in own["rows"]
        ],
    )
    return (
        f"Preset `{own['preset']}` on `{own['corpus']}`, fold 0, {first['epochs']} epochs, from reading the manifest "
        "to the "
        f"architecture:\n\n{table}"
    )


def _accuracy(own: dict[str, Any]) -> str:
    whole, *smaller = own["variants"]
    table = markdown_table(
        [
            "fold",
            "seed",
            f"`{whole}`, test UAR",
            *(f"`{name}`" for name in smaller),
            f"search, CPU s: `{whole}`",
            *(f"`{name}`" for name in smaller),
        ],
        [
            [
                str(pair["fold"]),
                str(pair["seed"]),
                *(f"{pair[name]['test_uar']:.3f}" for name in own["variants"]),
                *(f"{pair[name]['search_cpu_seconds']:.0f}" for name in own["variants"]),
            ]
            for pair in own["pairs"]
        ],
    )
    lines = "\n".join(f"- {_paired(name, whole, found)}" for name, found in own["differences"].items())
    then = "" if own.get("preset") == preset_settings() else " The preset has changed since these were computed."
    return (
        "Preset `compact` on EMO-DB (four classes, leave one speaker out), searched anew inside each fold, then "
        f"retrained alike: by the whole supernet (`{whole}`), and by the smaller ones that presets `compact` "
        "(`search.coarseness=2`) and `paper` (`search.coarseness=3`) ship, both with `partial_channels` and "
        f"`shared_depth`.{then}\n\n{table}\n\n{lines}"
    )


def _paired(name: str, whole: str, found: dict[str, Any]) -> str:
    """What the paired differences of a smaller supernet say."""
    count = len(found["each"])
    error = found["standard_deviation"] / count**0.5
    least = float(stdtrit(count - 1, 0.975)) * error  # of a paired t test at 5 %
    verdict = "no difference is seen" if abs(found["mean"]) < least else "the difference is more than chance"
    return (
        f"`{name}` less `{whole}`: mean {found['mean']:+.3f}, standard error {error:.3f} over {count} pairs, so that "
        f"{verdict}; a single pair spreads by {found['standard_deviation']:.3f}."
    )


def _features(own: dict[str, Any]) -> str:
    table = markdown_table(
        ["preset", "features", "what", "times real time", "MB"],
        [
            [
                f"`{row['preset']}`",
                row["kind"],
                row["name"],
                f"{row['times_real_time']:,.0f}",
                f"{row['peak_bytes'] / 1e6:.0f}",
            ]
            for row in own["rows"]
        ],
    )
    return f"Recordings of `{own['recordings']}`, FLAC; the goal is {own['goal']} times real time a core:\n\n{table}"


def _loading(own: dict[str, Any]) -> str:
    first = own["rows"][0]
    table = markdown_table(
        ["batches", "utterances a second", "padding"],
        [[row["name"], f"{row['utterances_per_second']:,.0f}", f"{row['padding']:.0%}"] for row in own["rows"]],
    )
    return (
        f"A pass over `{own['corpus']}` ({first['utterances']} utterances, features in the store, augmented) in "
        "batches "
        f"of {own['batch_size']}. What is padding is computed by the network for nothing:\n\n{table}"
    )


def _corpus_size(own: dict[str, Any]) -> str:
    first = own["sizes"][0]
    table = markdown_table(
        ["utterances", "MB", "of the first", "extraction, s", "search epoch, s"],
        [
            [
                f"{row['utterances']:,}",
                f"{row['peak_bytes'] / 1e6:.0f}",
                f"{row['peak_bytes'] / first['peak_bytes']:.3f}",
                f"{row['extraction_seconds']:.0f}",
                f"{row['epoch_seconds']:.0f}" if "epoch_seconds" in row else "not waited for",
            ]
            for row in own["sizes"]
        ],
    )
    return (
        f"Made utterances of half a second, a file each; memory of a search of {own['steps']} steps (preset `tiny`) "
        "that "
        f"reads the whole corpus, time of a whole epoch:\n\n{table}"
    )


def _start_up(own: dict[str, Any]) -> str:
    table = markdown_table(["command", "s"], [[row["name"], f"{row['seconds']:.2f}"] for row in own["rows"]])
    return f"From the start of a process to its end:\n\n{table}"


if __name__ == "__main__":
    main()
