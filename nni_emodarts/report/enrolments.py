"""Figures of a speaker-adapted run by enrolment, as a page shows them."""

from dataclasses import dataclass

import numpy as np

from nni_emodarts.metrics.enrolment import enrolment_figures
from nni_emodarts.metrics.intervals import uar_of_confusion
from nni_emodarts.report.runs import Run


@dataclass(frozen=True)
class EnrolmentRow:
    """A figure by one enrolment.

    Attributes:
        name: of the enrolment.
        recordings: how many recordings of the speaker it has.
        uar: pooled test UAR, mean over the seeds.
    """

    name: str
    recordings: str
    uar: float


def enrolment_rows(run: Run) -> list[EnrolmentRow]:
    """A run's figures by enrolment, the headline first; none of one that is not speaker-adapted."""
    if run.predictions is not None:
        found = enrolment_figures(run.predictions, run.classes).get("enrolment", {})
        return [EnrolmentRow(name, _many(each["k"]), each["test_uar"]) for name, each in found.items()]
    enrolled = [network.metrics.get("enrolled") for network in run.networks]
    if not run.networks or not all(enrolled):
        return []
    return [EnrolmentRow(name, _many(k), _uar(run, name)) for name, k in (enrolled[0] or {}).items()]


def _many(k: dict[str, float]) -> str:
    return f"{k['least']}" if k["least"] == k["most"] else f"{k['least']} to {k['most']}"


def _uar(run: Run, name: str) -> float:
    """Of a benchmark's cells, which hold confusions."""
    uars = []
    for seed in run.seeds:
        own = [network for network in run.networks if network.seed == seed]
        matrices = [network.metrics.get("enrolment", {}).get(name, network.speakers) for network in own]
        total = np.sum([np.asarray(counts) for each in matrices for counts in each.values()], axis=0)
        uars.append(float(uar_of_confusion(total)))
    return float(np.mean(uars))
