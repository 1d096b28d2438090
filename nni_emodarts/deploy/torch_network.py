"""A run's network in PyTorch: waveforms in, answers out."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from nni_emodarts.config import FUNCTIONALS, InputShape, SpectralStream
from nni_emodarts.data.batches import Collate, JointCollate
from nni_emodarts.data.batches.batches import Item, JointItem
from nni_emodarts.data.features import FeatureExtractor, Functionals, Moments, Normalizer, SpeakerNormalizer
from nni_emodarts.data.features.functionals import FUNCTIONAL_SETS
from nni_emodarts.data.front_ends import stream_shape
from nni_emodarts.data.front_ends.extraction import PretrainedExtractor
from nni_emodarts.data.heard import stream_extractor
from nni_emodarts.data.outputs import DIMENSIONS_KEY, Outputs
from nni_emodarts.deploy.ensemble import Averaged, parts_of
from nni_emodarts.deploy.folder import AnyStream, NetworkFolder
from nni_emodarts.errors import RunFolderError
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.baselines import Baseline, build_baseline
from nni_emodarts.models.nn.answers import decode
from nni_emodarts.models.space import build_model
from nni_emodarts.runtime.digests import refuse_damaged
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.run_folder import ARCHITECTURE, GRAPH, METRICS, NORMALIZATION, WEIGHTS

AnyExtractor = FeatureExtractor | PretrainedExtractor | Functionals
"""Waveform -> feature rows, spectral ones, a pretrained encoder's levels, or functionals."""
_Rows = tuple[np.ndarray, ...]
"""An utterance's feature rows (R, T) in each stream."""


class TorchNetwork:
    """Feature extraction, normalisation and network.

    Args:
        extractor: what makes its features; of several streams that of each.
        normalizer: of the network's training speakers; where it is normalised by speaker, what a voice's is made of. Of
            several streams, their rows one after another.
        model: maps (N, C, F, T), lengths (N,), or those of several streams -> outputs (N, K + D).
        outputs: what they mean; logits of classes where absent.
        device: where the network computes, such as `cpu` or `cuda`.
    """

    def __init__(
        self,
        extractor: AnyExtractor | Sequence[AnyExtractor],
        normalizer: Normalizer | SpeakerNormalizer,
        model: nn.Module,
        device: str = "cpu",
        outputs: Outputs | None = None,
    ) -> None:
        self.outputs = outputs
        self.extractors = tuple(extractor) if isinstance(extractor, Sequence) else (extractor,)
        self.statistics = normalizer if isinstance(normalizer, SpeakerNormalizer) else None
        self.normalizer = normalizer.general if isinstance(normalizer, SpeakerNormalizer) else normalizer
        self.model = model.to(device).eval()
        self._device = torch.device(device)
        self._collate = [_collate(each) for each in self.extractors]

    @property
    def extractor(self) -> AnyExtractor:
        """What makes its features; of several streams those of the first."""
        return self.extractors[0]

    def __call__(self, waveforms: Sequence[np.ndarray], normalizers: Sequence[Normalizer] | None = None) -> np.ndarray:
        """N waveforms (S,) at the network's sampling rate -> answers (N, K + D): probabilities, then values.

        Args:
            waveforms: what to recognise.
            normalizers: what normalises each, of a network that is normalised by speaker.
        """
        own = normalizers or [self.normalizer] * len(waveforms)
        heard = zip(own, self._hear(waveforms), strict=True)
        return self._answer([self._normalised(each, features) for each, features in heard])

    def follow(self, waveform: np.ndarray, normalizer: Normalizer) -> tuple[np.ndarray, Moments]:
        """Waveform (S,) -> answers (K + D,), and the statistics of its features before they are normalised."""
        (features,) = self._hear([waveform])
        heard = Moments.beside([Moments.of(each) for each in features])
        return self._answer([self._normalised(normalizer, features)])[0], heard

    def parts(self, normalizer: Normalizer) -> list[Normalizer]:
        """A normaliser of all rows as that of each stream."""
        return list(map(normalizer.part, rows_of(self.extractors)))

    def _normalised(self, normalizer: Normalizer, features: _Rows) -> _Rows:
        return tuple(own(each) for own, each in zip(self.parts(normalizer), features, strict=True))

    def _hear(self, waveforms: Sequence[np.ndarray]) -> list[_Rows]:
        """N waveforms (S,) -> feature rows of each, not normalised yet."""
        streams = (
            each.many(waveforms) if isinstance(each, PretrainedExtractor) else list(map(each, waveforms))
            for each in self.extractors
        )
        return list(zip(*streams, strict=True))

    @torch.inference_mode()
    def _answer(self, features: Sequence[_Rows]) -> np.ndarray:
        """N utterances' normalised rows -> answers (N, K + D)."""
        items = [JointItem(tuple(map(torch.from_numpy, each)), 0, row) for row, each in enumerate(features)]
        if len(self._collate) > 1:
            batch = JointCollate(self._collate)(items)
        else:
            batch = self._collate[0]([Item(item.features[0], 0, item.row) for item in items])
        with _float32():
            outputs = self.model(*batch.heard(self._device))
        return decode(outputs, self.outputs)


