"""What a model card says of figures on corpora besides the network's own."""

from collections.abc import Iterator

from nni_emodarts.metrics.notation import count_text, figure_text, interval_text
from nni_emodarts.metrics.shown import shown_figures
from nni_emodarts.runtime.plain_data import JsonMapping
from nni_emodarts.runtime.plain_text import markdown


def results_elsewhere(figures: JsonMapping) -> Iterator[str]:
    """A line for each further corpus and headline of a run's figures."""
    for name, own in figures.get("other_corpora", {}).items():
        overlap = ", ".join(map(markdown, own.get("overlap", ())))
        mark = f"; **not honest**: it shares speakers {overlap} with the training" if overlap else ""
        for shown in shown_figures(own):
            wide = "no interval of so few speakers"
            if shown.interval is not None:
                wide = f"95 % interval {interval_text(shown.interval)}"
            yield (
                f"- On another corpus, {markdown(name)}: {shown.headline.name} {figure_text(shown.value, shown.std)} "
                f"({wide}), {markdown(shown.beside)}, {count_text(own['utterances'], 'utterance')}{mark}"
            )
