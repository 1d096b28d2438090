"""The search strategies: what each is, which options it takes, what it needs, and where its code is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from nni_emodarts.config.faults import nearest
from nni_emodarts.config.registry import Entry, Registry
from nni_emodarts.config.sections import Section
from nni_emodarts.config.strategy_options import (
    DartsOptions,
    EnasOptions,
    EvolutionOptions,
    GridOptions,
    GumbelOptions,
    LocalOptions,
    PolicyRlOptions,
    PredictorOptions,
    ProxylessOptions,
    RandomOneShotOptions,
    RandomOptions,
    SecondOrderOptions,
    StrategyOptions,
    TpeOptions,
)
from nni_emodarts.errors import ConfigError
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject

Family = Literal["one-shot", "multi-trial"]

FAMILIES: dict[Family, str] = {
    "one-shot": "train one supernet that holds every operation",
    "multi-trial": "train each candidate by itself, as a trial of NNI",
}


@dataclass(frozen=True)
class Need:
    """What a strategy needs beyond the package.

    Attributes:
        extra: the extra of this package that brings it.
        package: its name, as it is imported.
        instead: the strategies that do without.
    """

    extra: str
    package: str
    instead: str

    def is_met(self) -> bool:
        """Whether the package can be imported."""
        try:
            import_module(self.package)
        except ImportError:
            return False
        return True


@dataclass(frozen=True)
class Strategy(Entry[Callable[..., Any]]):
    """A search strategy. Its code makes NNI's strategy.

    One that is one-shot is called with its options, the bound on the gradient's norm and the terms of the loss; one
    that is multi-trial with its options and a seed.

    Attributes:
        family: whether it trains one supernet, or each candidate by itself.
        options: the options that it takes.
        optimises: what it moves, and by which figure.
        needs: what it needs beyond the package.
        alone: why several processes cannot train its supernet together; empty where they can.
    """

    family: Family
    options: type[StrategyOptions]
    optimises: str
    needs: Need | None = None
    alone: str = ""

    @property
    def installed(self) -> bool:
        """Whether all that it needs is installed."""
        return self.needs is None or self.needs.is_met()

    def check_installed(self) -> None:
        """Refuse a strategy that lacks a package.

        Raises:
            ConfigError: with the extra to install, and the strategies that need none.
        """
        if self.needs is not None and not self.installed:
            raise ConfigError(
                f"strategy {self.name} needs {self.needs.package}, which is not installed; "
                f"pip install 'nni_emodarts[{self.needs.extra}]', or take {self.needs.instead}"
            )

    def defaults(self) -> Iterator[tuple[str, str]]:
        """Its options with their defaults, as they are written after `search.options.`."""
        for name, field in self.options.model_fields.items():
            default = field.get_default(call_default_factory=True)
            if default is None:
                yield name, "none"
            elif isinstance(default, Section):
                yield from ((f"{name}.{key}", f"{value}") for key, value in default.model_dump().items())
            else:
                yield name, f"{default}".lower() if isinstance(default, bool) else f"{default}"


_ONE_SHOT, _TRIALS = "nni_emodarts.search.one_shot", "nni_emodarts.search.multi_trial.strategies"

STRATEGIES = Registry(
    "strategy",
    Strategy(
        "darts",
        f"{_ONE_SHOT}.darts:Darts",
        "one-shot",
        DartsOptions,
        "alphas of a supernet, by the loss of the second half of the training part (Liu et al. 2019)",
    ),
    Strategy(
        "darts_second_order",
        f"{_ONE_SHOT}.darts:DartsSecondOrder",
        "one-shot",
        SecondOrderOptions,
        "as darts, through one step of the weights",
    ),
    Strategy(
        "gumbel_darts",
        f"{_ONE_SHOT}.darts:GumbelDarts",
        "one-shot",
        GumbelOptions,
        "alphas, through sampled one-hot choices that grow harder (SNAS, FBNet)",
    ),
    Strategy(
        "proxyless",
        f"{_ONE_SHOT}.proxyless:Proxyless",
        "one-shot",
        ProxylessOptions,
        "alphas, by comparing two sampled paths at a time (Cai et al. 2019)",
    ),
    Strategy(
        "random_one_shot",
        f"{_ONE_SHOT}.random_one_shot:RandomOneShot",
        "one-shot",
        RandomOneShotOptions,
        "nothing while it trains uniformly sampled paths; then the best sample by validation (SPOS)",
    ),
    Strategy(
        "enas",
        f"{_ONE_SHOT}.enas:Enas",
        "one-shot",
        EnasOptions,
        "a controller that samples paths, by their UAR on the second half (Pham et al. 2018)",
        Need("rl", "tianshou", "random_one_shot, which also searches by single paths"),
        alone="its controller learns from rewards of whole batches, one path after another",
    ),
    Strategy(
        "random",
        f"{_TRIALS}:make_random",
        "multi-trial",
        RandomOptions,
        "nothing: uniform draws, the best by validation UAR",
    ),
    Strategy(
        "grid",
        f"{_TRIALS}:make_grid",
        "multi-trial",
        GridOptions,
        "nothing: every architecture in a drawn order, the best by validation UAR",
    ),
    Strategy(
        "evolution",
        f"{_TRIALS}:make_evolution",
        "multi-trial",
        EvolutionOptions,
        "a population by tournament and mutation, by validation UAR (Real et al. 2019)",
    ),
    Strategy(
        "tpe",
        f"{_TRIALS}:make_tpe",
        "multi-trial",
        TpeOptions,
        "densities of good and bad choices, label by label, by validation UAR (Bergstra et al. 2011)",
    ),
    Strategy(
        "local",
        "nni_emodarts.search.multi_trial.local:make_local",
        "multi-trial",
        LocalOptions,
        "the best candidate so far, by mutating it, by validation UAR (White et al. 2021)",
    ),
    Strategy(
        "predictor",
        "nni_emodarts.search.multi_trial.predictor:make_predictor",
        "multi-trial",
        PredictorOptions,
        "a model of validation UAR over the choices, by what it expects and where it is unsure (White et al. 2021)",
    ),
    Strategy(
        "policy_rl",
        f"{_TRIALS}:make_policy_rl",
        "multi-trial",
        PolicyRlOptions,
        "a recurrent policy by proximal policy optimisation, by validation UAR (Zoph & Le 2017)",
        Need("rl", "tianshou", "evolution or tpe"),
    ),
)
"""Every strategy, in the order of its document."""


def of_family(family: Family) -> list[Strategy]:
    """The strategies of a family."""
    return [strategy for strategy in STRATEGIES.values() if strategy.family == family]


def refuse_unmeasured(name: str) -> None:
    """Refuse to say how candidates are measured where none is trained by itself.

    Raises:
        ValueError: the strategy trains one supernet.
    """
    if STRATEGIES[name].family == "one-shot":
        trained = ", ".join(strategy.name for strategy in of_family("multi-trial"))
        raise ValueError(
            f"estimate: {name} trains one supernet and measures no candidate by itself; leave it out, or take a "
            f"strategy that does ({trained})"
        )


def find_strategy(name: str, family: Family) -> Strategy:
    """The strategy of a name.

    Raises:
        ConfigError: the family has none of this name.
    """
    if name not in STRATEGIES or STRATEGIES[name].family != family:
        known = [strategy.name for strategy in of_family(family)]
        raise ConfigError(f"strategy {name!r} does not {FAMILIES[family]}{nearest(name, known)}")
    return STRATEGIES[name]


def options_for(strategy: str, options: JsonMapping) -> JsonObject:
    """Of some options those that a strategy takes."""
    known = STRATEGIES[strategy].options.model_fields
    return {key: value for key, value in options.items() if key in known}
