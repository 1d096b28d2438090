"""Votes: how many annotators heard which emotion in each utterance of a manifest.

A manifest gives them as JSON in the column `votes` (`{"anger": 2, "neutral": 1}`) or as a column a class
(`vote_anger`, `vote_neutral`). They need not be whole: a secondary label may count less than a primary one.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from nni_emodarts.config import nearest, shorten
from nni_emodarts.data.spelling import look, match
from nni_emodarts.data.table import enumerate_some, name_lines

VOTES = "votes"
"""Column of JSON: emotion -> number of votes."""
PREFIX = "vote_"
"""How columns of single classes begin."""
_MOST = 1e6
"""Votes of an utterance for a class at most."""


class _Unreadable(Exception):  # noqa: N818 - never leaves this module
    """What is wrong with a cell."""


def vote_columns(columns: Sequence[str]) -> list[str]:
    """Those columns of a file that hold votes."""
    return [name for name in columns if name == VOTES or (name.startswith(PREFIX) and len(name) > len(PREFIX))]


def read_votes(source: pd.DataFrame) -> tuple[pd.DataFrame | None, list[str]]:
    """The votes of a file's rows.

    Args:
        source: cells of text, numbered by lines.

    Returns:
        Votes by class (n, classes), a row without any being zero, or None where the file has no such columns; and the
        faults.
    """
    names = vote_columns(list(source.columns))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        return None, [f"column {name!r} is there {names.count(name)} times; keep one" for name in twice]
    if VOTES in names and len(names) > 1:
        others = enumerate_some(name for name in names if name != VOTES)
        return None, [f"votes are given in column {VOTES!r} and in {others}; keep one form"]
    if not names:
        return None, []
    return _from_json(source[VOTES]) if VOTES in names else _from_columns(source[names])


def encode_votes(votes: pd.DataFrame) -> list[str]:
    """The cells of the column `votes`, blank where a row has none; whole votes are written as whole numbers."""
    names = [str(name) for name in votes.columns]
    return [
        json.dumps({name: _shortest(float(number)) for name, number in zip(names, row, strict=True) if number})
        if row.any()
        else ""
        for row in votes.to_numpy(np.float64)
    ]


def merge_votes(
    votes: pd.DataFrame, known: Sequence[str], merge: Mapping[str, str]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Votes by the classes that theirs count as.

    Args:
        votes: by the file's classes.
        known: the file's emotions, whose spelling decides.
        merge: emotion -> the emotion that it counts as.

    Returns:
        The merged votes, and the merging of those emotions that are more than votes.
    """
    spelled = match(votes.columns, known)
    names = [spelled.get(each, each) for each in votes.columns]
    of_look = {look(name): target for name, target in merge.items()}
    merged = [of_look.get(look(name), name) for name in names]
    spelled = match(merged, known)
    table = votes.set_axis(pd.Index([spelled.get(name, name) for name in merged], dtype=object), axis=1)
    voted = {look(name) for name in names} - {look(name) for name in known}
    return table.T.groupby(level=0, sort=True).sum().T, {
        name: target for name, target in merge.items() if look(name) not in voted
    }


