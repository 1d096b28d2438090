"""An exported network under onnxruntime: waveforms in, answers out, without PyTorch."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from nni_emodarts.data.features.adaptation import SpeakerNormalizer
from nni_emodarts.data.features.moments import Moments
from nni_emodarts.data.features.normalization import Normalizer
from nni_emodarts.data.outputs import Outputs
from nni_emodarts.errors import AudioError, RunFolderError
from nni_emodarts.runtime.digests import is_damaged
from nni_emodarts.runtime.plain_data import JsonObject

INPUT, OUTPUT = "waveform", "probabilities"
RATED = "dimensions"
"""Output of a network that answers in dimensions: values (N, D) on their scales; and key of their names and bounds."""
VOICE = ("speaker_mean", "speaker_deviation")
"""Inputs that may be left out, of a network that is normalised by speaker: (N, R) or (1, R)."""
STATISTICS = ("feature_means", "feature_squares", "frames")
"""Outputs of such a network: means (N, R) of its features, sums of their squared deviations (N, R), frames (N,)."""
SPEAKER_ADAPTED = "speaker_adapted"
"""Key of what such a network knows of its training speakers, as JSON."""
LABELS, SAMPLING_RATE = "labels", "sampling_rate"
"""Keys of the file's metadata: names of the classes as a JSON list, and Hz."""
FRONT_END, LONGEST = "front_end", "longest"
"""Further keys, of a file that holds a pretrained encoder: what it is, and seconds that it hears at once."""
SAMPLING_RATES = (1_000, 192_000)
"""Lowest and highest sampling rate of a network in Hz: recordings that are resampled to more would fill memory."""
DIGEST = "digest"
"""Key of the digest of all else in the file: `sha256:` and 64 hex digits."""
PRODUCER = "nni_emodarts"
_MARK = b"\x12" + bytes([len(PRODUCER)]) + PRODUCER.encode()
"""How the producer's name lies in a file (field 2 of ONNX's ModelProto)."""
_MOST_BYTES = 2**31
"""Of an ONNX file, by its own format."""
_ERRORS_ONLY = 3


