"""Figures on other corpora, as the console shows them."""

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from nni_emodarts.cli import console
from nni_emodarts.metrics.notation import figure_text, interval_text
from nni_emodarts.metrics.shown import shown_figures
from nni_emodarts.runtime.plain_data import JsonMapping

if TYPE_CHECKING:
    from nni_emodarts.metrics.summaries import BenchmarkSummary


def show_corpora_figures(corpora: JsonMapping, track: JsonMapping, confusions: bool = True) -> None:
    """Print a row for each corpus and headline, then its confusion: true classes by row.

    Args:
        corpora: name -> figures, as `nni_emodarts.metrics.other_corpora.network_figures` gives them.
        track: what states the track of the networks.
        confusions: whether the confusions follow.
    """
    table = Table(title=f"Other corpora{console.of_track(track)}", title_justify="left")
    for column in ("corpus", "figure", "", "95 % over speakers", "beside", "utterances", "speakers", "networks"):
        table.add_column(column, justify="left" if column in ("corpus", "figure", "beside") else "right")
    for name, own in corpora.items():
        for shown in shown_figures(own):
            table.add_row(
                escape(name),
                shown.headline.name,
                figure_text(shown.value, shown.std),
                "-" if shown.interval is None else interval_text(shown.interval),
                escape(shown.beside),
                *(str(own[key]) for key in ("utterances", "speakers", "networks")),
            )
    console.out.print(table)
    for name, own in corpora.items():
        if confusions and "confusion" in own:
            _show_confusion(name, own)
        if own.get("overlap"):
            speakers = ", ".join(own["overlap"])
            console.show_line(f"NOT HONEST: {name} shares speakers {speakers} with the training", style="bold red")


def show_methods_elsewhere(summary: "BenchmarkSummary") -> None:
    """Print a row for each corpus and method of a benchmark that was scored on further corpora."""
    found = {
        f"{name}, {method.name}": own
        for method in (*summary.methods, *(summary.rated or ()))
        for name, own in (method.other_corpora or {}).items()
    }
    if found:
        show_corpora_figures(found, summary.to_data(), confusions=False)


def _show_confusion(name: str, own: JsonMapping) -> None:
    classes = list(own["recall"])
    table = Table(title=escape(f"{name}: true class by row, answer by column"), title_justify="left")
    for column in ("", *classes, "recall"):
        table.add_column(escape(column), justify="right" if column else "left")
    for label, counts in zip(classes, own["confusion"], strict=True):
        recall = own["recall"][label]
        table.add_row(escape(label), *map(str, counts), "-" if recall is None else figure_text(recall))
    console.out.print(table)
