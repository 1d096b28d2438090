"""What may be heard of a pretrained stream: a level, or neighbours side by side."""

from nni_emodarts.config import HeardStream


def level_label(stream: str) -> str:
    """Label of the level of a pretrained stream."""
    return f"level_{stream}"


def joined_room(stream: HeardStream, joined: int) -> int:
    """How many levels lie side by side in a supernet's candidates, of which single ones fill one place."""
    return joined if joined <= len(stream.levels) else 1


def levels_of(option: str) -> tuple[int, ...]:
    """The levels that a choice of `level_NAME` stands for: `3`, or neighbours side by side, as `2+3+4`."""
    return tuple(map(int, option.split("+")))


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
