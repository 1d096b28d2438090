"""What each search strategy is for, in one place: the command `emodarts strategies` and the tests of its document."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from nni_emodarts.config.strategies import MULTI_TRIAL, ONE_SHOT, STRATEGY_OPTIONS

Family = Literal["one-shot", "multi-trial"]


@dataclass(frozen=True)
class Card:
    """What a strategy is.

    Attributes:
        name: the strategy's name.
        optimises: what it moves, and by which figure.
        needs: the package's extra that it needs; empty where none.
    """

    name: str
    optimises: str
    needs: str = ""

    @property
    def family(self) -> Family:
        """Whether it trains one supernet, or each candidate by itself."""
        return "one-shot" if self.name in ONE_SHOT else "multi-trial"

    def options(self) -> Iterator[tuple[str, str]]:
        """Its options with their defaults, as they are written after `search.options.`."""
        for name, field in STRATEGY_OPTIONS[self.name].model_fields.items():
            default = field.get_default(call_default_factory=True)
            if default is None:
                yield name, "none"
            elif hasattr(default, "model_dump"):
                yield from ((f"{name}.{key}", f"{value}") for key, value in default.model_dump().items())
            else:
                yield name, f"{default}".lower() if isinstance(default, bool) else f"{default}"


CARDS = (
    Card("darts", "alphas of a supernet, by the loss of the second half of the training part (Liu et al. 2019)"),
    Card("darts_second_order", "as darts, through one step of the weights"),
    Card("gumbel_darts", "alphas, through sampled one-hot choices that grow harder (SNAS, FBNet)"),
    Card("proxyless", "alphas, by comparing two sampled paths at a time (Cai et al. 2019)"),
    Card(
        "random_one_shot", "nothing while it trains uniformly sampled paths; then the best sample by validation (SPOS)"
    ),
    Card("enas", "a controller that samples paths, by their UAR on the second half (Pham et al. 2018)", "rl"),
    Card("random", "nothing: uniform draws, the best by validation UAR"),
    Card("grid", "nothing: every architecture in a drawn order, the best by validation UAR"),
    Card("evolution", "a population by tournament and mutation, by validation UAR (Real et al. 2019)"),
    Card("tpe", "densities of good and bad choices, label by label, by validation UAR (Bergstra et al. 2011)"),
    Card("policy_rl", "a recurrent policy by proximal policy optimisation, by validation UAR (Zoph & Le 2017)", "rl"),
)
"""Every strategy, in the order of `STRATEGY_OPTIONS`."""

FAMILIES: dict[Family, str] = {
    "one-shot": "train one supernet that holds every operation",
    "multi-trial": "train each candidate by itself, as a trial of NNI",
}


def cards(family: Family) -> list[Card]:
    """The strategies of a family."""
    names = ONE_SHOT if family == "one-shot" else MULTI_TRIAL
    return [card for card in CARDS if card.name in names]
