"""Speakers whose own mean says what they feel rather than who they are: where there are many, it must not be taken."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.fold_choice import FoldChoice
from nni_emodarts.data.manifest import Manifest
from nni_emodarts.data.protocols import Fold, Rows, make_folds
from nni_emodarts.errors import UnfitSpeakers

FEWEST = 6
"""Recordings that a speaker has at least: each is normalised by the others, and five is where that begins to help."""
ONE_EMOTION = 0.9
"""Share of a speaker's recordings from which on they show one emotion."""
TOO_MANY = 0.2
"""Largest share of unfit speakers among the training speakers."""


@dataclass(frozen=True)
class Unfit:
    """A speaker who is unfit for speaker normalisation.

    Attributes:
        speaker: the name, or what stands for all recordings of speakers who are not known.
        recordings: how many there are.
        reason: why.
    """

    speaker: str
    recordings: int
    reason: str


def find_unfit(manifest: Manifest, rows: Rows) -> tuple[list[Unfit], int]:
    """Unfit speakers of rows, those with most recordings first, and the number of all speakers.

    Each recording of an unknown speaker counts as a speaker, as in protocols. Where only dimensions are learnt, a
    speaker is judged by those emotions that are known.
    """
    table, classes = manifest.table.iloc[rows], bool(manifest.classes)
    known = table[table["speaker"] != ""]
    found = [unfit for name, own in known.groupby("speaker") if (unfit := _judge(str(name), own["emotion"], classes))]
    unknown = len(table) - len(known)
    if unknown:
        found.append(Unfit("(not known)", unknown, "speaker not known"))
    return sorted(found, key=lambda each: -each.recordings), known["speaker"].nunique() + unknown


def _judge(name: str, emotions: "pd.Series[str]", classes: bool) -> Unfit | None:
    told = emotions if classes else emotions[emotions != ""]
    counts = told.value_counts()
    most, count = (str(counts.index[0]) or "without a majority", int(counts.iloc[0])) if len(counts) else ("", 0)
    if count >= ONE_EMOTION * len(told) and (classes or len(told) >= FEWEST):
        shows = f"{most} alone" if count == len(told) else f"{count} of {len(told)} are {most}"
        return Unfit(name, len(emotions), shows)
    if len(emotions) < FEWEST:
        return Unfit(name, len(emotions), f"fewer than {FEWEST} recordings")
    return None


def refuse_unfit(config: ExperimentConfig, manifest: Manifest, folds: Sequence[Fold]) -> None:
    """Refuse to normalise by speaker where too many training speakers of a fold are unfit for it.

    Raises:
        UnfitSpeakers: there are; the message holds the table of them.
    """
    if not config.speaker_adapted or config.features.unfit_speakers == "allow":
        return
    for fold in folds:
        unfit, count = find_unfit(manifest, fold.train)
        number = sum(each.recordings if each.speaker == "(not known)" else 1 for each in unfit)
        if number > TOO_MANY * count:
            rows = [(each.speaker, str(each.recordings), each.reason) for each in unfit]
            raise UnfitSpeakers(rows, number, count, TOO_MANY)


def checked_folds(config: ExperimentConfig, manifest: Manifest, indices: FoldChoice | None = None) -> list[Fold]:
    """Folds of the configuration's protocol, whose training speakers may be normalised as it says.

    Raises:
        ProtocolError: as for `make_folds`.
        UnfitSpeakers: as for `refuse_unfit`.
    """
    folds = make_folds(manifest, config.data.protocol, indices)
    refuse_unfit(config, manifest, folds)
    return folds
