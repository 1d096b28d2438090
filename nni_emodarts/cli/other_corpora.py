"""Figures on other corpora, as the console shows them."""

from rich.markup import escape
from rich.table import Table

from nni_emodarts.cli import console
from nni_emodarts.metrics.notation import figure_text, interval_text
from nni_emodarts.runtime.plain_data import JsonMapping


def show_corpora_figures(corpora: JsonMapping, track: JsonMapping) -> None:
    """Print a row for each corpus, then its confusion: true classes by row.

    Args:
        corpora: name -> figures, as `nni_emodarts.metrics.other_corpora.corpus_figures` gives them.
        track: what states the track of the networks.
    """
    table = Table(title=f"Other corpora, none of which was learnt from{console.of_track(track)}", title_justify="left")
    for column in ("corpus", "UAR", "95 % over speakers", "WA", "macro F1", "utterances", "speakers", "networks"):
        table.add_column(column, justify="left" if column == "corpus" else "right")
    for name, own in corpora.items():
        interval = own["test_uar_interval"]
        table.add_row(
            escape(name),
            figure_text(own["test_uar"], own["test_uar_std"]),
            "-" if interval is None else interval_text(interval),
            *(figure_text(own[key]) for key in ("test_wa", "test_macro_f1")),
            *(str(own[key]) for key in ("utterances", "speakers", "networks")),
        )
    console.out.print(table)
    for name, own in corpora.items():
        _show_confusion(name, own)
        if own.get("overlap"):
            speakers = ", ".join(own["overlap"])
            console.show_line(f"NOT HONEST: {name} shares speakers {speakers} with the training", style="bold red")


def _show_confusion(name: str, own: JsonMapping) -> None:
    classes = list(own["recall"])
    table = Table(title=escape(f"{name}: true class by row, answer by column"), title_justify="left")
    for column in ("", *classes, "recall"):
        table.add_column(escape(column), justify="right" if column else "left")
    for label, counts in zip(classes, own["confusion"], strict=True):
        recall = own["recall"][label]
        table.add_row(escape(label), *map(str, counts), "-" if recall is None else figure_text(recall))
    console.out.print(table)
