"""What the recipe trains: a network of the space, or one designed by hand."""

from torch import nn

from nni_emodarts.config import ExperimentConfig, InputShape, RetrainConfig, SpaceConfig, SpectralStream, of_stream
from nni_emodarts.data.front_ends import stream_shape
from nni_emodarts.errors import ArchitectureError
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.baselines import Baseline, build_baseline
from nni_emodarts.models.shapes import heard_shape
from nni_emodarts.models.space import build_model

Design = Architecture | Baseline


def widen(design: Design, recipe: RetrainConfig) -> Design:
    """The design at the recipe's width; a hand-designed network has its own."""
    return design.widened(recipe.width) if isinstance(design, Architecture) else design


def build_network(design: Design, num_classes: int, input_shape: InputShape) -> nn.Module:
    """A design's network, newly initialised: model(maps (N, C, F, T), lengths (N,)) -> logits (N, K)."""
    build = build_baseline if isinstance(design, Baseline) else build_model
    return build(design, num_classes, input_shape)  # type: ignore[arg-type]  # each gets its own kind


def _name(space: SpaceConfig) -> str:
    """What a space hears, in words."""
    streams = [
        f"{stream.name} ({stream.kind}{f', levels {list(stream.levels)}' if stream.levels else ''})"
        for stream in space.hears
    ]
    return " and ".join(streams) or "one spectral stream"


def settle_space(config: ExperimentConfig, architecture: Architecture, explicit: bool) -> ExperimentConfig:
    """The configuration with the architecture's space in it.

    Args:
        config: the configuration.
        architecture: what is to be retrained.
        explicit: whether the user named the configuration's space, so that it must be the architecture's.

    Raises:
        ArchitectureError: the architecture is of another space, or was searched on maps of another shape.
    """
    if explicit and config.space.identity() != architecture.space.identity():
        raise ArchitectureError(
            f"architecture {architecture.id} is of another space than "
            f"{'preset ' + config.preset if config.preset else 'the configuration'}; name the preset or configuration "
            f"that it was searched with"
        )
    if config.space.functionals != architecture.space.functionals:
        raise ArchitectureError(
            f"architecture {architecture.id} is joined by functionals {architecture.space.functionals}, but "
            f"features.functionals is {config.space.functionals}; set it to the same"
        )
    if config.space.hears != architecture.space.hears:
        raise ArchitectureError(
            f"architecture {architecture.id} hears {_name(architecture.space)}, but the features of the configuration "
            f"give {_name(config.space)}; name the preset, configuration or front end that it was searched with"
        )
    for stream in config.features.heard:
        if stream.name not in architecture.heard and architecture.heard:
            continue
        shapes = heard_shape(architecture.space, architecture.input_shape)
        shape, given = of_stream(shapes, stream.name), stream_shape(stream)
        if given != shape:
            what = "(channels, bins)" if isinstance(stream, SpectralStream) else "(levels, features)"
            raise ArchitectureError(
                f"architecture {architecture.id} takes maps of {what} {shape}, but the features of the configuration "
                f"give {given}; name the preset or configuration that it was searched with"
            )
    return config.model_copy(update={"space": architecture.space})
