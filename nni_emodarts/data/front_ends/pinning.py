"""A configuration whose front ends are those of this moment: what a run notes, and goes on with."""

from collections.abc import Collection

from nni_emodarts.config import ExperimentConfig, PretrainedStream, SpectralStream, located_model
from nni_emodarts.data.front_ends.facts import front_end_facts
from nni_emodarts.errors import ConfigError
from nni_emodarts.runtime.run_folder import CONFIG


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


def heard_elsewhere(
    config: ExperimentConfig, model: str | None, what: str, heard: Collection[str] = ()
) -> ExperimentConfig:
    """The configuration, whose pretrained encoder's weights are read from another place.

    Args:
        config: the configuration.
        model: where they are; as the configuration says where absent.
        what: what hears with them, in words.
        heard: names of the streams that are heard, all where there are none.

    Raises:
        ConfigError: it hears with no pretrained encoder, or with several.
    """
    if model is None:
        return config
    own = [stream.name for stream in config.features.pretrained if not heard or stream.name in heard]
    if not own:
        raise ConfigError(f"front end {model}: {what} hears with none; leave it out")
    if len(own) > 1:
        raise ConfigError(
            f"front end {model}: {what} hears with {' and '.join(own)}, and one place is named for both; put their "
            f"weights where the run had them, as its {CONFIG} says"
        )
    elsewhere = {"model": located_model(model), "revision": None}
    streams = config.features.streams
    return config.hearing(tuple(each.model_copy(update=elsewhere) if each.name in own else each for each in streams))


def _has_open_levels(stream: SpectralStream | PretrainedStream) -> bool:
    return isinstance(stream, PretrainedStream) and stream.levels is None


def _pinned(stream: SpectralStream | PretrainedStream) -> SpectralStream | PretrainedStream:
    if isinstance(stream, SpectralStream):
        return stream
    facts = front_end_facts(stream)
    settled = {"revision": facts.revision, "digest": facts.digest, "levels": facts.levels, "padding": facts.padding}
    return stream.model_copy(update=settled)
