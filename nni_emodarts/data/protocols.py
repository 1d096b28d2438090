"""Protocols: a manifest divided into folds whose train, validation and test parts share no speaker.

`loso` tests on one speaker a fold, `session` on one speaker with the dialogue partners as validation, `kfold:K` on
every K-th speaker, `official` on the manifest's own split, `file:FOLDS.csv` as a list says (`fold_lists`), `loco` on
one corpus of several (`joined`), where a sixth of the speakers of each other one validates. A recording of an unknown
speaker is a speaker of its own, so that unknown speakers are never taken for one person; its segments stay together.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from nni_emodarts.config import FILE_PROTOCOL, nearest
from nni_emodarts.data.fold_choice import FoldChoice, numbers
from nni_emodarts.data.fold_lists import FoldList, read_folds
from nni_emodarts.data.joined import corpora_of
from nni_emodarts.data.lookalikes import find_lookalikes, refuse_lookalikes, refuse_shared
from nni_emodarts.data.manifest import Manifest
from nni_emodarts.data.parts import PARTS, parts_of
from nni_emodarts.data.table import enumerate_some
from nni_emodarts.errors import ProtocolError

Rows = npt.NDArray[np.int64]
"""(n,) row numbers of a manifest, ascending."""

Speakers = npt.NDArray[np.int64]
"""(n,) numbers of speakers in a `Cast`."""

PROTOCOLS = ("loso", "session", "kfold:K", "official", "loco", "file:FOLDS.csv")
VALIDATION_SHARE = 1 / 6
"""Share of the speakers left after testing that validate; at least two."""

LOSO_SPEAKERS = 4
"""One to test, two to validate, one to train."""


@dataclass(frozen=True, eq=False)
class Fold:
    """One division of a manifest; no speaker is in two of its parts, unless a list of folds may have it so.

    Attributes:
        index: number of the fold, from 0.
        count: number of folds of the protocol.
        train: rows to learn from.
        validation: rows to choose by.
        test: rows to report on, read once.
        undecided: rows of the test part on which annotators did not agree, which can only be scored by their votes, and
            in dimensions.
    """

    index: int
    count: int
    train: Rows
    validation: Rows
    test: Rows
    undecided: Rows = field(default_factory=lambda: np.empty(0, dtype=np.int64))


def count_folds(manifest: Manifest, protocol: str) -> int:
    """Number of folds of a protocol.

    Args:
        manifest: the utterances.
        protocol: `loso`, `session`, `kfold:K`, `official` or `file:FOLDS.csv`.

    Raises:
        ProtocolError: the protocol is unknown, or the manifest cannot give it.
    """
    return _Plan(manifest, protocol).count


def make_fold(manifest: Manifest, protocol: str, index: int) -> Fold:
    """One fold of a protocol.

    Args:
        manifest: the utterances.
        protocol: `loso`, `session`, `kfold:K`, `official` or `file:FOLDS.csv`.
        index: number of the fold, from 0.

    Raises:
        ProtocolError: as for `count_folds`; or the fold is out of range, or leaves too little to train on.
    """
    return make_folds(manifest, protocol, [index])[0]


def make_folds(manifest: Manifest, protocol: str, indices: FoldChoice | None = None) -> list[Fold]:
    """Folds of a protocol, all of them where none are named; see `make_fold`."""
    plan = _Plan(manifest, protocol)
    wanted = list(range(plan.count) if indices is None else numbers(indices, plan.count))
    outside = [index for index in wanted if not 0 <= index < plan.count]
    if outside:
        raise ProtocolError(f"fold {outside[0]} is out of range; folds of {protocol} are 0 to {plan.count - 1} here")
    if len(set(wanted)) < len(wanted):
        twice = next(index for index in wanted if wanted.count(index) > 1)
        raise ProtocolError(f"fold {twice} is named twice; name it once")
    return [plan.fold(index) for index in wanted]


class Cast:
    """Who speaks in a manifest: its known speakers by name, then one unknown speaker for each other recording.

    What is not known of two recordings may be known of two segments of one: they would be on both sides of a split.

    Attributes:
        speaker: (n,) the speaker of each row.
        names: names of the known speakers, which are the speakers 0 to len(names) - 1.
        count: number of speakers, unknown ones included.
        lookalikes: groups of known speakers who are most likely one.
        known: the known speakers in groups: male and female where each one's gender is known, else all of them.
        unknown: the unknown speakers.
    """

    def __init__(self, manifest: Manifest) -> None:
        names = manifest.table["speaker"].to_numpy(dtype=object)
        is_known = names != ""
        self.speaker: Speakers = np.empty(len(names), dtype=np.int64)
        self.speaker[is_known], known = pd.factorize(names[is_known], sort=True)
        self.names = [str(name) for name in known]
        recording, recordings = pd.factorize(manifest.table["file"].to_numpy(dtype=object)[~is_known])
        self.count = len(known) + len(recordings)
        self.speaker[~is_known] = len(known) + recording
        self.unknown: Speakers = np.arange(len(known), self.count)
        genders = manifest.table["gender"].to_numpy(dtype=object)
        self.lookalikes = find_lookalikes(self.names, self.speaker, genders)
        self.known = self._group_by_gender(genders)
        self._sessions, self.first_session = self._read_sessions(manifest.table["session"].to_numpy(dtype=object))

    def partners(self, group: Speakers) -> Speakers:
        """All others who speak in a session of the group's."""
        who, session = self._sessions
        present = np.isin(session, session[np.isin(who, group)])
        return np.setdiff1d(who[present], group)

    def followers(self, group: Speakers) -> Speakers:
        """The speakers who validate where the group, which tests, has no partners.

        A sixth of those left, at least two and of both genders alike, that come after the group's first speaker in
        sorted order and start over at its end. Unknown speakers give a sixth too, so that they do not crowd out others.
        """
        queues = [_queue(candidates, group) for candidates in self.known]
        shares = _share_out([len(queue) for queue in queues])
        unknown = _queue(self.unknown, group)
        share = max(round(len(unknown) * VALIDATION_SHARE), 2 - sum(shares))
        taken = [queue[:share] for queue, share in zip(queues, shares, strict=True)]
        return np.concatenate([*taken, unknown[:share]])

    def _group_by_gender(self, genders: npt.NDArray[np.object_]) -> list[Speakers]:
        everyone: Speakers = np.arange(len(self.names))
        heard = [np.isin(everyone, self.speaker[genders == gender]) for gender in ("male", "female")]
        # A speaker who is given as both is as good as unknown.
        if (heard[0] != heard[1]).all():
            return [everyone[heard[0]], everyone[heard[1]]]
        return [everyone]

    def _read_sessions(self, sessions: npt.NDArray[np.object_]) -> tuple[tuple[Speakers, Speakers], Speakers]:
        """Pairs of speaker and session, without blank sessions; and each speaker's first session in sorted order."""
        order, names = pd.factorize(sessions, sort=True)
        who, session = np.divmod(np.unique(self.speaker * len(names) + order), len(names))
        # Pairs are sorted, so that a speaker's first one holds the first session.
        first = session[np.unique(who, return_index=True)[1]]
        named = (names != "")[session]
        return (who[named], session[named]), first


