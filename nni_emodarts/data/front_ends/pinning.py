"""A configuration whose front ends are those of this moment: what a run notes, and goes on with."""

from collections.abc import Collection

from nni_emodarts.config import ExperimentConfig, PretrainedStream, SpectralStream
from nni_emodarts.data.front_ends.facts import front_end_facts


def pinned(config: ExperimentConfig, heard: Collection[str] = ()) -> ExperimentConfig:
    """The configuration with all that its pretrained streams left open: revision, digest, levels and padding.

    Args:
        config: the configuration.
        heard: names of the streams that are heard, all where there are none. Others that name their levels are left as
            they are, so that their weights need not be there.

    Raises:
        FrontEndError: the weights cannot be had, or lack what a stream asks for.
    """
    if not config.features.pretrained:
        return config
    streams = tuple(
        _pinned(stream) if not heard or stream.name in heard or _has_open_levels(stream) else stream
        for stream in config.features.streams
    )
    return config.hearing(streams)


def with_levels(config: ExperimentConfig) -> ExperimentConfig:
    """The configuration, in which every pretrained stream names its levels: a model is looked into only where it must.

    Raises:
        FrontEndError: as for `pinned`.
    """
    return config if all(stream.levels for stream in config.features.pretrained) else pinned(config)


def _has_open_levels(stream: SpectralStream | PretrainedStream) -> bool:
    return isinstance(stream, PretrainedStream) and stream.levels is None


def _pinned(stream: SpectralStream | PretrainedStream) -> SpectralStream | PretrainedStream:
    if isinstance(stream, SpectralStream):
        return stream
    facts = front_end_facts(stream)
    settled = {"revision": facts.revision, "digest": facts.digest, "levels": facts.levels, "padding": facts.padding}
    return stream.model_copy(update=settled)