def rows_of(extractors: Sequence[AnyExtractor]) -> list[slice]:
    """The rows of each stream, where those of all lie one after another."""
    ends = np.cumsum([each.feature_rows for each in extractors]).tolist()
    return [slice(first, last) for first, last in zip([0, *ends], ends, strict=False)]


def _collate(extractor: AnyExtractor) -> Collate:
    """How feature rows become maps."""
    if isinstance(extractor, PretrainedExtractor):
        levels, features = extractor.facts.input_shape
        return Collate(features, levels=levels)
    if isinstance(extractor, Functionals):
        return Collate(extractor.feature_rows)
    return Collate(extractor.frequency_bins, extractor.deltas)


@contextmanager
def _float32() -> Iterator[None]:
    """A GPU computes in float32 rather than TF32, as the run did; cuDNN's other settings are the caller's."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def read_network(network: NetworkFolder, device: str = "cpu") -> TorchNetwork:
    """The network of a run, with its weights.

    Args:
        network: the run's files.
        device: where it computes.

    Raises:
        RunFolderError: files that do not belong together, or are damaged.
    """
    place, joined = "cpu" if device == "cpu" else "gpu", network.config.features.functionals
    extractors: list[AnyExtractor] = [stream_extractor(stream, place) for stream in network.streams]
    if joined is not None:
        extractors.append(Functionals(joined))
    if network.members:
        joint = _joint_normalizer(network)
        return TorchNetwork(extractors, joint, _averaged(network), device, network.outputs)
    return TorchNetwork(extractors, _read_normalizer(network), read_model(network), device, network.outputs)


def read_model(network: NetworkFolder) -> nn.Module:
    """The network with its weights, on the CPU.

    Raises:
        RunFolderError: files that do not belong together, or are damaged.
    """
    model = _build(network)
    _read_weights(model, network)
    refuse_damaged(network.folder, (WEIGHTS, NORMALIZATION, GRAPH))
    return model


def _averaged(network: NetworkFolder) -> Averaged:
    """The networks of an ensemble as one."""
    members, shares = zip(*network.members, strict=True)
    parts = [parts_of(member, network.streams) for member in members]
    return Averaged(list(map(read_model, members)), shares, network.outputs.num_classes, parts)


def _joint_normalizer(network: NetworkFolder) -> Normalizer | SpeakerNormalizer:
    """Of all rows that any member of an ensemble hears; members that hear the same normalise it alike.

    Raises:
        RunFolderError: they do not, so that they are of two runs.
    """
    known: dict[tuple[str, int | None], Normalizer | SpeakerNormalizer] = {}
    for member, _ in network.members:
        own, first = _read_normalizer(member), 0
        for key, rows in _levels_of(member, member.streams):
            part = own.part(slice(first, first + rows))
            if key in known and known[key].to_dict() != part.to_dict():
                raise RunFolderError(
                    f"ensemble {network.folder.path}: its members normalise {key[0]} differently; they are of two runs"
                )
            known[key] = part
            first += rows
    return _beside([known[key] for key, _ in _levels_of(network, network.streams)])


def _beside(parts: Sequence[Normalizer | SpeakerNormalizer]) -> Normalizer | SpeakerNormalizer:
    """One normaliser of the rows of several of a kind, one after another."""
    return type(parts[0]).beside(parts)  # type: ignore[arg-type]  # all are of its kind


def _levels_of(network: NetworkFolder, streams: Sequence[AnyStream]) -> Iterator[tuple[tuple[str, int | None], int]]:
    """What is heard in the order of its rows, level by level, and how many rows each has; all but levels have none.

    Args:
        network: the run's files.
        streams: those that it hears, or those that its features hold.
    """
    for stream in streams:
        if isinstance(stream, SpectralStream):
            yield (stream.name, None), stream_extractor(stream).feature_rows
            continue
        count, features = stream_shape(stream)
        for level in stream.levels or range(count):
            yield (stream.name, level), features
    if (joined := network.config.features.functionals) is not None:
        yield (FUNCTIONALS, None), FUNCTIONAL_SETS[joined]


def _build(network: NetworkFolder) -> nn.Module:
    """The network, newly initialised: searched, or designed by hand where the run holds no architecture."""
    count, shapes = network.outputs.count, {stream.name: stream_shape(stream) for stream in network.whole_streams}
    if (joined := network.config.features.functionals) is not None:
        shapes[FUNCTIONALS] = (1, FUNCTIONAL_SETS[joined])
    first, *others = shapes.values()
    shape: InputShape = shapes if others else first
    if network.folder.has(ARCHITECTURE):
        architecture = Architecture.load(network.folder.path / ARCHITECTURE)
        return build_model(architecture.widened(network.config.retrain.width), count, shape)
    return build_baseline(Baseline(str(network.folder.read_json(METRICS).get("architecture"))), count, first)


def _read_normalizer(network: NetworkFolder) -> Normalizer | SpeakerNormalizer:
    """Of the rows that are heard; the file has those of all levels of a pretrained encoder, of each stream in turn."""
    heard = {key for key, _ in _levels_of(network, network.streams)}
    normalizer, rows, parts = read_whole_normalizer(network), 0, []
    for key, count in _levels_of(network, network.whole_streams):
        if key in heard:
            parts.append(slice(rows, rows + count))
        rows += count
    return _beside([normalizer.part(part) for part in parts])


def read_whole_normalizer(network: NetworkFolder) -> Normalizer | SpeakerNormalizer:
    """Of all rows that its features have, be they heard or not.

    Raises:
        RunFolderError: the file is broken, or of other features.
    """
    rows = sum(count for _, count in _levels_of(network, network.whole_streams))
    data = network.folder.read_json(NORMALIZATION)
    kind = SpeakerNormalizer if network.config.speaker_adapted else Normalizer
    try:
        normalizer: Normalizer | SpeakerNormalizer = kind.from_dict(data)
    except (KeyError, TypeError, ValueError) as error:
        raise RunFolderError(
            f"network {network.folder.path}: {NORMALIZATION} is broken ({error}); retrain it"
        ) from None
    held = len(normalizer.general.mean if isinstance(normalizer, SpeakerNormalizer) else normalizer.mean)
    if held != rows:
        raise RunFolderError(
            f"network {network.folder.path}: {NORMALIZATION} has {held} rows, but the features of its "
            f"configuration have {rows}; the folder mixes two runs"
        )
    return normalizer


def _read_weights(model: nn.Module, network: NetworkFolder) -> None:
    """Fill a network; the format holds numbers only, so that reading it can run no code."""
    path = network.folder.path / WEIGHTS
    try:
        with safe_open(path, "pt") as file:
            weights: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata: JsonObject = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise RunFolderError(f"network {network.folder.path}: {WEIGHTS} cannot be read ({error})") from None
    stated = metadata.get("labels")
    if stated is not None and stated != "\t".join(network.labels):
        raise RunFolderError(
            f"network {network.folder.path}: {WEIGHTS} is of the classes {', '.join(stated.split(chr(9)))}, but "
            f"{METRICS} of {', '.join(network.labels)}; the folder mixes two runs"
        )
    rated = json.dumps(network.outputs.to_dict()) if network.outputs.dimensions else None
    if stated is not None and metadata.get(DIMENSIONS_KEY) != rated:
        raise RunFolderError(
            f"network {network.folder.path}: {WEIGHTS} is of other dimensions or scales than {METRICS} says; the "
            f"folder mixes two runs"
        )
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise RunFolderError(
            f"network {network.folder.path}: {WEIGHTS} does not fit its architecture ({reason}); the folder mixes two "
            f"runs"
        ) from None