class _Plan:
    """A protocol applied to a manifest: who tests in which fold."""

    def __init__(self, manifest: Manifest, protocol: str) -> None:
        self._name = protocol
        self._manifest = manifest
        self._classes, self._labels = manifest.strata
        self._files = manifest.table["file"]
        self._official = _official_parts(manifest) if protocol == "official" else None
        self._list = _list_of(manifest, protocol)
        self._cast = Cast(manifest)
        self._tested = _test_speakers(manifest, self._cast, protocol) if self._list is None else ()
        self._corpora = self._tested if protocol == "loco" else ()
        self.count = len(self._tested) if self._list is None else len(self._list.names)
        self._remedy = "use another protocol or K" if self._list is None else "change the list of folds"

    def fold(self, index: int) -> Fold:
        """The fold, checked."""
        fold = Fold(index, self.count, *self._parts(index))
        self._check(fold)
        return self._decide(fold)

    def _decide(self, fold: Fold) -> Fold:
        """The fold with those utterances alone in validation and test on which annotators agreed.

        Where dimensions are learnt, the others validate, too, as they have places there.

        Raises:
            ProtocolError: there are none.
        """
        if not self._classes or (self._manifest.labels >= 0).all():
            return fold
        validation, test = (self._manifest.decided(rows) for rows in (fold.validation, fold.test))
        for part, rows in (("validation", validation), ("test", test)):
            if not rows.size and len(getattr(fold, part)):
                raise ProtocolError(
                    f"fold {fold.index} of {self._name}: annotators agree on no utterance of the {part} part, so that "
                    f"nothing can be scored; {self._remedy}"
                )
        undecided = np.setdiff1d(fold.test, test)
        return replace(fold, validation=self._manifest.measured(fold.validation), test=test, undecided=undecided)

    def _parts(self, index: int) -> list[Rows]:
        if self._list is not None:
            return _rows_of_parts(self._list.part_of(index, self._files))
        return self._official or self._divide(self._tested[index])

    def _divide(self, tested: Speakers) -> list[Rows]:
        validating = self._cast.partners(tested)
        if self._corpora:
            everyone = np.arange(self._cast.count)
            others = [each for each in self._corpora if each is not tested]
            validating = np.concatenate([self._cast.followers(np.setdiff1d(everyone, each)) for each in others])
        elif not validating.size:
            validating = self._cast.followers(tested)
        part = np.zeros(self._cast.count, dtype=np.int8)
        part[validating] = PARTS.index("validation")
        part[tested] = PARTS.index("test")
        return _rows_of_parts(part[self._cast.speaker])

    def _check(self, fold: Fold) -> None:
        heard = {part: self._cast.speaker[getattr(fold, part)] for part in PARTS}
        if self._list is None or not self._list.allows_overlap:
            name = f"fold {fold.index} of {self._name}"
            refuse_lookalikes(name, self._cast.names, self._cast.lookalikes, heard)
            if self._list is not None:
                refuse_shared(name, self._cast.names, heard)
        sizes = ", ".join(f"{part} {len(getattr(fold, part))}" for part in PARTS)
        where = f"fold {fold.index} of {self._name} ({sizes} utterances)"
        remedy = f"{self._remedy}, or add speakers"
        if not fold.train.size:
            raise ProtocolError(
                f"{where}: all speakers test or validate and none is left to train on; {remedy}. Speakers of one "
                "session are taken for dialogue partners: leave out the column session where they are not"
            )
        counts = np.bincount(self._labels[fold.train], minlength=len(self._classes))
        lost = [name for name, count in zip(self._classes, counts, strict=True) if not count]
        if lost:
            raise ProtocolError(
                f"{where}: no training utterance of class {', '.join(lost)}; {remedy} with this class, or leave it out "
                "with emotions"
            )


