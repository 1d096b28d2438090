"""Names of one-shot strategies -> NNI strategies that search the space."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from nni_emodarts.config import nearest
from nni_emodarts.config.sections import Section
from nni_emodarts.errors import ConfigError
from nni_emodarts.search.one_shot.checks import check_space
from nni_emodarts.search.one_shot.engine import InlineEngine
from nni_emodarts.search.one_shot.terms import Term

__all__ = ["InlineEngine", "check_space", "make_strategy"]

_STRATEGIES = {
    "darts": "darts:Darts",
    "darts_second_order": "darts:DartsSecondOrder",
    "gumbel_darts": "darts:GumbelDarts",
    "proxyless": "proxyless:Proxyless",
    "random_one_shot": "random_one_shot:RandomOneShot",
    "enas": "enas:Enas",
}
"""Name -> module and class; each is imported when asked for, since some need packages that others do not."""


def make_strategy(name: str, options: Section, gradient_clip: float, terms: list[Term]) -> Any:
    """The strategy of a name.

    Args:
        name: key of a strategy.
        options: its own options, typed.
        gradient_clip: bound on the norm of the weights' gradient.
        terms: what is added to the loss of the alphas.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in _STRATEGIES:
        raise ConfigError(f"strategy {name!r} trains no supernet{nearest(name, _STRATEGIES)}")
    module, _, kind = _STRATEGIES[name].partition(":")
    make: Callable[..., Any] = getattr(import_module(f"nni_emodarts.search.one_shot.{module}"), kind)
    return make(options, gradient_clip, terms)