class OnnxNetwork:
    """A file that `emodarts export` wrote.

    Attributes:
        labels: names of the classes (K).
        outputs: what it answers: these classes, then dimensions with their scales.
        sampling_rate: of its waveforms, in Hz.
        statistics: of its training speakers, where it is normalised by speaker.
        longest: seconds that it hears at once; None where there is no limit.

    Args:
        model: the file, or its bytes.

    Raises:
        RunFolderError: it is missing, broken or damaged, or another network than `emodarts export` writes.
    """

    def __init__(self, model: str | Path | bytes) -> None:
        name = "exported model" if isinstance(model, bytes) else f"exported model {model}"
        data = model if isinstance(model, bytes) else _read(Path(model), name)
        if is_damaged(data, _MARK):  # before onnxruntime makes of it what it likes
            raise RunFolderError(
                f"{name} is damaged: it is not what emodarts export wrote; copy it anew, or export again"
            )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        # threads that wait by spinning cost more than they save as soon as another process wants the cores
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own kinds have no common base but this
            reason = str(error).splitlines()[0]
            raise RunFolderError(f"{name} cannot be loaded ({reason}); write it anew by emodarts export") from None
        self.outputs, self.sampling_rate, self.longest = self._describe(name)
        self.labels = self.outputs.classes
        self._answers = [*([OUTPUT] if self.labels else []), *([RATED] if self.outputs.dimensions else [])]
        self.statistics = self._read_statistics(name)

    def _describe(self, name: str) -> tuple[Outputs, int, float | None]:
        metadata: JsonObject = self._session.get_modelmeta().custom_metadata_map
        inputs = [each.name for each in self._session.get_inputs()]
        try:
            labels = json.loads(metadata[LABELS])
            rate = int(metadata[SAMPLING_RATE])
            longest = float(metadata[LONGEST]) if LONGEST in metadata else None
        except (KeyError, ValueError, RecursionError):
            labels, rate, longest = None, 0, None
        if inputs != [INPUT] or not isinstance(labels, list):
            raise RunFolderError(
                f"{name} takes {', '.join(inputs)} and is not what emodarts export writes ({INPUT} in, with "
                f"{LABELS} and {SAMPLING_RATE} in its metadata); export the run that it comes from"
            )
        low, high = SAMPLING_RATES
        if not low <= rate <= high:
            fault = f"{name} states a sampling rate of {rate} Hz, outside {low} to {high}"
            raise RunFolderError(f"{fault}; export the run that it comes from")
        return self._meaning(name, tuple(map(str, labels))), rate, longest

    def _meaning(self, name: str, labels: tuple[str, ...]) -> Outputs:
        """What it answers."""
        stated = self._session.get_modelmeta().custom_metadata_map.get(RATED)
        if stated is None:
            return Outputs(labels)
        try:
            return Outputs.from_dict(labels, json.loads(stated))
        except (ValueError, RecursionError) as error:
            raise RunFolderError(
                f"{name}: what it says of its dimensions is broken ({error}); export the run that it comes from"
            ) from None

    def _read_statistics(self, name: str) -> SpeakerNormalizer | None:
        stated = self._session.get_modelmeta().custom_metadata_map.get(SPEAKER_ADAPTED)
        if stated is None:
            return None
        try:
            return SpeakerNormalizer.from_dict(json.loads(stated))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise RunFolderError(
                f"{name}: what it knows of its training speakers is broken ({error}); export the run that it comes from"
            ) from None

    def __call__(self, waveforms: Sequence[np.ndarray], normalizers: Sequence[Normalizer] | None = None) -> np.ndarray:
        """N waveforms (S,) at `sampling_rate` -> answers (N, K + D): probabilities, then values.

        The graph takes no lengths, so that padding would count as silence: only equally long waveforms share a run.

        Args:
            waveforms: what to recognise.
            normalizers: what normalises each, of a network that is normalised by speaker.

        Raises:
            AudioError: one is longer than `longest`.
        """
        seconds = max(len(waveform) for waveform in waveforms) / self.sampling_rate
        if self.longest is not None and seconds > self.longest:
            raise AudioError(
                f"lasts {seconds:.1f} s, more than the {self.longest:g} s that the encoder in the file hears at once; "
                f"cut it, recognise it --over-time, or with the run folder"
            )
        if len({len(waveform) for waveform in waveforms}) > 1:
            each = [None] * len(waveforms) if normalizers is None else [[one] for one in normalizers]
            return np.concatenate([self([waveform], own) for waveform, own in zip(waveforms, each, strict=True)])
        return np.concatenate(self._run(self._answers, waveforms, normalizers), 1)

    def follow(self, waveform: np.ndarray, normalizer: Normalizer) -> tuple[np.ndarray, Moments]:
        """Waveform (S,) -> answers (K + D,), and the statistics of its features before they are normalised."""
        *answers, means, squares, frames = self._run([*self._answers, *STATISTICS], [waveform], [normalizer])
        return np.concatenate(answers, 1)[0], Moments(np.asarray(frames, np.float64), means, squares)

    def _run(
        self, wanted: list[str], waveforms: Sequence[np.ndarray], normalizers: Sequence[Normalizer] | None
    ) -> list[np.ndarray]:
        given = {INPUT: np.stack(waveforms).astype(np.float32, copy=False)}
        if normalizers is not None:
            pairs = zip(*((each.mean, each.std) for each in normalizers), strict=True)
            given |= {name: np.stack(values).astype(np.float32) for name, values in zip(VOICE, pairs, strict=True)}
        return list(self._session.run(wanted, given))


def _read(file: Path, name: str) -> bytes:
    if not file.is_file():
        raise RunFolderError(f"{name} does not exist; write it by emodarts export")
    if file.stat().st_size > _MOST_BYTES:
        raise RunFolderError(f"{name} is larger than any ONNX file (2 GB); name what emodarts export wrote")
    try:
        return file.read_bytes()
    except OSError as error:
        raise RunFolderError(f"{name} cannot be read ({error.strerror or error}); write it anew") from None
