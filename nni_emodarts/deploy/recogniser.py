"""One call that labels a recording: `EmotionRecognizer`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from nni_emodarts.deploy.given import Recording, name_of
from nni_emodarts.deploy.listening import Heard, Source, hear, stream, survey_whole
from nni_emodarts.deploy.windows import SILENCE_DB, Silence, check_windows, count_spans, cut, spans
from nni_emodarts.errors import AudioError, EmodartsError, RunFolderError
from nni_emodarts.runtime.progress import Progress, silent

WINDOW = 3.0
"""Seconds of a window: about the length of an utterance."""
OVERLAP = 0.5
WINDOWS_AT_ONCE = 8
"""Windows of a long recording that are recognised together."""
BATCH_SECONDS = 120.0
"""Length of a batch, padding included; beyond it memory grows and nothing is gained."""


class Network(Protocol):
    """N waveforms (S,) at the network's sampling rate -> probabilities (N, K)."""

    def __call__(self, waveforms: Sequence[np.ndarray], /) -> np.ndarray:
        """Recognise."""
        ...


@dataclass(frozen=True)
class Prediction:
    """What a recording was recognised as.

    Attributes:
        file: the recording; `array`, `bytes` or `file` where it has no name.
        emotion: the most probable class.
        probabilities: of each class.
        notes: what may mislead, such as clipping.
    """

    file: str
    emotion: str
    probabilities: dict[str, float]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Moment:
    """What a window of a recording was recognised as.

    Attributes:
        file: the recording; `array`, `bytes` or `file` where it has no name.
        start: where the window begins, in seconds.
        end: where it ends, in seconds.
        emotion: the most probable class; None where the window is silent.
        probabilities: of each class; empty where the window is silent.
        notes: of the whole recording, with its first window.
    """

    file: str
    start: float
    end: float
    emotion: str | None
    probabilities: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A recording that could not be recognised.

    Attributes:
        file: the recording.
        error: why, with the remedy.
    """

    file: str
    error: AudioError


class EmotionRecognizer:
    """Recognises emotions in recordings of any sampling rate, channel count and format that libsndfile reads.

    Attributes:
        labels: names of the classes.
        sampling_rate: what the network hears, in Hz; recordings are resampled to it.

    Args:
        network: waveforms -> probabilities.
        labels: names of the classes, in the order of the network's outputs.
        sampling_rate: of the waveforms, in Hz.
    """

    def __init__(self, network: Network, labels: Sequence[str], sampling_rate: int) -> None:
        self._network = network
        self.labels = tuple(labels)
        self.sampling_rate = sampling_rate

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
        from nni_emodarts.deploy.torch_network import read_network

        found = open_network(path, fold, seed).hearing_with(front_end)
        return cls(read_network(found, device), found.labels, found.sampling_rate)

    @classmethod
    def from_onnx(cls, path: str | Path) -> Self:
        """The recogniser of a file that `emodarts export` wrote; it needs no PyTorch.

        Raises:
            RunFolderError: the file is missing, broken or another kind of network.
        """
        from nni_emodarts.deploy.onnx_network import OnnxNetwork

        network = OnnxNetwork(path)
        return cls(network, network.labels, network.sampling_rate)

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

    def predict(self, recording: Recording, sampling_rate: int | None = None) -> Prediction:
        """Recognise one recording as one utterance.

        Args:
            recording: a file's name, its bytes (an upload, say), a file that is open in binary mode, or samples (S,),
                (S, channels) or (channels, S) as an array or a tensor; channels are averaged. Whole numbers are scaled
                by their type, floats are taken as -1 to 1.
            sampling_rate: of samples, in Hz; a file states its own.

        Raises:
            AudioError: it is none of these, no audio, empty, silent, shorter than 0.1 s or longer than ten minutes.
        """
        source = Source.of(recording, sampling_rate)
        return self._answer([(source.name, hear(source, self.sampling_rate))])[0]

    def predict_many(
        self, recordings: Iterable[Recording], sampling_rate: int | None = None, batch_size: int = 1
    ) -> Iterator[Prediction | Failure]:
        """Recognise recordings one after the other, in their order; a bad one is a `Failure` and ends nothing.

        Args:
            recordings: files or samples, as for `predict`.
            sampling_rate: of samples, in Hz.
            batch_size: recordings that are recognised together. Answers do not depend on it.
        """
        rest = iter(recordings)
        while batch := list(islice(rest, max(batch_size, 1))):
            yield from self._answer_batch([self._try_to_hear(each, sampling_rate) for each in batch])

    def predict_over_time(
        self,
        recording: Recording,
        sampling_rate: int | None = None,
        window: float = WINDOW,
        overlap: float = OVERLAP,
        silence_db: float | None = SILENCE_DB,
        progress: Progress = silent,
    ) -> Iterator[Moment]:
        """Recognise a recording of any length window by window, as it is read.

        Args:
            recording: a file or samples, as for `predict`.
            sampling_rate: of samples, in Hz.
            window: length of a window in seconds. The last one ends with the recording; a recording that is shorter is
                one window.
            overlap: share of a window that the next one repeats.
            silence_db: a window is silent where less than a tenth of it comes within so many dB of the recording's
                loud parts; it is not recognised. None recognises all.
            progress: called after each group of windows.

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
        pieces = zip(spans(*windows), cut(stream(source, rate), spans(*windows)), strict=True)
        done, count = 0, count_spans(*windows)
        while group := list(islice(pieces, WINDOWS_AT_ONCE)):
            spoken = [waveform for (first, last), waveform in group if not silence(first / rate, last / rate)]
            rows = iter(self._recognise(source.name, spoken) if spoken else ())
            for (first, last), _ in group:
                start, end = first / rate, last / rate
                if silence(start, end):
                    yield Moment(source.name, start, end, None, {}, notes)
                else:
                    yield Moment(source.name, start, end, *self._name(next(rows)), notes)
                notes = ()
            done += len(group)
            progress(f"windows of {source.name}", done, count)

    def _try_to_hear(self, recording: Recording, sampling_rate: int | None) -> tuple[str, Heard | Failure]:
        name = name_of(recording)
        try:
            return name, hear(Source.of(recording, sampling_rate), self.sampling_rate)
        except AudioError as error:
            return name, Failure(name, error)

    def _answer_batch(self, batch: Sequence[tuple[str, Heard | Failure]]) -> Iterator[Prediction | Failure]:
        heard = [(name, each) for name, each in batch if isinstance(each, Heard)]
        longest = max((len(each.waveform) for _, each in heard), default=0)
        together = len(heard) > 1 and len(heard) * longest <= BATCH_SECONDS * self.sampling_rate
        found = iter(self._answer(heard) if together and heard else ())
        for name, each in batch:
            if isinstance(each, Failure):
                yield each
            elif together:
                yield next(found)
            else:
                yield self._try_to_answer(name, each)

    def _try_to_answer(self, name: str, heard: Heard) -> Prediction | Failure:
        try:
            return self._answer([(name, heard)])[0]
        except AudioError as error:
            return Failure(name, error)

    def _answer(self, heard: Sequence[tuple[str, Heard]]) -> list[Prediction]:
        rows = self._recognise(heard[0][0], [each.waveform for _, each in heard])
        return [Prediction(name, *self._name(row), each.notes) for (name, each), row in zip(heard, rows, strict=True)]

    def _recognise(self, name: str, waveforms: Sequence[np.ndarray]) -> np.ndarray:
        """Probabilities (N, K); never one that is no number."""
        try:
            rows = self._network(waveforms)
        except AudioError as error:
            raise AudioError(f"{name}: {error}") from None
        if not np.isfinite(rows).all():
            raise EmodartsError(f"{name}: the network's answer is no number; its weights are broken, so retrain it")
        return rows

    def _name(self, row: np.ndarray) -> tuple[str, dict[str, float]]:
        probabilities = {label: float(value) for label, value in zip(self.labels, row, strict=True)}
        return max(probabilities, key=probabilities.__getitem__), probabilities
