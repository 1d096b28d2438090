"""Names of strategies -> NNI's strategies."""

from collections.abc import Callable
from typing import Any

from nni_emodarts.config import nearest
from nni_emodarts.errors import ConfigError
from nni_emodarts.nni_nas import DARTS, OneShotStrategy
from nni_emodarts.strategies.engine import InlineEngine

__all__ = ["InlineEngine", "make_strategy"]

_NEVER = 10**9  # steps between NNI's own logs of probabilities; the search records them per epoch


def _darts(gradient_clip: float, alpha_learning_rate: float, warmup_epochs: int, **_: Any) -> OneShotStrategy:
    """First-order DARTS (Liu et al. 2019), NNI's own class."""
    return DARTS(
        arc_learning_rate=alpha_learning_rate,
        gradient_clip_val=gradient_clip,
        warmup_epochs=warmup_epochs,
        log_prob_every_n_step=_NEVER,
    )


_STRATEGIES: dict[str, Callable[..., OneShotStrategy]] = {"darts": _darts}


def make_strategy(name: str, gradient_clip: float, **options: Any) -> OneShotStrategy:
    """The strategy of a name.

    Args:
        name: key of a strategy.
        gradient_clip: bound on the norm of the weights' gradient.
        **options: the strategy's own options.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in _STRATEGIES:
        raise ConfigError(f"strategy {name!r} is unknown{nearest(name, _STRATEGIES)}")
    return _STRATEGIES[name](gradient_clip, **options)
