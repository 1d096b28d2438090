"""What a speaker-adapted network knows of a voice: recordings of it, which need no label."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nni_emodarts.data.features.adaptation import SpeakerNormalizer
from nni_emodarts.data.features.moments import Moments, Pooled
from nni_emodarts.data.features.normalization import Normalizer
from nni_emodarts.deploy.given import Recording
from nni_emodarts.deploy.listening import Heard
from nni_emodarts.deploy.windows import Span
from nni_emodarts.errors import ConfigError

NOT_ADAPTED = "enrolment: the network is not speaker-adapted; leave it out, or name another network"
FEW = 5
"""Recordings of a voice below which an answer carries a note: fewer help little."""
UNKNOWN_VOICE = (
    "speaker-adapted network without enrolment: heard by the mean of its training speakers; give some recordings of "
    "the voice as enrolment"
)


BY_AND_BY = (
    "speaker-adapted network without enrolment: the first windows are heard by the mean of its training speakers, "
    "later ones by what came before, as one voice"
)


class AdaptedNetwork(Protocol):
    """A network that is normalised by speaker."""

    @property
    def statistics(self) -> SpeakerNormalizer | None:
        """Of its training speakers; None of a network that is not normalised by speaker."""
        ...

    def __call__(self, waveforms: Sequence[np.ndarray], normalizers: Sequence[Normalizer] | None = None) -> np.ndarray:
        """N waveforms (S,), and what normalises each -> probabilities (N, K)."""
        ...

    def follow(self, waveform: np.ndarray, normalizer: Normalizer) -> tuple[np.ndarray, Moments]:
        """Waveform (S,) -> probabilities (K,), and the statistics of its features before they are normalised."""
        ...


@dataclass(frozen=True, eq=False)
class Enrolment:
    """Recordings of one voice, as `EmotionRecognizer.enrol` gives them.

    Attributes:
        files: where each lies; None of one that is no file.
        moments: what is known of them.
    """

    files: tuple[Path | None, ...]
    moments: Moments

    def __len__(self) -> int:
        return len(self.files)

    def without(self, recording: Recording) -> "Enrolment | None":
        """The enrolment for a recording, which is no part of its own voice's statistics; None where nothing is left."""
        own = file_of(recording)
        kept = [number for number, file in enumerate(self.files) if file is None or file != own]
        if len(kept) == len(self):
            return self
        return (
            Enrolment(tuple(self.files[number] for number in kept), self.moments.pick(np.array(kept))) if kept else None
        )


def file_of(recording: Recording) -> Path | None:
    """Where a recording lies, if it is a file's name."""
    return Path(os.fsdecode(recording)).resolve() if isinstance(recording, str | os.PathLike) else None


def statistics_of(network: object) -> SpeakerNormalizer | None:
    """What a network knows of its training speakers; None of one that is not normalised by speaker."""
    return getattr(network, "statistics", None)


def enrolled(
    network: AdaptedNetwork, statistics: SpeakerNormalizer, waveforms: Iterable[tuple[Path | None, np.ndarray]]
) -> Enrolment:
    """The enrolment of recordings.

    Args:
        network: whose features are taken.
        statistics: of its training speakers.
        waveforms: where each lies, and its samples (S,).

    Raises:
        ConfigError: there are none.
    """
    found = [(file, network.follow(waveform, statistics.general)[1]) for file, waveform in waveforms]
    if not found:
        raise ConfigError("enrolment: 0 recordings are given; give some of the voice, or leave it out")
    return Enrolment(tuple(file for file, _ in found), Moments.join(moments for _, moments in found))


def adapted(statistics: SpeakerNormalizer, enrolment: Enrolment | None) -> tuple[Normalizer, tuple[str, ...]]:
    """What normalises a voice, and what is to be said of it."""
    if enrolment is None:
        return statistics.general, (UNKNOWN_VOICE,)
    few = f"speaker-adapted by {len(enrolment)} recordings of the voice alone; {FEW} or more help"
    return statistics.adapted(enrolment.moments.pooled), (few,) if len(enrolment) < FEW else ()


class RunningVoice:
    """What is known of a voice as a recording goes on: its enrolment, and each window that has ended by now.

    A window is no part of its own statistics, nor is one that shares a frame with it.

    Args:
        statistics: of the training speakers.
        enrolment: recordings of the voice, if any.
    """

    def __init__(self, statistics: SpeakerNormalizer, enrolment: Enrolment | None) -> None:
        self._statistics = statistics
        self._known: Pooled | None = None if enrolment is None else enrolment.moments.pooled
        self._waiting: deque[tuple[int, Pooled]] = deque()

    def before(self, first: int) -> Normalizer:
        """What normalises a window that begins at a sample; windows come in the order of their beginnings."""
        while self._waiting and self._waiting[0][0] <= first:
            ended = self._waiting.popleft()[1]
            self._known = ended if self._known is None else self._known.joined(ended)
        return self._statistics.adapted(self._known)

    def add(self, last: int, heard: Moments) -> None:
        """Add a window that ends before a sample."""
        self._waiting.append((last, heard.pooled))

    def following(self, network: Any) -> Callable[[Span, np.ndarray], np.ndarray]:
        """What a network answers to one window after the other: place, samples (S,) -> probabilities (K,)."""

        def follow(span: Span, waveform: np.ndarray) -> np.ndarray:
            row, heard = network.follow(waveform, self.before(span[0]))
            self.add(span[1], heard)
            return np.asarray(row)

        return follow


@dataclass(frozen=True)
class Utterance:
    """A recording that is to be recognised.

    Attributes:
        name: what its answer calls it.
        heard: its samples.
        voice: other recordings of its voice, if any.
    """

    name: str
    heard: Heard
    voice: Enrolment | None


def own_voice(voice: Enrolment | None, recording: Recording) -> Enrolment | None:
    """What is enrolled of a recording's voice without the recording."""
    return None if voice is None else voice.without(recording)


def rate_of(recording: Recording, sampling_rate: int | None) -> int | None:
    """The rate that is given with recordings of one enrolment, for those that do not state their own."""
    states_its_own = isinstance(recording, str | os.PathLike | bytes | bytearray | memoryview)
    return None if states_its_own or hasattr(recording, "read") else sampling_rate
