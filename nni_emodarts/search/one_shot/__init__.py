"""Strategies that train one supernet."""

from typing import Any

from nni_emodarts.config.strategies import find_strategy
from nni_emodarts.config.strategy_options import StrategyOptions
from nni_emodarts.search.one_shot.checks import check_space
from nni_emodarts.search.one_shot.engine import InlineEngine
from nni_emodarts.search.one_shot.terms import Term

__all__ = ["InlineEngine", "check_space", "make_strategy"]


def make_strategy(name: str, options: StrategyOptions, gradient_clip: float, terms: list[Term]) -> Any:
    """NNI's strategy that searches the space by one supernet.

    Args:
        name: the strategy's name.
        options: its own options, typed.
        gradient_clip: bound on the norm of the weights' gradient.
        terms: what is added to the loss of the alphas.

    Raises:
        ConfigError: no strategy of this name trains a supernet.
    """
    return find_strategy(name, "one-shot").load()(options, gradient_clip, terms)
