"""One call that labels a recording: `EmotionRecognizer`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from nni_emodarts.data.features.normalization import Normalizer
from nni_emodarts.deploy.enrolment import (
    BY_AND_BY,
    NOT_ADAPTED,
    Enrolment,
    RunningVoice,
    Utterance,
    adapted,
    enrolled,
    file_of,
    own_voice,
    rate_of,
    statistics_of,
)
from nni_emodarts.deploy.given import Recording, name_of
from nni_emodarts.deploy.listening import Source, hear, stream, survey_whole
from nni_emodarts.deploy.predictions import Failure, Moment, Prediction
from nni_emodarts.deploy.windows import SILENCE_DB, Silence, Span, check_windows, count_spans, cut, spans
from nni_emodarts.errors import AudioError, ConfigError, EmodartsError, RunFolderError
from nni_emodarts.runtime.progress import Progress, silent

WINDOW = 3.0
"""Seconds of a window: about the length of an utterance."""
OVERLAP = 0.5
WINDOWS_AT_ONCE = 8
"""Windows of a long recording that are recognised together."""
BATCH_SECONDS = 120.0
"""Length of a batch, padding included; beyond it memory grows and nothing is gained."""


class Network(Protocol):
    """N waveforms (S,) at the network's sampling rate -> answers (N, K + D); see also `AdaptedNetwork`."""

    def __call__(self, waveforms: Sequence[np.ndarray], /) -> np.ndarray:
        """Recognise."""
        ...


Voice = Enrolment | Sequence[Recording]
"""Recordings of one voice, or what `EmotionRecognizer.enrol` made of them."""


_Piece = tuple[Span, np.ndarray]
"""A window's place, and its samples (S,)."""