def _list_of(manifest: Manifest, protocol: str) -> FoldList | None:
    """The list of folds of a protocol that reads one; the manifest's own, where it was read with it."""
    path = protocol.removeprefix(FILE_PROTOCOL)
    if path == protocol:
        return None
    return manifest.folds or read_folds(Path(path), manifest)


def _test_speakers(manifest: Manifest, cast: Cast, protocol: str) -> Sequence[Speakers]:
    """Who tests in each fold; nobody in particular in the single fold of `official`."""
    name, number = _parse(protocol)
    if name == "loso":
        return _leave_one_out(cast)
    if name == "session":
        return _by_session(manifest, cast)
    if name == "kfold":
        return _every_kth(cast, number)
    if name == "loco":
        return _by_corpus(manifest, cast)
    return [np.empty(0, dtype=np.int64)]


def _parse(protocol: str) -> tuple[str, int]:
    """Name and K of a protocol; K is 0 where it has none."""
    name, colon, number = protocol.partition(":")
    if name == "kfold":
        if not re.fullmatch(r"\d{1,9}", number, re.ASCII) or int(number) < 2:
            raise ProtocolError(f"protocol {protocol!r}: K must be a whole number of at least 2, for example kfold:5")
        return name, int(number)
    if name not in PROTOCOLS or colon:
        raise ProtocolError(f"protocol {protocol!r} is unknown{nearest(protocol, PROTOCOLS)}")
    return name, 0


def _leave_one_out(cast: Cast) -> Sequence[Speakers]:
    if cast.count < LOSO_SPEAKERS:
        raise ProtocolError(
            f"protocol loso needs at least {LOSO_SPEAKERS} speakers (one to test, two to validate, one to train); the "
            f"manifest has {cast.count}; add speakers or use protocol official with a split of your own"
        )
    return list(np.arange(cast.count, dtype=np.int64)[:, np.newaxis])


