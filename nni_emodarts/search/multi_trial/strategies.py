"""Strategies that train each candidate by itself: NNI's, each mended where NNI's own is broken."""

from functools import partial
from typing import Any

import pytorch_lightning as pl
from nni import NoMoreTrialError

from nni_emodarts.config import SpaceConfig
from nni_emodarts.config.strategies import find_strategy
from nni_emodarts.config.strategy_options import (
    EvolutionOptions,
    GridOptions,
    PolicyRlOptions,
    RandomOptions,
    TpeOptions,
    TrialOptions,
)
from nni_emodarts.errors import ConfigError
from nni_emodarts.models.flat_space import count_architectures
from nni_emodarts.nni_bridge.nas import (
    TPE,
    GridSearch,
    PolicyBasedRL,
    Random,
    RegularizedEvolution,
    Strategy,
    default_policy,
)

_UPDATE = {"batch_size": 32, "repeat": 5, "update_times": 1}
"""How an update of the policy passes over its candidates. NNI's own five times as many passes fix the policy on one
architecture after some twenty candidates."""


class Evolution(RegularizedEvolution):  # type: ignore[misc]
    """Regularised evolution (Real et al. 2019), NNI's own class.

    NNI's raises ValueError (`max() arg is an empty sequence`) when it wants a parent before any candidate has finished:
    with more trials at once than individuals in the population, or when the first candidates fail. This one draws a
    random individual then. It is given no `cycles`, which NNI takes from nobody: the budget ends it.
    """

    def new_individual(self) -> Any:
        """A mutation of the best of a few parents; without parents a random individual."""
        return super().new_individual() if self._population else self.random()


class Tpe(TPE):  # type: ignore[misc]
    """Tree-structured Parzen estimator (Bergstra et al. 2011), NNI's tuner.

    NNI's own waits a second after each proposal, also after one that is answered at once, since it was rejected or
    known: a bound that one candidate of a hundred keeps would cost minutes for each. This one waits for workers only.
    """

    def _run(self) -> None:
        table = {label: choice.as_legacy_dict() for label, choice in self.model_space.simplify().items()}
        with self._thread_lock:
            self.tuner.update_search_space(table)
        while self.wait_for_resource():
            with self._thread_lock:
                try:
                    model = self.model_space.freeze(self.tuner.generate_parameters(self._model_count))
                except NoMoreTrialError:
                    return
                self._model_to_id[model] = self._model_count
                self._model_count += 1
            self.engine.submit_models(model)


def make_random(options: RandomOptions, seed: int) -> Strategy:
    """NNI's class."""
    return Random(seed=seed)


def make_grid(options: GridOptions, seed: int) -> Strategy:
    """NNI's class without its shuffle of each hundred: the space itself passes over the whole in drawn order."""
    return GridSearch(shuffle=False, seed=seed)


def make_evolution(options: EvolutionOptions, seed: int) -> Strategy:
    """NNI's class, mended."""
    return Evolution(
        population_size=options.population,
        sample_size=options.parents,
        mutation_prob=options.mutation_probability,
        seed=seed,
    )


def make_tpe(options: TpeOptions, seed: int) -> Strategy:
    """NNI's tuner set to maximise, as it minimises by default, and to begin before 20 random draws."""
    return Tpe(optimize_mode="maximize", seed=seed, tpe_args={"n_startup_jobs": options.random_start})


def make_policy_rl(options: PolicyRlOptions, seed: int) -> Strategy:
    """NNI's class; its policy draws from the global generators, and its first update would come after 20 candidates."""
    pl.seed_everything(seed, verbose=False)
    return PolicyBasedRL(
        samples_per_update=options.per_update,
        policy_fn=partial(default_policy, lr=options.learning_rate),
        update_kwargs=_UPDATE,
    )


def make_multi_trial(name: str, options: TrialOptions, seed: int) -> Strategy:
    """NNI's strategy that chooses the candidates.

    Args:
        name: the strategy's name.
        options: the strategy's own options.
        seed: seed of its draws; with one trial at a time, equal seeds draw equal candidates.

    Raises:
        ConfigError: no strategy of this name trains candidates as trials.
    """
    return find_strategy(name, "multi-trial").load()(options, seed)


def check_searchable(options: TrialOptions, space: SpaceConfig) -> None:
    """Refuse what would fail or mislead, before anything is trained.

    Raises:
        ConfigError: with the reason and the alternatives.
    """
    size = count_architectures(space)
    if isinstance(options, GridOptions) and not options.shuffle and options.candidates < size:
        raise ConfigError(
            f"strategy grid without shuffle: {options.candidates} candidates of a space of {size} architectures would "
            f"all sit in one corner of it; set search.options.shuffle=true, search.options.candidates={size}, choose "
            f"fewer operations in the section space, or take the strategy random"
        )
