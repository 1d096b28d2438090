"""Sums of speakers, be they confusions or moments: of several folds together, and of several seeds as one array."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Number = TypeVar("Number", np.int64, np.float64)


def gather(
    folds: Iterable[tuple[object, Mapping[str, npt.ArrayLike]]], number: type[Number]
) -> dict[str, npt.NDArray[Number]]:
    """Sums of the speakers of several folds together, by name.

    Utterances of unknown speakers are people of their own in each fold: they must not be taken for one person.

    Args:
        folds: number of each fold, and the sums of its speakers, "" standing for the unknown.
        number: what the sums are made of.
    """
    found: dict[str, npt.NDArray[Number]] = {}
    for fold, speakers in folds:
        for speaker, sums in speakers.items():
            name = speaker or f"unknown, fold {fold}"
            own = np.asarray(sums, dtype=number)
            found[name] = own + found[name] if name in found else own
    return found


def stack(by_seed: Sequence[Mapping[str, npt.ArrayLike]], number: type[Number]) -> npt.NDArray[Number]:
    """Sums of each seed's speakers as one array (seeds, speakers, ...), speakers in order of their names.

    Raises:
        ValueError: the seeds were not scored on the same speakers.
    """
    names = sorted(by_seed[0])
    odd = [place for place, sums in enumerate(by_seed) if sorted(sums) != names]
    if odd:
        raise ValueError(f"seed number {odd[0]} was scored on other speakers than the first; finish its folds")
    return np.array([[sums[name] for name in names] for sums in by_seed], dtype=number)
