"""Normalisation for one voice: by some recordings of it, which need no label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from nni_emodarts.data.features.moments import Moments, Pooled
from nni_emodarts.data.features.normalization import Normalizer, deviation_of
from nni_emodarts.runtime.plain_data import JsonMapping

PRIOR = 2.0
"""Recordings that the mean of all training speakers counts as, beside a voice's own (MAP adaptation, Gauvain & Lee
1994): of one or two recordings a mean says more of them than of the voice, of sixty it is the voice's own."""
OWN_DEVIATION = 10
"""Recordings from which a voice's own deviation is taken; of fewer it says more of them than of the voice."""
WITHIN = "within"
"""Key of the deviations about each voice's own mean, beside those of a `Normalizer`."""


@dataclass(frozen=True, eq=False)
class SpeakerNormalizer:
    """What is known of all training speakers, from which the normaliser of one voice is made.

    Attributes:
        general: mean and deviation over all of them; for a voice that nothing is known of.
        within: (R,) deviation about each speaker's own mean; for a voice that little is known of.
    """

    general: Normalizer
    within: np.ndarray

    @classmethod
    def fit(cls, moments: Moments, speakers: np.ndarray) -> Self:
        """Of training recordings.

        Args:
            moments: of n recordings.
            speakers: (n,) who speaks in each.
        """
        everybody = moments.pooled
        general = Normalizer.of(everybody)
        scatters = [moments.pick(np.flatnonzero(speakers == speaker)).pooled.scatter for speaker in np.unique(speakers)]
        within = deviation_of(np.sum(scatters, axis=0), everybody.frames, general.mean)
        return cls(general, within)

    @classmethod
    def beside(cls, parts: Sequence["SpeakerNormalizer"]) -> "SpeakerNormalizer":
        """One of the rows of all parts, one part after another."""
        if len(parts) == 1:
            return parts[0]
        general = Normalizer.beside([part.general for part in parts])
        return cls(general, np.concatenate([part.within for part in parts]))

    def adapted(self, heard: Pooled | None) -> Normalizer:
        """The normaliser of a voice: each feature less its mean over the recordings, over their deviation.

        Args:
            heard: recordings of the voice. Of fewer than `OWN_DEVIATION` only the mean is taken; of none, nothing.
        """
        if heard is None:
            return self.general
        own, count = Normalizer.of(heard), heard.recordings
        mean = (count * own.mean + PRIOR * self.general.mean) / (count + PRIOR)
        return Normalizer(mean, own.std if count >= OWN_DEVIATION else self.within)

    def part(self, rows: slice) -> "SpeakerNormalizer":
        """The same of some of the feature rows."""
        return SpeakerNormalizer(self.general.part(rows), self.within[rows])

    def to_dict(self) -> dict[str, list[float]]:
        """Plain data that `from_dict` reads back exactly."""
        return {**self.general.to_dict(), WITHIN: self.within.tolist()}

    @classmethod
    def from_dict(cls, data: JsonMapping) -> Self:
        """What `to_dict` wrote."""
        general = Normalizer.from_dict(data)
        within = np.asarray(data[WITHIN], np.float64)
        return cls(general, Normalizer(general.mean, within).std)  # checked as a normaliser's deviation is
