"""Which other recordings of its speaker an utterance is normalised by: never itself.

Their labels tell what is neutral speech, for training and for the figure of that enrolment, and nothing else.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from nni_emodarts.data.features import FeatureStore, Normalizer, SpeakerNormalizer
from nni_emodarts.data.features.moments import EVERY_ROW
from nni_emodarts.data.manifest import Manifest
from nni_emodarts.data.protocols import Cast, Rows, Speakers

LEAST = 3
"""Fewest recordings that a training utterance is normalised by: of fewer, a mean says more of them than of a voice."""
MOST = 60
"""Most of them: more hardly change the mean."""
NEUTRAL_SHARE = 0.25
"""Chance that a training utterance is normalised by neutral speech alone, which is what people will have to enrol."""
_NEUTRAL = ("neutral", "neutrality", "neu", "n")


Choose = Callable[[int], Rows]
"""Row -> the utterances that it is normalised by."""


class Voices:
    """Who else speaks as the speaker of a row does.

    Attributes:
        names: (n,) speaker of each row, "" where not known.
        numbers: (n,) number of each row's speaker, as a `Cast` has it.

    Args:
        manifest: the utterances.
        store: their features, whose recordings tell which rows hold the same sound under two names.
    """

    def __init__(self, manifest: Manifest, store: FeatureStore) -> None:
        table = manifest.table
        self.names: np.ndarray = table["speaker"].to_numpy(dtype=object)
        self.numbers: Speakers = Cast(manifest).speaker
        self._emotions = table["emotion"].to_numpy(dtype=object)
        self._rows = {name: np.flatnonzero(self.names == name) for name in set(self.names) - {""}}
        self._digests = np.array(store.digests, dtype=object)
        self._start = table["start"].fillna(0.0).to_numpy(np.float64)
        self._end = table["end"].fillna(np.inf).to_numpy(np.float64)

    def others(self, row: int) -> Rows:
        """Other utterances of the row's speaker, in the manifest's order; none of a speaker who is not known.

        A row that holds some of the same sound is no other utterance.
        """
        rows = self._rows.get(self.names[row])
        if rows is None:
            return np.empty(0, dtype=np.int64)
        shares = (self._start[rows] < self._end[row]) & (self._start[row] < self._end[rows])
        return np.asarray(rows[~(shares & (self._digests[rows] == self._digests[row])) & (rows != row)])

    def saying(self, rows: Rows, emotion: str) -> Rows:
        """Those of rows that show an emotion."""
        return np.asarray(rows[self._emotions[rows] == emotion])


def neutral_emotion(classes: Iterable[str], named: str | None = None) -> str | None:
    """The class that is neutral speech: the one that is named, else one that is called so; None where there is none."""
    found = [name for name in classes if name == named or (named is None and name.casefold() in _NEUTRAL)]
    return found[0] if found else None


@dataclass(frozen=True)
class Enrolment:
    """How many of a speaker's other utterances are heard, and which.

    Attributes:
        name: its word in tables and files.
        most: so many at most, drawn at random by seed and row; all where None.
        emotion: only those that show it; any where None.
    """

    name: str
    most: int | None = None
    emotion: str | None = None

    def choose(self, voices: Voices, row: int, seed: int) -> Rows:
        """The utterances that a row is normalised by: the same ones for a seed, however often it is asked."""
        rows = voices.others(row)
        if self.emotion is not None:
            rows = voices.saying(rows, self.emotion)
        if self.most is None or len(rows) <= self.most:
            return rows
        drawn = np.random.default_rng([seed, row, self.most]).choice(rows, self.most, replace=False)
        return np.asarray(np.sort(drawn))


ALL = Enrolment("all")
"""All others: what the headline is measured with."""


def enrolments(neutral: str | None) -> tuple[Enrolment, ...]:
    """What figures are given for, `ALL` apart: none, five, twenty, and neutral speech alone where there is any."""
    found = (Enrolment("none", 0), Enrolment("5", 5), Enrolment("20", 20))
    return found if neutral is None else (*found, Enrolment("neutral", None, neutral))


@dataclass(frozen=True, eq=False)
class Enrolled:
    """Normalises each row by its speaker's enrolment.

    Attributes:
        statistics: of the training speakers.
        store: features of the whole manifest.
        choose: row -> the utterances that it is normalised by.
    """

    statistics: SpeakerNormalizer
    store: FeatureStore
    choose: Choose

    def for_row(self, row: int, part: slice = EVERY_ROW) -> Normalizer:
        """The normaliser of a part of the features, of the row's speaker without the row."""
        chosen = self.choose(row)
        return self.statistics.part(part).adapted(self.store.pooled(chosen, part) if len(chosen) else None)


class RandomSubsets:
    """Row -> a random subset of its speaker's other utterances, another one each time that the row is heard.

    Training sees what use will see: the subset's size is as often 3 to 6 as 15 to 30, and now and then it is of neutral
    speech alone. Draws are a function of seed, epoch, row and how often the row was heard in that epoch, so that
    training that goes on after an interruption draws what it would have drawn.

    Args:
        voices: who else speaks.
        neutral: the emotion that is neutral speech, where there is one.
        seed: of the draws.
        epoch: tells the current epoch; without it, draws go on from one epoch to the next.
    """

    def __init__(self, voices: Voices, neutral: str | None, seed: int, epoch: Callable[[], int] | None = None) -> None:
        self._voices = voices
        self._neutral = neutral
        self._seed = seed
        self._epoch = epoch
        self._now = 0
        self._heard: Counter[int] = Counter()

    def __call__(self, row: int) -> Rows:
        """The utterances that the row is normalised by this time."""
        epoch = 0 if self._epoch is None else self._epoch()
        if epoch != self._now:
            self._now, self._heard = epoch, Counter()
        self._heard[row] += 1
        generator = np.random.default_rng([self._seed, epoch, row, self._heard[row]])
        others = self._voices.others(row)
        if self._neutral is not None and generator.random() < NEUTRAL_SHARE:
            neutral = self._voices.saying(others, self._neutral)
            others = neutral if len(neutral) else others
        most = min(len(others), MOST)
        if most <= LEAST:
            return others
        size = round(float(np.exp(generator.uniform(np.log(LEAST), np.log(most)))))
        return np.asarray(np.sort(generator.choice(others, size, replace=False)))
