"""Architectures drawn uniformly at random from the space: what every search is held against."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

from nni_emodarts.config import InputShape, SpaceConfig
from nni_emodarts.models.architecture import Architecture, Origin
from nni_emodarts.models.space import random_architecture

_TRIES = 1000  # draws in vain after which a small space counts as drawn out


def draw_architectures(
    space: SpaceConfig,
    num_classes: int,
    input_shape: InputShape,
    seed: Sequence[int],
    origin: Origin,
) -> Iterator[Architecture]:
    """Different architectures without end, or until a small space has no more; `none` is never drawn.

    Args:
        space: what to draw from.
        num_classes: number of classes K.
        input_shape: of the maps.
        seed: numbers that decide the draws.
        origin: what each architecture says of where it comes from.
    """
    seen: set[str] = set()
    in_vain = 0
    for number in count():
        made = random_architecture(space, num_classes, input_shape, [*seed, number])
        in_vain = in_vain + 1 if made.id in seen else 0
        if in_vain == _TRIES:
            return
        if not in_vain:
            seen.add(made.id)
            yield replace(made, origin=dict(origin))
