"""Speakers in several parts of a fold, be it under two names: one who is trained on and tested flatters all figures."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from nni_emodarts.data.spelling import nearly_alike
from nni_emodarts.data.table import enumerate_some
from nni_emodarts.errors import ProtocolError

Speakers = npt.NDArray[np.int64]
"""(n,) numbers of speakers."""

_GENDERS = {frozenset({"male"}), frozenset({"female"})}


def find_lookalikes(names: Sequence[str], speaker: Speakers, genders: npt.NDArray[np.object_]) -> list[Speakers]:
    """Groups of speakers who are most likely one: their names differ in case or leading zeros alone.

    A man and a woman are two, whatever their names.

    Args:
        names: of the speakers.
        speaker: (n,) number of each utterance's speaker; others than those with names may be among them.
        genders: (n,) likewise gender, "" where it is unknown.
    """
    numbers = {name: number for number, name in enumerate(names)}
    found = []
    for group in nearly_alike(names):
        speakers = np.array([numbers[name] for name in group], dtype=np.int64)
        heard = {frozenset(genders[speaker == each]) - {""} for each in speakers}
        if not heard >= _GENDERS:
            found.append(speakers)
    return found


def refuse_lookalikes(
    where: str,
    names: Sequence[str],
    groups: Sequence[Speakers],
    parts: Mapping[str, Speakers],
) -> None:
    """Refuse a fold that has speakers of one group in several parts.

    Args:
        where: the fold, for the message.
        names: of the speakers.
        groups: as `find_lookalikes` gives them.
        parts: name of each part -> its speakers.

    Raises:
        ProtocolError: it has.
    """
    for group in groups:
        sides = [part for part, speakers in parts.items() if np.isin(speakers, group).any()]
        if len(sides) > 1:
            shown = " and ".join(repr(names[each]) for each in group)
            raise ProtocolError(
                f"{where}: speakers {shown} look like one person, and would be in {' and '.join(sides)}; spell the "
                f"name alike in the manifest where they are one, and name them apart by more than case, leading zeros "
                f"and separators where they are not"
            )


def refuse_shared(where: str, names: Sequence[str], parts: Mapping[str, Speakers]) -> None:
    """Refuse a fold of a list that has a speaker in several parts.

    Args:
        where: the fold, for the message.
        names: of the known speakers, which are the first.
        parts: name of each part -> its speakers.

    Raises:
        ProtocolError: it has.
    """
    pairs = itertools.combinations(parts, 2)
    shared = {pair: np.intersect1d(parts[pair[0]], parts[pair[1]]) for pair in pairs}
    found = [
        f"{len(speakers)} speakers are in {one} and {other} ({enumerate_some(names[each] for each in speakers)})"
        for (one, other), speakers in shared.items()
        if len(speakers)
    ]
    if found:
        raise ProtocolError(
            f"{where}: {'; '.join(found)}: a network that knows its test speakers is measured on an easier task than "
            f"one that does not. Use a protocol that keeps speakers apart, such as loso or kfold:K, or add "
            f"--allow-overlap (data.speaker_overlap=allow), which marks the figures as speaker-dependent"
        )