def for_classes(votes: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Votes (n, any) without those for what is none of some classes."""
    return votes[[name for name in votes.columns if name in classes]]


def keep_votes(
    table: pd.DataFrame, votes: pd.DataFrame, classes: Sequence[str], undecided: bool
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """The rows that are kept with their votes, and what of the votes is missing or not used.

    Args:
        table: rows of the kept emotions, and those without an emotion, which have votes.
        votes: of all rows of the file, by class.
        classes: that are kept.
        undecided: whether rows without an emotion are kept, where they have votes for the classes.
    """
    blank = table["emotion"] == ""
    voted = for_classes(votes.loc[table.index], classes).any(axis=1)
    notes = []
    kept = table[~blank | (voted & undecided)]
    open_, lost = int((blank & voted).sum()), int((blank & ~voted).sum())
    if open_ and not undecided:
        notes.append(
            f"votes: annotators did not agree on {_utterances(open_)}, which are left out; retrain.targets: votes "
            f"learns from them"
        )
    if lost and undecided:
        notes.append(
            f"votes: {_utterances(lost)} without an emotion {_have(lost)} votes for none of the classes; left out"
        )
    votes = votes.loc[kept.index]
    return kept, votes, [*notes, *_vote_notes(votes, kept["emotion"], classes)]


def _vote_notes(votes: pd.DataFrame, emotions: "pd.Series[str]", classes: Sequence[str]) -> Iterator[str]:
    """What of the votes (n, any) of kept rows is not used, or is missing."""
    none = int((~for_classes(votes, classes).any(axis=1) & (emotions != "")).sum())
    if none:
        yield f"votes: {_utterances(none)} {_have(none)} none for the classes; each counts as one vote for its emotion"
    for name in votes.columns:
        cast = votes[name].to_numpy()
        if name not in classes and cast.any():
            yield (
                f"votes: {cast.sum():g} for {name!r} in {_utterances(int(np.count_nonzero(cast)))} are for none of the "
                f"classes and do not count{nearest(str(name), classes)}"
            )


def shares(votes: pd.DataFrame, labels: npt.NDArray[np.int64], classes: Sequence[str]) -> npt.NDArray[np.float64]:
    """The distribution of each utterance's votes over the classes.

    Args:
        votes: (n, any) by class; those for other classes do not count.
        labels: (n,) positions in `classes`, negative where no majority agreed.
        classes: K names.

    Returns:
        (n, K), each row summing to one. An utterance without votes for these classes has its label alone, and no
        number where it has no label either.
    """
    cast = votes.reindex(columns=list(classes), fill_value=0.0).to_numpy(np.float64)
    sums = cast.sum(axis=1, keepdims=True)
    one_hot = np.full(cast.shape, np.nan)
    known = labels >= 0
    one_hot[known] = np.eye(len(classes))[labels[known]]
    return np.where(sums > 0, cast / np.where(sums > 0, sums, 1.0), one_hot)


def digest_of(digest: str, votes: pd.DataFrame) -> str:
    """A manifest's digest with its votes, which decide what is learnt."""
    text = json.dumps([digest, list(votes.columns), encode_votes(votes)])
    return hashlib.sha256(text.encode()).hexdigest()


def _from_json(cells: "pd.Series[str]") -> tuple[pd.DataFrame, list[str]]:
    rows: dict[int, dict[str, float]] = {}
    faults: dict[str, list[str]] = {}
    for line, text in cells.str.strip().items():
        try:
            rows[int(str(line))] = _parse(str(text)) if text else {}
        except _Unreadable as fault:
            faults.setdefault(str(fault), []).append(f"{line} ({shorten(str(text))})")
            rows[int(str(line))] = {}
    names = sorted({name for row in rows.values() for name in row})
    table = np.zeros((len(cells), len(names)))
    place = {name: position for position, name in enumerate(names)}
    for number, row in enumerate(rows.values()):
        for name, votes in row.items():
            table[number, place[name]] = votes
    return pd.DataFrame(table, index=cells.index, columns=pd.Index(names, dtype=object)), _by_line(faults)


def _parse(text: str) -> dict[str, float]:
    """Emotion -> votes of a cell.

    Raises:
        _Unreadable: it is no such JSON.
    """
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        pairs = None
    # Of an object the hook makes a list of pairs; a JSON list has none.
    if not isinstance(pairs, list) or not all(isinstance(each, tuple) for each in pairs) or not text.startswith("{"):
        raise _Unreadable('votes are no JSON object of numbers; write them like {"anger": 2, "neutral": 1}')
    counts = Counter(name for name, _ in pairs)
    if any(count > 1 for count in counts.values()) or "" in counts:
        raise _Unreadable("votes name an emotion twice, or none; name each once")
    return {name: _checked(votes) for name, votes in pairs}


def _checked(votes: object) -> float:
    number = float(votes) if isinstance(votes, int | float) and not isinstance(votes, bool) else math.nan
    if not 0 <= number <= _MOST:
        raise _Unreadable(f"votes are no numbers of at least 0 and at most {_MOST:,.0f}; mend them")
    return number


def _from_columns(cells: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    texts = cells.apply(lambda column: column.str.strip())
    numbers = texts.apply(lambda column: pd.to_numeric(column, errors="coerce")).astype(np.float64)
    blank = texts == ""
    faults: dict[str, list[str]] = {}
    some = ~blank.all(axis=1)
    for name in cells.columns:
        bad = ~blank[name] & ~((numbers[name] >= 0) & (numbers[name] <= _MOST))
        for line in cells.index[bad]:
            shown = f"{line} ({shorten(texts.loc[line, name])})"
            faults.setdefault(f"{name} is no number of at least 0 and at most {_MOST:,.0f}; mend it", []).append(shown)
        for line in cells.index[blank[name] & some]:
            faults.setdefault(f"{name} is blank beside votes for others; write 0 where it has none", []).append(
                str(line)
            )
    names = [name.removeprefix(PREFIX) for name in cells.columns]
    return numbers.fillna(0.0).set_axis(pd.Index(names, dtype=object), axis=1), _by_line(faults)


def _by_line(faults: Mapping[str, Sequence[str]]) -> list[str]:
    return [
        f"{name_lines(lines)}: {fault}" + (f" ({len(lines)} in all)" if len(lines) > 1 else "")
        for fault, lines in faults.items()
    ]


def _shortest(number: float) -> int | float:
    return int(number) if number == int(number) else number


def _utterances(number: int) -> str:
    return f"{number} utterance{'' if number == 1 else 's'}"


def _have(number: int) -> str:
    return "has" if number == 1 else "have"
