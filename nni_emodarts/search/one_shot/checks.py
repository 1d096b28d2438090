"""Whether a strategy can search a space, checked before anything is trained."""

import math

from nni_emodarts.config import SearchConfig, SpaceConfig
from nni_emodarts.errors import ConfigError
from nni_emodarts.models.architecture import derivable, layer_choices, nodes


def check_space(search: SearchConfig, space: SpaceConfig) -> None:
    """Refuse a space that the strategy cannot search.

    Raises:
        ConfigError: with the reason and what would do instead.
    """
    if not _has_freedom(space):
        raise ConfigError(
            f"strategy {search.strategy}: the space holds a single architecture, so that there is nothing to search; "
            f"give cnn_primitives or seqnn_primitives a second operation, or a cell a second node"
        )
    parts = search.strategy_options().channel_parts
    common = math.gcd(space.cnn_channels, space.seqnn_width)
    if common % parts:
        divisors = [str(number) for number in range(1, common + 1) if common % number == 0]
        raise ConfigError(
            f"strategy {search.strategy}: partial_channels {parts} must divide both space.cnn_channels "
            f"{space.cnn_channels} and space.seqnn_width {space.seqnn_width}; take one of {', '.join(divisors)}, of "
            "which 1 lets all channels through"
        )


def _has_freedom(space: SpaceConfig) -> bool:
    outside = any(len(options) > 1 for options in layer_choices(space).values())
    return outside or any(node > space.N_CHOSEN or len(derivable(space, kind)) > 1 for kind, node in nodes(space))
