"""What parts of a network cost, in formulas that are written from their definitions."""

import re

from nni_emodarts.models.costs.part import Part
from nni_emodarts.models.costs.parts import (
    AlignmentPart,
    BridgePart,
    ClassifierPart,
    CnnJoin,
    MapOperation,
    PoolingPart,
    ProjectionPart,
    SeqnnJoin,
    SequenceOperation,
    StemPart,
)

GATES = {"lstm": 4, "rnn": 1}


def parameters(part: Part) -> int:
    """Convolutions have no bias; a normalisation scales and shifts each of its channels."""
    match part:
        case StemPart() | ProjectionPart() | AlignmentPart() | MapOperation():
            return convolution_weights(part) + 2 * normalized_channels(part)
        case BridgePart(maps, width):  # a linear map with a bias, and a normalisation
            return maps.channels * maps.bins * width + width + 2 * width
        case SequenceOperation():
            return sum(recurrent_parameters(part.name, part.width))
        case SeqnnJoin():
            return 2 * part.width
        case PoolingPart(kind="mean" | "maximum") | CnnJoin():
            return 0
        case PoolingPart():  # linear maps D -> D with a bias and D -> 1 without one
            return part.width * part.width + part.width + part.width
        case ClassifierPart(width, num_classes):
            return width * num_classes + num_classes
    raise TypeError(part)


def flops(part: Part) -> int:
    """2 for each weight and each output position or frame that it meets."""
    match part:
        case StemPart() | ProjectionPart() | AlignmentPart() | MapOperation():
            _, bins, frames = strided_maps(part)
            return 2 * convolution_weights(part) * bins * frames
        case BridgePart(maps, width):
            return 2 * maps.channels * maps.bins * maps.frames * width
        case SequenceOperation():
            weights, _, attention = recurrent_parameters(part.name, part.width)
            products = part.frames * weights
            if attention:  # of each frame score, weighted sum and map of the state; the context is mapped once
                products += part.frames * (2 * part.width + 2 * part.width + 2 * part.width**2) + 2 * part.width**2
            return 2 * products
        case PoolingPart(kind="mean" | "maximum") | CnnJoin() | SeqnnJoin():
            return 0
        case PoolingPart():  # both maps of the score, and the weighted mean of values, of squares too
            return 2 * part.frames * (part.width**2 + part.width + out(part)[0])
        case ClassifierPart(width, num_classes):
            return 2 * width * num_classes
    raise TypeError(part)


def out(part: Part) -> tuple[int, ...]:
    """Shape of what a part leaves."""
    match part:
        case StemPart() | ProjectionPart() | AlignmentPart() | MapOperation():
            return strided_maps(part)
        case CnnJoin(maps, nodes):
            return maps.channels * nodes, maps.bins, maps.frames
        case BridgePart() | SequenceOperation() | SeqnnJoin():
            return (part.maps if isinstance(part, BridgePart) else part).frames, part.width
        case PoolingPart():
            return (2 * part.width if part.kind == "statistics" else part.width,)
        case ClassifierPart():
            return (part.num_classes,)
    raise TypeError(part)


Convolution = StemPart | ProjectionPart | AlignmentPart | MapOperation


def strided_maps(part: Convolution) -> tuple[int, int, int]:
    """Of C' channels: an operation keeps its channels, and each stride takes ceil(F / stride), ceil(T / stride)."""
    channels = part.maps.channels if isinstance(part, MapOperation) else part.channels
    stride = 1 + part.halves if isinstance(part, AlignmentPart) else getattr(part, "stride", 1)
    return channels, (part.maps.bins + stride - 1) // stride, (part.maps.frames + stride - 1) // stride


def convolution_weights(part: Convolution) -> int:
    """9 C C' of the stem, C C' of an alignment (whose halves share the C' channels), k k C + C C if separable.

    Over time alone a kernel has k weights a channel.
    """
    match part:
        case StemPart(maps, channels, _):
            return 9 * maps.channels * channels
        case ProjectionPart(maps, channels) | AlignmentPart(maps, channels, _):
            return maps.channels * channels
    channels, repeats = part.maps.channels, separable_convolutions(part.name)
    if repeats:
        kernel = int(part.name[-1])
        weights = kernel if part.time_only else kernel * kernel
        return repeats * (weights * channels + channels * channels)
    return channels * channels if part.name == "skip_connect" and part.stride == 2 else 0


def normalized_channels(part: Convolution) -> int:
    """A skip connection without stride has no normalisation, and `sep_conv` has two."""
    if not isinstance(part, MapOperation):
        return part.channels
    if part.name == "skip_connect" and part.stride == 1:
        return 0
    return max(1, separable_convolutions(part.name)) * part.maps.channels


def separable_convolutions(name: str) -> int:
    return {"sep_conv": 2, "dil_conv": 1}.get(name[:8], 0)


def recurrent_parameters(name: str, width: int) -> tuple[int, int, int]:
    """Weights and biases of all recurrences, and what the attention behind them has.

    A recurrent layer of g gates from width D to H has g H (D + H) weights, each used once a frame, and two biases of
    g H. Behind bidirectional layers a score without bias weighs states of 2 H; a linear map brings state and context,
    4 H, back to H.
    """
    if name == "skip_connect":
        return 0, 0, 0
    kind, attention, layers = re.fullmatch(r"(lstm|rnn)(_att)?_(\d+)", name).groups()  # type: ignore[union-attr]
    gates, directions = GATES[kind], 2 if attention else 1
    weights = biases = 0
    for layer in range(int(layers)):
        in_width = width if layer == 0 else directions * width
        weights += directions * gates * width * (in_width + width)
        biases += directions * 2 * gates * width
    return weights, biases, 2 * width + 4 * width * width + width if attention else 0
