"""What may be heard of a pretrained stream: a level, or neighbours side by side."""

from collections.abc import Iterable

from nni_emodarts.config import HeardStream, SpaceConfig


def level_label(stream: str) -> str:
    """Label of the level of a pretrained stream."""
    return f"level_{stream}"


def levels_of(option: str) -> tuple[int, ...]:
    """The levels that a choice of `level_NAME` stands for: `3`, or neighbours side by side, as `2+3+4`."""
    return tuple(map(int, option.split("+")))


def most_levels(options: Iterable[str]) -> int:
    """How many levels lie side by side in the candidate that has the most of them."""
    return max(len(levels_of(option)) for option in options)


def level_options(stream: HeardStream, joined: int) -> tuple[str, ...]:
    """What may be chosen of a stream.

    Args:
        stream: a pretrained one, whose levels are known.
        joined: so many neighbours are candidates side by side, besides each level; 1 for none. A stream of fewer levels
            has no such candidates.
    """
    levels = tuple(map(str, stream.levels))
    runs = (levels[first : first + joined] for first in range(len(levels) - joined + 1)) if joined > 1 else ()
    return (*levels, *map("+".join, runs))


def fixed_levels(space: SpaceConfig) -> dict[str, tuple[int, ...]]:
    """Stream -> its level, or its neighbours side by side, of those streams whose choice a space fixes."""
    names = {level_label(stream.name): stream.name for stream in space.hears}
    return {names[label]: levels_of(option) for label, option in space.fixed if label in names}
