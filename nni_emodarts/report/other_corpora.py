"""A run's figures on corpora that its networks were not trained on."""

from typing import TypedDict

from nni_emodarts.metrics.shown import Shown, shown_figures
from nni_emodarts.report.runs import Run
from nni_emodarts.runtime.run_folder import METRICS, RunFolder


class CorpusRow(TypedDict):
    """A row of the table: a headline of one corpus, over all networks of the run."""

    name: str
    shown: Shown
    utterances: int
    networks: int
    overlap: list[str]


def corpus_rows(run: Run) -> list[CorpusRow]:
    """The rows; none of a run that was scored on its own corpus alone."""
    folder = RunFolder(run.path)
    found = folder.read_json(METRICS).get("other_corpora", {}) if folder.has(METRICS) else {}
    return [
        CorpusRow(
            name=str(name),
            shown=shown,
            utterances=own["utterances"],
            networks=own["networks"],
            overlap=list(own.get("overlap", ())),
        )
        for name, own in found.items()
        for shown in shown_figures(own)
    ]