class EmotionRecognizer:
    """Recognises emotions in recordings of any sampling rate, channel count and format that libsndfile reads.

    Attributes:
        labels: names of the classes; none of a network that answers in dimensions alone.
        dimensions: names of the dimensions that it answers in, too.
        sampling_rate: what the network hears, in Hz; recordings are resampled to it.
        speaker_adapted: whether the network is normalised by speaker, so that it takes an enrolment.

    Args:
        network: waveforms -> probabilities of the classes, then values in the dimensions.
        labels: names of the classes, in the order of the network's outputs.
        sampling_rate: of the waveforms, in Hz.
        dimensions: names of the dimensions, likewise.
    """

    def __init__(
        self, network: Network, labels: Sequence[str], sampling_rate: int, dimensions: Sequence[str] = ()
    ) -> None:
        self._network = network
        self.labels = tuple(labels)
        self.dimensions = tuple(dimensions)
        self.sampling_rate = sampling_rate
        self._statistics = statistics_of(network)
        self.speaker_adapted = self._statistics is not None

    @classmethod
    def from_run(
        cls,
        path: str | Path,
        fold: int | None = None,
        seed: int | None = None,
        device: str = "cpu",
        front_end: str | None = None,
    ) -> Self:
        """The recogniser of a run folder. Nothing in the folder is executed: weights are safetensors, the rest is text.

        Args:
            path: what `emodarts retrain` wrote; of several networks the final one is taken.
            fold: takes the network of this fold.
            seed: likewise of this seed.
            device: where the network computes, such as `cpu` or `cuda`.
            front_end: where the weights of its pretrained encoder are, where they are not where the run had them: a
                folder, say. Others than the run's are refused.

        Raises:
            RunFolderError: there is no such network, several fit, or files are missing or broken.
            FrontEndError: the weights of its pretrained encoder cannot be had, or are others.
        """
        from nni_emodarts.deploy.folder import open_network

        found = open_network(path, fold, seed).hearing_with(front_end)  # refused before seconds of imports
        from nni_emodarts.deploy.torch_network import read_network

        return cls(read_network(found, device), found.labels, found.sampling_rate, found.outputs.dimensions)

    @classmethod
    def from_onnx(cls, path: str | Path) -> Self:
        """The recogniser of a file that `emodarts export` wrote; it needs no PyTorch.

        Raises:
            RunFolderError: the file is missing, broken or another kind of network.
        """
        from nni_emodarts.deploy.onnx_network import OnnxNetwork

        network = OnnxNetwork(path)
        return cls(network, network.labels, network.sampling_rate, network.outputs.dimensions)

    @classmethod
    def load(
        cls, path: str | Path, fold: int | None = None, seed: int | None = None, front_end: str | None = None
    ) -> Self:
        """`from_onnx` for a name that ends in .onnx, else `from_run`.

        Raises:
            RunFolderError: as for these.
        """
        if Path(path).suffix != ".onnx":
            return cls.from_run(path, fold, seed, front_end=front_end)
        if front_end is not None:
            raise RunFolderError(f"exported model {path} holds its encoder; leave front_end out")
        if fold is not None or seed is not None:
            raise RunFolderError(f"exported model {path} is one network; leave fold and seed out")
        return cls.from_onnx(path)

    def enrol(self, recordings: Sequence[Recording], sampling_rate: int | None = None) -> Enrolment:
        """Listen to recordings of one voice, which need no label; what is found can be given for many recordings.

        Args:
            recordings: files or samples, as for `predict`.
            sampling_rate: of samples, in Hz.

        Raises:
            ConfigError: there are none, or the network is not speaker-adapted.
            AudioError: one of them cannot be used.
        """
        network: Any = self._network
        if self._statistics is None:
            raise ConfigError(NOT_ADAPTED)
        heard = (
            (file_of(each), hear(Source.of(each, rate_of(each, sampling_rate)), self.sampling_rate).waveform)
            for each in recordings
        )
        return enrolled(network, self._statistics, heard)

    def predict(
        self, recording: Recording, sampling_rate: int | None = None, *, enrolment: Voice | None = None
    ) -> Prediction:
        """Recognise one recording as one utterance.

        Args:
            recording: a file's name, its bytes (an upload, say), a file that is open in binary mode, or samples (S,),
                (S, channels) or (channels, S) as an array or a tensor; channels are averaged. Whole numbers are scaled
                by their type, floats are taken as -1 to 1.
            sampling_rate: of samples, in Hz; a file states its own.
            enrolment: other recordings of the same voice, for a speaker-adapted network. The recording itself is no
                part of them: a file that is named in both is left out.

        Raises:
            AudioError: it is none of these, no audio, empty, silent, shorter than 0.1 s or longer than ten minutes.
            ConfigError: an enrolment for a network that is not speaker-adapted.
        """
        source = Source.of(recording, sampling_rate)
        voice = self._enrolled(enrolment, sampling_rate)
        return self._answer([Utterance(source.name, hear(source, self.sampling_rate), own_voice(voice, recording))])[0]

    def predict_many(
        self,
        recordings: Iterable[Recording],
        sampling_rate: int | None = None,
        batch_size: int = 1,
        *,
        enrolment: Voice | None = None,
    ) -> Iterator[Prediction | Failure]:
        """Recognise recordings one after the other, in their order; a bad one is a `Failure` and ends nothing.

        Args:
            recordings: files or samples, as for `predict`.
            sampling_rate: of samples, in Hz.
            batch_size: recordings that are recognised together. Answers do not depend on it.
            enrolment: as for `predict`, one voice for all of them.

        Raises:
            ConfigError: an enrolment for a network that is not speaker-adapted.
        """
        voice = self._enrolled(enrolment, sampling_rate)
        rest = iter(recordings)
        while batch := list(islice(rest, max(batch_size, 1))):
            yield from self._answer_batch([self._try_to_hear(each, sampling_rate, voice) for each in batch])

    def predict_over_time(
        self,
        recording: Recording,
        sampling_rate: int | None = None,
        window: float = WINDOW,
        overlap: float = OVERLAP,
        silence_db: float | None = SILENCE_DB,
        progress: Progress = silent,
        *,
        enrolment: Voice | None = None,
    ) -> Iterator[Moment]:
        """Recognise a recording of any length window by window, as it is read.

        A speaker-adapted network takes it for one voice, which it knows the better the longer it has heard it.

        Args:
            recording: a file or samples, as for `predict`.
            sampling_rate: of samples, in Hz.
            window: length of a window in seconds. The last one ends with the recording; a recording that is shorter is
                one window.
            overlap: share of a window that the next one repeats.
            silence_db: a window is silent where less than a tenth of it comes within so many dB of the recording's
                loud parts; it is not recognised. None recognises all.
            progress: called after each group of windows.
            enrolment: as for `predict`; windows that have ended are added to it.

        Raises:
            AudioError: the recording cannot be used.
            ConfigError: a value out of bounds.
        """
        check_windows(window, overlap, silence_db)
        source = Source.of(recording, sampling_rate)
        survey = survey_whole(source)
        rate = self.sampling_rate
        size = round(window * rate)
        total = -(-survey.samples * rate // survey.rate)
        windows = total, size, max(1, round((1 - overlap) * size))
        silence = Silence(survey, silence_db)
        notes = tuple(survey.notes(rate))
        voice = own_voice(self._enrolled(enrolment, sampling_rate), recording)
        if self.speaker_adapted and voice is None:
            notes += (BY_AND_BY,)
        recognise = self._follower(source.name, voice)
        pieces = zip(spans(*windows), cut(stream(source, rate), spans(*windows)), strict=True)
        done, count = 0, count_spans(*windows)
        while group := list(islice(pieces, WINDOWS_AT_ONCE)):
            spoken = [piece for piece in group if not silence(piece[0][0] / rate, piece[0][1] / rate)]
            rows = iter(recognise(spoken) if spoken else ())
            for (first, last), _ in group:
                start, end = first / rate, last / rate
                if silence(start, end):
                    yield Moment(source.name, start, end, None, {}, notes)
                else:
                    emotion, probabilities, values = self._name(next(rows))
                    yield Moment(source.name, start, end, emotion, probabilities, notes, values)
                notes = ()
            done += len(group)
            progress(f"windows of {source.name}", done, count)

    def _enrolled(self, voice: Voice | None, sampling_rate: int | None) -> Enrolment | None:
        return voice if voice is None or isinstance(voice, Enrolment) else self.enrol(voice, sampling_rate)

    def _follower(self, name: str, voice: Enrolment | None) -> Callable[[Sequence[_Piece]], np.ndarray]:
        """What answers windows that come one after the other: pieces -> answers (N, K + D)."""
        if self._statistics is None:
            return lambda pieces: self._recognise(name, [waveform for _, waveform in pieces])
        follow = RunningVoice(self._statistics, voice).following(self._network)
        return lambda pieces: self._checked(name, lambda: np.stack([follow(*piece) for piece in pieces]))

    def _try_to_hear(
        self, recording: Recording, sampling_rate: int | None, voice: Enrolment | None
    ) -> Utterance | Failure:
        name = name_of(recording)
        try:
            heard = hear(Source.of(recording, sampling_rate), self.sampling_rate)
        except AudioError as error:
            return Failure(name, error)
        return Utterance(name, heard, own_voice(voice, recording))

    def _answer_batch(self, batch: Sequence[Utterance | Failure]) -> Iterator[Prediction | Failure]:
        heard = [each for each in batch if isinstance(each, Utterance)]
        longest = max((len(each.heard.waveform) for each in heard), default=0)
        found: Iterator[Prediction] | None = None
        if len(heard) > 1 and len(heard) * longest <= BATCH_SECONDS * self.sampling_rate:
            with suppress(AudioError):  # one of them cannot be answered: each is tried by itself
                found = iter(self._answer(heard))
        for each in batch:
            if isinstance(each, Failure):
                yield each
            else:
                yield self._try_to_answer(each) if found is None else next(found)

    def _try_to_answer(self, utterance: Utterance) -> Prediction | Failure:
        try:
            return self._answer([utterance])[0]
        except AudioError as error:
            return Failure(utterance.name, error)

    def _answer(self, utterances: Sequence[Utterance]) -> list[Prediction]:
        waveforms = [each.heard.waveform for each in utterances]
        notes = [each.heard.notes for each in utterances]
        normalizers: Sequence[Normalizer] | None = None
        if self._statistics is not None:
            normalizers, more = zip(*(adapted(self._statistics, each.voice) for each in utterances), strict=True)
            notes = [own + added for own, added in zip(notes, more, strict=True)]
        rows = self._recognise(utterances[0].name, waveforms, normalizers)
        names = (each.name for each in utterances)
        found = zip(names, map(self._name, rows), notes, strict=True)
        return [Prediction(name, emotion, shares, own, values) for name, (emotion, shares, values), own in found]

    def _recognise(
        self, name: str, waveforms: Sequence[np.ndarray], normalizers: Sequence[Normalizer] | None = None
    ) -> np.ndarray:
        network: Any = self._network
        return self._checked(name, lambda: network(waveforms, *([] if normalizers is None else [normalizers])))

    def _checked(self, name: str, answer: Callable[[], np.ndarray]) -> np.ndarray:
        """Answers (N, K + D); never one that is no number."""
        try:
            rows = answer()
        except AudioError as error:
            raise AudioError(f"{name}: {error}") from None
        if not np.isfinite(rows).all():
            raise EmodartsError(f"{name}: the network's answer is no number; its weights are broken, so retrain it")
        return rows

    def _name(self, row: np.ndarray) -> tuple[str | None, dict[str, float], dict[str, float]]:
        """The most probable class, the probability of each, and the value in each dimension."""
        named = dict(zip((*self.labels, *self.dimensions), map(float, row), strict=True))
        values = {name: named.pop(name) for name in self.dimensions}
        return (max(named, key=named.__getitem__) if named else None), named, values
