"""What a benchmark found, printed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from nni_emodarts.cli.console import of_track, out, show_line
from nni_emodarts.metrics.notation import (
    count_text,
    figure_text,
    interval_text,
    millions_text,
    p_text,
    signed_text,
    whole_text,
)

if TYPE_CHECKING:
    from nni_emodarts.metrics.comparisons import Comparison
    from nni_emodarts.metrics.rated import RatedSummary
    from nni_emodarts.metrics.summaries import BenchmarkSummary


def show_comparison(summary: "BenchmarkSummary") -> None:
    """Print a benchmark: a row for each method."""
    track = of_track(summary.to_data())
    if summary.rated:
        _show_rated(summary, summary.rated, track)
        return
    seeds = max(len(method.seeds) for method in summary.methods)
    title = f"{escape(summary.name)}: UAR of the pooled test predictions, {count_text(seeds, 'seed')}{track}"
    table = Table(title=title)
    for column in ("method", "UAR", "95 % interval", "WA", "parameters", "MFLOPs", "CPU s"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for method in summary.methods:
        table.add_row(
            method.name,
            figure_text(method.uar_mean, method.uar_std),
            interval_text(method.uar_interval),
            figure_text(method.wa_mean),
            whole_text(method.parameters),
            millions_text(method.flops),
            whole_text(method.cpu_seconds),
        )
    out.print(table)
    for method in summary.methods:
        for name, found in (method.enrolment or {}).items():
            k = f"k = {found.least} to {found.most}, mean {found.mean:g}"
            show_line(f"{method.name}, speaker-adapted, enrolment {name} ({k}): UAR {figure_text(found.uar_mean)}")
    if summary.comparisons:
        _show_differences(summary.comparisons, track)


def _show_rated(summary: "BenchmarkSummary", methods: "Sequence[RatedSummary]", track: str) -> None:
    """Print a benchmark whose methods learn dimensions."""
    figure = "CCC" if methods[0].figure == "ccc" else "UAR and CCC"
    title = f"{escape(summary.name)}: {figure} of the pooled test predictions{track}"
    table, names = Table(title=title), list(methods[0].ccc)
    told = ["UAR"] if methods[0].uar_mean is not None else []
    for column in ("method", figure, "95 % interval", *told, *(f"CCC {name}" for name in names), "parameters", "CPU s"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for method in methods:
        table.add_row(
            method.name,
            figure_text(method.mean, method.std),
            interval_text(method.interval),
            *([figure_text(method.uar_mean)] if told else []),
            *(figure_text(method.ccc[name]) for name in names),
            whole_text(method.parameters),
            whole_text(method.cpu_seconds),
        )
    out.print(table)
    if summary.comparisons:
        _show_differences(summary.comparisons, track, figure)


def _show_differences(comparisons: "Sequence[Comparison]", track: str, figure: str = "UAR") -> None:
    """Print each method against the reference."""
    table = Table(title=f"{figure} less that of {comparisons[0].reference}, p by swapping whole speakers{track}")
    for column in ("method", "difference", "95 % interval", "p", "p (Holm)"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for found in comparisons:
        table.add_row(
            found.method,
            signed_text(found.difference),
            interval_text(found.interval, signed=True),
            p_text(found.p),
            p_text(found.p_holm),
        )
    out.print(table)
