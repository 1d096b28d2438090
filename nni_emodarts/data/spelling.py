"""Labels and file names that look the same: those that must be one are one, those that may be are named.

Spreadsheets, Macs and keyboards leave the same word behind in several forms: an umlaut as one character or two (NFC,
NFD), a blank that has no width, `Anger` and `anger`, `01` and `1`.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping

import pandas as pd

_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200e\u200f\u2060\ufeff"))
"""Characters without width or meaning of their own: soft hyphen, blank of no width, marks of direction, joiner."""
_WHOLE = re.compile(r"(\d+)\.0+")
_ZEROS = re.compile(r"\d+")
_APART = re.compile(r"[\s_\-./\\]+")


def look(text: str) -> str:
    """What a text looks like: two with the same look cannot be distinguished, so that they are one."""
    return " ".join(unicodedata.normalize("NFC", text.translate(_INVISIBLE)).split())


def likeness(text: str) -> str:
    """What texts have in common that are most likely one: without case, leading zeros, and kinds of separators."""
    plain = unicodedata.normalize("NFKC", look(text)).casefold().strip("\"'")
    plain = _WHOLE.sub(r"\1", plain) if _WHOLE.fullmatch(plain) else plain
    return _ZEROS.sub(lambda digits: digits[0].lstrip("0") or "0", _APART.sub("_", plain))


def groups(texts: Iterable[str], key: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Those of several texts that share a key, each group sorted."""
    found: dict[str, list[str]] = {}
    for text in sorted(texts):
        found.setdefault(key[text], []).append(text)
    return [tuple(group) for group in found.values() if len(group) > 1]


def unify(labels: "pd.Series[str]") -> tuple["pd.Series[str]", list[str]]:
    """Give labels of the same look one spelling, where there are several.

    Args:
        labels: (n,).

    Returns:
        The labels, and of each that was spelled in several ways its spellings with their numbers.
    """
    counts = labels.value_counts()
    spelled = groups(counts.index, {text: look(text) for text in counts.index})
    if not spelled:
        return labels, []
    one = {text: look(text) for group in spelled for text in group}
    listed = [
        f"{look(group[0])!r} in {len(group)} forms ({', '.join(f'{text!a}: {counts[text]}' for text in group)})"
        for group in spelled
    ]
    return labels.map(lambda text: one.get(text, text)), listed


def nearly_alike(labels: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of different labels that are most likely one."""
    known = [label for label in set(labels) if label]
    return groups(known, {label: likeness(label) for label in known})


def match(asked: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Of names that are asked for, those that are known in another spelling of the same look, with that spelling."""
    by_look = {look(name): name for name in known}
    there = set(known)
    return {name: by_look[look(name)] for name in asked if name not in there and look(name) in by_look}
