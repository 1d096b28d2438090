"""Shapes of what a space hears: of one stream, or of each of several."""

from collections.abc import Mapping

from nni_emodarts.config import FUNCTIONALS, InputShape, Shape, SpaceConfig


def plain_shape(shape: InputShape) -> InputShape:
    """The same in plain numbers, whatever kinds of sequences and integers it came in."""
    if isinstance(shape, Mapping):
        return {str(name): _pair(each) for name, each in shape.items()}
    return _pair(shape)


def heard_shape(space: SpaceConfig, shape: InputShape) -> InputShape:
    """The shape of the streams alone, without that of the functionals that join them."""
    if space.functionals is None or not isinstance(shape, Mapping):
        return shape
    streams = {name: each for name, each in shape.items() if name != FUNCTIONALS}
    return streams if len(space.hears) > 1 or len(streams) != 1 else next(iter(streams.values()))


def functionals_joined(space: SpaceConfig, shape: InputShape) -> int:
    """Number of functionals that join; 0 of a space without."""
    return shape[FUNCTIONALS][1] if space.functionals is not None and isinstance(shape, Mapping) else 0


def shape_fault(space: SpaceConfig, shape: InputShape) -> str | None:
    """Why maps of a shape are not what a space hears; None where they may be.

    Of several streams a shape without names is that of each.
    """
    if space.functionals is not None:
        if not isinstance(shape, Mapping) or FUNCTIONALS not in shape:
            return f"input_shape: {shape} lacks that of {FUNCTIONALS}, which join the space; give it by name"
        shape = heard_shape(space, shape)
    names = [stream.name for stream in space.hears]
    if not isinstance(shape, Mapping):
        small = min(shape) < 1
    elif len(names) < 2:
        return f"input_shape: {dict(shape)} is by streams, and the space hears one; give two numbers"
    elif set(shape) != set(names):
        return (
            f"input_shape: {', '.join(shape) or 'no stream'} in it, but the space hears {', '.join(names)}; give each"
        )
    else:
        small = min(min(each) for each in shape.values()) < 1
    return f"input_shape: {shape} must be at least one channel and one frequency bin" if small else None


def _pair(shape: Shape) -> Shape:
    return int(shape[0]), int(shape[1])
