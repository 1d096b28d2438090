"""A run's network in PyTorch: waveforms in, probabilities out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from nni_emodarts.config import PretrainedStream
from nni_emodarts.data.batches.batches import Collate, Item
from nni_emodarts.data.features import FeatureExtractor, Moments, Normalizer, SpeakerNormalizer
from nni_emodarts.data.front_ends import stream_shape
from nni_emodarts.data.front_ends.extraction import PretrainedExtractor
from nni_emodarts.data.heard import stream_extractor
from nni_emodarts.deploy.folder import NetworkFolder
from nni_emodarts.errors import RunFolderError
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.baselines import Baseline, build_baseline
from nni_emodarts.models.space import build_model
from nni_emodarts.runtime.digests import refuse_damaged
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.run_folder import ARCHITECTURE, GRAPH, METRICS, NORMALIZATION, WEIGHTS


class TorchNetwork:
    """Feature extraction, normalisation and network.

    Args:
        extractor: waveform -> feature rows, spectral ones or a pretrained encoder's levels.
        normalizer: of the network's training speakers; where it is normalised by speaker, what a voice's is made of.
        model: maps (N, C, F, T), lengths (N,) -> logits (N, K).
        device: where the network computes, such as `cpu` or `cuda`.
    """

    def __init__(
        self,
        extractor: FeatureExtractor | PretrainedExtractor,
        normalizer: Normalizer | SpeakerNormalizer,
        model: nn.Module,
        device: str = "cpu",
    ) -> None:
        self.extractor = extractor
        self.statistics = normalizer if isinstance(normalizer, SpeakerNormalizer) else None
        self.normalizer = normalizer.general if isinstance(normalizer, SpeakerNormalizer) else normalizer
        self.model = model.to(device).eval()
        self._device = torch.device(device)
        self._collate = _collate(extractor)

    def __call__(self, waveforms: Sequence[np.ndarray], normalizers: Sequence[Normalizer] | None = None) -> np.ndarray:
        """N waveforms (S,) at the network's sampling rate -> probabilities (N, K).

        Args:
            waveforms: what to recognise.
            normalizers: what normalises each, of a network that is normalised by speaker.
        """
        rows = (
            self.extractor.many(waveforms)
            if isinstance(self.extractor, PretrainedExtractor)
            else map(self.extractor, waveforms)
        )
        own = normalizers or [self.normalizer] * len(waveforms)
        return self._answer([normalizer(each) for normalizer, each in zip(own, rows, strict=True)])

    def follow(self, waveform: np.ndarray, normalizer: Normalizer) -> tuple[np.ndarray, Moments]:
        """Waveform (S,) -> probabilities (K,), and the statistics of its features before they are normalised."""
        features = self.extractor(waveform)
        return self._answer([normalizer(features)])[0], Moments.of(features)

    @torch.inference_mode()
    def _answer(self, features: Sequence[np.ndarray]) -> np.ndarray:
        """N normalised maps (R, T) -> probabilities (N, K)."""
        maps = [torch.from_numpy(each) for each in features]
        batch = self._collate([Item(features, 0, row) for row, features in enumerate(maps)])
        with _float32():
            logits = self.model(batch.maps.to(self._device), batch.lengths.to(self._device))
        return np.asarray(torch.softmax(logits.float(), 1).cpu().numpy())


def _collate(extractor: FeatureExtractor | PretrainedExtractor) -> Collate:
    """How feature rows become maps."""
    if isinstance(extractor, PretrainedExtractor):
        levels, features = extractor.facts.input_shape
        return Collate(features, levels=levels)
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
    extractor = stream_extractor(network.stream, "cpu" if device == "cpu" else "gpu")
    normalizer = _read_normalizer(network, extractor)
    model = _build(network)
    _read_weights(model, network)
    refuse_damaged(network.folder, (WEIGHTS, NORMALIZATION, GRAPH))
    return TorchNetwork(extractor, normalizer, model, device)


def _build(network: NetworkFolder) -> nn.Module:
    """The network, newly initialised: searched, or designed by hand where the run holds no architecture."""
    classes, shape = len(network.labels), stream_shape(network.config.features.heard[0])
    if network.folder.has(ARCHITECTURE):
        architecture = Architecture.load(network.folder.path / ARCHITECTURE)
        return build_model(architecture.widened(network.config.retrain.width), classes, shape)
    return build_baseline(Baseline(str(network.folder.read_json(METRICS).get("architecture"))), classes, shape)


def _read_normalizer(
    network: NetworkFolder, extractor: FeatureExtractor | PretrainedExtractor
) -> Normalizer | SpeakerNormalizer:
    """Of the rows that are heard; the file has those of all levels of a pretrained encoder."""
    heard, rows, part = network.config.features.heard[0], extractor.feature_rows, slice(None)
    if isinstance(heard, PretrainedStream) and isinstance(extractor, PretrainedExtractor):
        every, facts = stream_shape(heard), extractor.facts
        rows = every[0] * every[1]
        if heard.levels is not None and len(facts.levels) == 1:
            place = heard.levels.index(facts.levels[0])
            part = slice(place * facts.features, (place + 1) * facts.features)
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
    return normalizer.part(part)


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
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise RunFolderError(
            f"network {network.folder.path}: {WEIGHTS} does not fit its architecture ({reason}); the folder mixes two "
            f"runs"
        ) from None