def _by_session(manifest: Manifest, cast: Cast) -> Sequence[Speakers]:
    blank = int((manifest.table["session"] == "").sum())
    if blank:
        raise ProtocolError(
            f"protocol session: {blank} of {len(manifest)} utterances have no session; fill in the manifest's column "
            "session, or use loso or kfold:K"
        )
    return list(np.argsort(cast.first_session, kind="stable").astype(np.int64)[:, np.newaxis])


def _by_corpus(manifest: Manifest, cast: Cast) -> Sequence[Speakers]:
    corpus = corpora_of(manifest)
    if corpus is None:
        raise ProtocolError(
            "protocol loco leaves one corpus out, but there is one alone; name several by --manifest A.csv,B.csv"
        )
    return [np.unique(cast.speaker[corpus == number]) for number in range(corpus.max() + 1)]


def _every_kth(cast: Cast, number: int) -> Sequence[Speakers]:
    # One sorted list where a gender is unknown: unknown speakers come after the known ones.
    lists = [*cast.known, cast.unknown] if len(cast.known) == 2 else [np.arange(cast.count)]
    longest = max(len(speakers) for speakers in lists)
    if number > longest:
        genders = f" ({len(cast.known[0])} male, {len(cast.known[1])} female)" if len(cast.known) == 2 else ""
        raise ProtocolError(
            f"protocol kfold:{number}: K must be at most {longest} for the manifest's {cast.count} speakers{genders}, "
            "or folds would have no test speaker; use a smaller K or loso"
        )
    return [np.concatenate([speakers[index::number] for speakers in lists]) for index in range(number)]


def _official_parts(manifest: Manifest) -> list[Rows]:
    """Train, validation and test rows by the manifest's `split` column."""
    part = parts_of(manifest.table["split"])
    faults = list(_official_faults(manifest, part))
    if faults:
        raise ProtocolError("\n".join(["protocol official cannot be used:", *(f"  {fault}" for fault in faults)]))
    return _rows_of_parts(part)


def _official_faults(manifest: Manifest, part: npt.NDArray[np.int64]) -> Iterator[str]:
    table = manifest.table[["file", "speaker", "split"]].assign(part=part)
    odd = table.loc[part < 0, "split"]
    if len(odd):
        names = enumerate_some(repr(name) for name in sorted(odd.unique()))
        yield f"column split of {len(odd)} utterances is {names}; write train, validation or test"
    missing = [name for number, name in enumerate(PARTS) if number not in part]
    if missing:
        yield f"no utterance is in {' or '.join(missing)}; fill in the column split, or use loso or kfold:K"
    placed = table[part >= 0]
    known = placed["speaker"] != ""
    for what, column, some in (("speaker", "speaker", placed[known]), ("recording", "file", placed[~known])):
        parts = some.groupby(column)["part"].nunique()
        shared = parts.index[parts > 1]
        if len(shared):
            yield f"{what}s in more than one part: {enumerate_some(shared)}; put each {what} into one part"


def _rows_of_parts(part: npt.NDArray[np.integer]) -> list[Rows]:
    return [np.flatnonzero(part == number).astype(np.int64) for number in range(len(PARTS))]


def _queue(candidates: Speakers, group: Speakers) -> Speakers:
    """Candidates outside a group, from its first speaker on and starting over at the end.

    The first speaker is the first among the candidates where the group has one there, so that over the folds of a
    corpus sorted by gender all women and all men take their turn.
    """
    own = np.intersect1d(candidates, group)
    rest = np.setdiff1d(candidates, group)
    return np.roll(rest, -int(np.searchsorted(rest, (own if own.size else group).min())))


def _share_out(sizes: Sequence[int]) -> list[int]:
    """How many of each gender validate: alike as far as there are enough, the rest from where there are."""
    wanted = max(2, round(sum(sizes) * VALIDATION_SHARE))
    wanted += wanted % len(sizes)
    shares = [min(size, wanted // len(sizes)) for size in sizes]
    for place, size in enumerate(sizes):
        shares[place] += min(size - shares[place], wanted - sum(shares))
    return shares
