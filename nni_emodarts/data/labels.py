"""Labels of a manifest as people write them: one spelling for one look, and notes of what is most likely a slip."""

from collections.abc import Iterator

import pandas as pd

from nni_emodarts.config import shorten
from nni_emodarts.data.spelling import nearly_alike, unify
from nni_emodarts.data.table import enumerate_some

GENDERS = {"m": "male", "male": "male", "man": "male", "f": "female", "female": "female", "woman": "female"}

_SPELLED = ("emotion", "speaker", "session", "split")
"""Columns in which texts of one look are one."""


def unify_labels(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Labels of one look in one spelling, and notes of those that had several."""
    notes = []
    for name in _SPELLED:
        labels, listed = unify(table[name])
        if listed:
            table = table.assign(**{name: labels})
            notes.append(f"{name}: {enumerate_some(listed)} counts as one; spell it alike")
    return table, notes


def likeness_notes(table: pd.DataFrame) -> Iterator[str]:
    """Labels that are most likely one, but are not taken for it."""
    for name, remedy in (
        ("emotion", "where they are one class, spell them alike, or merge them by data.merge (--merge of prepare)"),
        ("speaker", "where they are one person, who must not be on both sides of a fold, spell them alike"),
        ("session", "where they are one session, spell them alike"),
    ):
        counts = table[name].value_counts()
        listed = [
            " and ".join(f"{label!r} ({counts[label]} line{'s' if counts[label] > 1 else ''})" for label in group)
            for group in nearly_alike(counts.index)
        ]
        if listed:
            yield f"{name}: {enumerate_some(listed)} look alike and count as different; {remedy}"


def gender_notes(source: pd.DataFrame) -> Iterator[str]:
    """Words for genders that are not understood."""
    if list(source.columns).count("gender") != 1:
        return
    words = source["gender"].str.strip()
    counts = words[~words.str.lower().isin([*GENDERS, "", "unknown"])].value_counts()
    if len(counts):
        listed = (f"{shorten(word)} ({number} line{'s' if number > 1 else ''})" for word, number in counts.items())
        yield f"gender: {enumerate_some(listed)} count as unknown; male, man or m and female, woman or f are understood"
