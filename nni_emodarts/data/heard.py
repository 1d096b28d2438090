"""What a configuration hears: how waveforms become the feature rows of its streams."""

from nni_emodarts.config import PretrainedStream, SpectralStream
from nni_emodarts.data.features import FeatureExtractor
from nni_emodarts.data.front_ends.extraction import PretrainedExtractor


def stream_extractor(
    stream: SpectralStream | PretrainedStream, device: str = "auto"
) -> FeatureExtractor | PretrainedExtractor:
    """What makes the feature rows of a stream.

    Args:
        stream: one of `features.heard`.
        device: where a pretrained encoder computes: `auto`, `cpu` or `gpu`.

    Raises:
        FrontEndError: the weights of a pretrained stream cannot be had, or lack what it asks for.
        ConfigError: settings of a spectral one that are out of bounds.
    """
    if isinstance(stream, PretrainedStream):
        return PretrainedExtractor(stream, device)
    return FeatureExtractor(**stream.spectral())
