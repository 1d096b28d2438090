"""What a model card says of a network that tells classes apart: recalls, an interval, distance from votes."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from nni_emodarts.deploy.card_of_dimensions import FEWEST_SPEAKERS
from nni_emodarts.metrics.intervals import bootstrap_uar, gather_speakers, speaker_confusions, stack_speakers
from nni_emodarts.metrics.notation import count_text, figure_text
from nni_emodarts.metrics.scores import recalls
from nni_emodarts.runtime.plain_data import JsonMapping
from nni_emodarts.runtime.plain_text import markdown


def uar_interval(table: pd.DataFrame, labels: tuple[str, ...]) -> tuple[float, float] | None:
    """95 % interval of the UAR of test predictions over their speakers; None where there are too few."""
    if table["speaker"].nunique() < FEWEST_SPEAKERS:
        return None
    by_seed = [
        gather_speakers((fold, speaker_confusions(part, labels)) for fold, part in rows.groupby("fold"))
        for _, rows in table.groupby("seed")
    ]
    try:
        return bootstrap_uar(stack_speakers(by_seed))
    except ValueError:  # seeds that were scored on different speakers
        return None


def vote_results(figures: JsonMapping) -> Iterator[str]:
    """How far answers are from annotators' votes, where those were learnt."""
    if "test_js" in figures:
        count = count_text(figures["test_voted_utterances"], "test utterance")
        kl, js = figure_text(figures["test_kl"]), figure_text(figures["test_js"])
        yield f"- Distance from annotators' votes, {count}: KL divergence {kl} nats, Jensen-Shannon {js} of 1"


def recall_table(table: pd.DataFrame, labels: tuple[str, ...], unknown: str) -> Iterator[str]:
    """Recall of each emotion, of all test utterances and by gender; or why that is not known."""
    groups = {"all": table, **{gender: rows for gender, rows in table.groupby("gender") if gender}}
    columns = {markdown(str(name)): _recalls(rows, labels) for name, rows in groups.items()}
    yield "| recall | " + " | ".join(columns) + " |"
    yield "|---|" + "---:|" * len(columns)
    for number, label in enumerate(labels):
        yield f"| {markdown(label)} | " + " | ".join(figure_text(found[number]) for found in columns.values()) + " |"
    yield "| **UAR** | " + " | ".join(figure_text(_mean(found)) for found in columns.values()) + " |"
    if not table["gender"].any():
        yield f"\nRecall by gender is not known: {unknown}."


def _recalls(table: pd.DataFrame, labels: tuple[str, ...]) -> np.ndarray:
    """(K,) recall of each class, mean over the seeds."""
    index = pd.Index(labels)
    by_seed = [
        recalls(
            index.get_indexer(pd.Index(rows["emotion"])), index.get_indexer(pd.Index(rows["predicted"])), len(index)
        )
        for _, rows in table.groupby("seed")
    ]
    return np.asarray(np.mean(by_seed, axis=0))


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
