"""What the folds of a protocol hold, and what is on both sides of them: speakers, sessions, recordings."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nni_emodarts.config import FILE_PROTOCOL, DataConfig
from nni_emodarts.data.fold_lists import attached
from nni_emodarts.data.manifest import Manifest
from nni_emodarts.data.parts import PARTS
from nni_emodarts.data.protocols import Cast, Fold, Rows, make_folds
from nni_emodarts.data.table import enumerate_some

KINDS = ("speakers", "speakers that look alike", "sessions", "recordings", "recordings of the same samples")
"""What may be on both sides of a fold."""
Sides = tuple[str, str]
"""Names of two parts."""


@dataclass(frozen=True)
class FoldsDescription:
    """The folds of a protocol in figures.

    Attributes:
        protocol: its name.
        sizes: utterances and speakers of each part, by fold.
        known: the kinds that the manifest names.
        shared: what, sides, folds and names of all that is in two parts of a fold; nothing where all is kept apart.
    """

    protocol: str
    sizes: pd.DataFrame
    known: tuple[str, ...]
    shared: pd.DataFrame

    def lines(self) -> Iterator[str]:
        """What is on both sides, in words, the worst first; and what is on neither."""
        for what in KINDS:
            found = self.shared[self.shared["what"] == what]
            for _, sides, folds, names in found.itertuples(index=False):
                where = f"{len(folds)} of {len(self.sizes)} folds"
                yield f"{what} on both sides, {sides[0]} and {sides[1]}, in {where}: {enumerate_some(names)}"
            if found.empty and what in self.known:
                yield f"{what}: none on both sides"


def describe_folds(manifest: Manifest, protocol: str, digests: Sequence[bytes] = ()) -> FoldsDescription:
    """Say of a protocol's folds what is on both sides; a list of folds is described, whatever it has there.

    Args:
        manifest: the utterances.
        protocol: the protocol.
        digests: of each utterance's samples, where they are known; empty of those that cannot be decoded.

    Raises:
        ProtocolError: as for `make_folds`, but for speakers on both sides of a list.
    """
    data = DataConfig(protocol=protocol, speaker_overlap="allow")
    manifest = attached(manifest, data)
    folds, cast = make_folds(manifest, protocol), Cast(manifest)
    known = dict(enumerate(cast.names))
    units = {
        "speakers": np.array([known.get(int(each), "") for each in cast.speaker], dtype=object),
        "sessions": manifest.table["session"].to_numpy(dtype=object),
        "recordings": np.array(manifest.names, dtype=object),
    }
    found = [(what, *each) for what, names in units.items() for each in _shared(folds, names)]
    found += [("speakers that look alike", *each) for each in _alike(folds, cast)]
    found += [("recordings of the same samples", *each) for each in _twins(folds, units["recordings"], digests)]
    shared = pd.DataFrame(found, columns=["what", "sides", "folds", "names"])
    named = tuple(what for what, names in units.items() if (names != "").any())
    return FoldsDescription(data.protocol_name, _sizes(folds, cast), named, shared)


def check_protocol(manifest: Manifest, protocol: str) -> None:
    """Refuse a protocol that cannot be described, before minutes are spent on recordings.

    Raises:
        ProtocolError: as for `describe_folds`.
    """
    if protocol.startswith(FILE_PROTOCOL):
        attached(manifest, DataConfig(protocol=protocol, speaker_overlap="allow"))
    else:
        make_folds(manifest, protocol)


def _sizes(folds: Sequence[Fold], cast: Cast) -> pd.DataFrame:
    rows = [
        {part: len(getattr(fold, part)) for part in PARTS}
        | {f"{part} speakers": len(np.unique(cast.speaker[getattr(fold, part)])) for part in PARTS}
        for fold in folds
    ]
    return pd.DataFrame(rows, index=pd.Index([fold.index for fold in folds], name="fold"))


def _pairs(fold: Fold) -> Iterator[tuple[Sides, Rows, Rows]]:
    for one, other in itertools.combinations(PARTS, 2):
        yield (one, other), getattr(fold, one), getattr(fold, other)


def _shared(folds: Sequence[Fold], names: np.ndarray) -> Iterator[tuple[Sides, list[int], list[str]]]:
    """Sides, folds and names of what is in both; "" stands for nobody."""
    found: dict[Sides, dict[int, set[str]]] = {}
    for fold in folds:
        for sides, one, other in _pairs(fold):
            both = (set(names[one]) & set(names[other])) - {""}
            if both:
                found.setdefault(sides, {})[fold.index] = both
    yield from _by_sides(found)


def _by_sides(found: Mapping[Sides, Mapping[int, set[str]]]) -> Iterator[tuple[Sides, list[int], list[str]]]:
    for sides in sorted(found, key=_severity):
        yield sides, list(found[sides]), sorted(set().union(*found[sides].values()))


def _severity(sides: Sides) -> int:
    """What is learnt from and tested comes first, what chooses and is tested second."""
    return [("train", "test"), ("validation", "test"), ("train", "validation")].index(sides)


def _alike(folds: Sequence[Fold], cast: Cast) -> Iterator[tuple[Sides, list[int], list[str]]]:
    """Likewise of groups of speakers who are most likely one."""
    group = np.full(cast.count, "", dtype=object)
    for speakers in cast.lookalikes:
        group[speakers] = " and ".join(cast.names[each] for each in speakers)
    yield from _shared(folds, group[cast.speaker])


def _twins(
    folds: Sequence[Fold], names: np.ndarray, digests: Sequence[bytes]
) -> Iterator[tuple[Sides, list[int], list[str]]]:
    """Likewise of recordings under two names, by the names of all that have the same samples."""
    table = pd.DataFrame({"digest": list(digests), "name": names[: len(digests)]})
    together = table[table["digest"] != b""].groupby("digest")["name"].unique()
    listed = {digest: " and ".join(sorted(own)) for digest, own in together.items() if len(own) > 1}
    yield from _shared(folds, np.array([listed.get(digest, "") for digest in digests], dtype=object)) if listed else ()
