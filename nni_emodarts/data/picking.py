"""Which utterances of a manifest are kept: classes are picked and merged, and with them annotators' votes."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from nni_emodarts.config import MOST_CLASSES, nearest
from nni_emodarts.data.dimensions import Wanted
from nni_emodarts.data.spelling import look, match
from nni_emodarts.data.table import SHOWN, enumerate_some
from nni_emodarts.data.votes import keep_votes, merge_votes

REQUIRED = ("file", "emotion", "speaker")
"""Columns that every manifest has."""


@dataclass(frozen=True)
class Choice:
    """What is read of a manifest.

    Attributes:
        emotions: the classes to keep, after merging, in this order; all of them, sorted, where absent.
        merge: emotion of the file -> the emotion that it counts as.
        dimensions: the columns of numbers; none where absent.
        undecided: whether utterances with votes and no emotion are kept, on which annotators did not agree.
        joined: whether classes and votes are picked later, of several manifests together.
    """

    emotions: Sequence[str] | None = None
    merge: Mapping[str, str] = field(default_factory=dict)
    dimensions: Wanted | None = None
    undecided: bool = False
    joined: bool = False

    @property
    def needs_emotions(self) -> bool:
        """Whether each utterance has one of several emotions."""
        return self.dimensions is None or not self.dimensions.alone

    @property
    def required(self) -> tuple[str, ...]:
        """Columns that the file must have, besides those of dimensions."""
        return tuple(name for name in REQUIRED if name != "emotion" or self.needs_emotions)


@dataclass(frozen=True, eq=False)
class Picked:
    """Utterances of the chosen classes; attributes as of `Manifest`, and what is wrong with the choice."""

    table: pd.DataFrame
    votes: pd.DataFrame | None
    classes: tuple[str, ...]
    faults: Sequence[str]
    notes: Sequence[str]


def pick(table: pd.DataFrame, votes: pd.DataFrame | None, choice: Choice) -> Picked:
    """The utterances of the chosen classes under their merged names, and their votes.

    Args:
        table: all of them.
        votes: theirs by class (n, any); None where there are none.
        choice: the classes.
    """
    notes: list[str] = []
    if votes is not None:
        votes, merge = merge_votes(votes, sorted(set(table["emotion"]) - {""}), choice.merge)
        choice = replace(choice, merge=merge)
    undecided = votes is not None and votes.to_numpy().any() and (table["emotion"] == "").all()
    table, classes, faults = pick_classes(table, choice)
    if undecided and choice.needs_emotions and not choice.joined:
        faults.append(
            "no utterance has an emotion, and classes are those of some; fill in those that annotators agreed on"
        )
    if votes is not None and not choice.joined:
        table, votes, notes = keep_votes(table, votes, classes, choice.undecided)
    return Picked(table, votes, classes, faults, notes)


def pick_classes(table: pd.DataFrame, choice: Choice) -> tuple[pd.DataFrame, tuple[str, ...], list[str]]:
    """Rows of the chosen emotions under their merged names, the classes, and the faults of the choice."""
    known = set(table["emotion"]) - {""}
    if not (known if choice.needs_emotions else choice.emotions or choice.merge):
        return table, (), []
    emotions, merge = choice.emotions, choice.merge
    spelled = match([*merge, *merge.values()], known)
    faults = [f"merge: {name!r} is there in several spellings; keep one" for name in _twice(map(look, merge))]
    merge = {spelled.get(name, name): spelled.get(target, target) for name, target in merge.items()}
    faults += _unknown("merge", merge, known)
    faults += [f"merge: {name!r} counts as nothing; name an emotion" for name, target in merge.items() if not target]
    table = table.assign(emotion=[merge.get(name, name) for name in table["emotion"]])
    merged = {merge.get(name, name) for name in known}
    spelled = match(emotions or (), merged)
    classes = tuple(sorted(merged) if emotions is None else (spelled.get(name, name) for name in emotions))
    faults += _unknown("emotions", classes, merged)
    if len(set(classes)) < len(classes):
        faults.append(f"emotions: {enumerate_some(classes)} names one twice")
    if not choice.needs_emotions:
        return table if emotions is None else table[table["emotion"].isin(classes)], (), faults
    if len(set(classes)) < 2:
        kept = f"only the class {classes[0]!r}" if classes else "no class"
        faults.append(f"{kept} is left of {enumerate_some(sorted(known))}; a recogniser needs at least two")
    if len(set(classes)) > MOST_CLASSES:
        faults.append(
            f"column 'emotion' holds {len(set(classes)):,} classes, more than the {MOST_CLASSES:,} that a network can "
            f"tell apart; name another column emotion, or pick classes by emotions"
        )
    # Blank emotions stay: they are a fault that is reported, never a reason to drop a line.
    return table[table["emotion"].isin([*classes, ""])], classes, faults


def _unknown(what: str, names: Iterable[str], known: Collection[str]) -> list[str]:
    """Faults of names that no utterance has; the first of them with what may be meant."""
    lost = [name for name in names if name not in known]
    more = [f"{what}: and {len(lost) - SHOWN} more that no utterance is"] if len(lost) > SHOWN else []
    return [f"{what}: no utterance is {name!r}{nearest(name, known)}" for name in lost[:SHOWN]] + more


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
