"""What a benchmark measures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.config.registry import Entry, Registry
from nni_emodarts.config.strategies import STRATEGIES
from nni_emodarts.metrics.tracks import Track
from nni_emodarts.models.baselines import BASELINES, ON_LEVELS
from nni_emodarts.models.baselines.probe import PROBES
from nni_emodarts.models.baselines.ridge import RIDGES
from nni_emodarts.models.baselines.svm import SVMS

RANDOM_SAMPLING = "random_sampling"
"""One architecture drawn uniformly for each fold and seed: what the space and the recipe give without a search."""
RANDOM_SEARCH = "random_search"
"""The equal-budget baseline: random architectures for as long as another search took."""
BUDGET_SOURCE = "darts"
"""The method whose search on the same fold and seed sets the budget of random search."""

SEARCH = "search"
"""The search as it is configured, whatever its strategy; the methods of the kind `ensemble` take it from there."""

Kind = Literal["search", "ensemble", "sample", "network", "svm", "ridge", "probe"]


@dataclass(frozen=True)
class MethodEntry(Entry[Callable[..., Any]]):
    """How a method comes to what is trained and scored.

    The code of a search is called as `nni_emodarts.search.run.search` is, with the budget behind the task where there
    is one. That of an ensemble is called with the task, the folder of the configured search, the cell's folder and what
    shows progress, and returns the architectures of its networks. Any other code is called with the task and the
    method, and returns the design.

    Attributes:
        kind: `search`, an architecture that is searched inside each fold; `ensemble`, what is made of the candidates of
            such a search besides; `sample`, an architecture that is not;
            `network`, a hand-designed one, which shares the space's dropout and nothing else of it; `svm`, a support
            vector machine, which has features of its own and no recipe; `ridge`, a ridge regression on the same
            features; `probe`, a classifier or a regression on a pretrained encoder's levels; it has no recipe either.
        budget_source: the method whose search on the same fold and seed says what this one may spend, if any.
        rates_alone: whether it learns dimensions alone, and no emotions.
    """

    kind: Kind
    budget_source: str | None = None
    rates_alone: bool = False


_DESIGNS = "nni_emodarts.benchmark.designs"
_CARRIED = MethodEntry("carried", f"{_DESIGNS}:carried", "sample")


def _of_other_registries() -> Iterator[MethodEntry]:
    """Every strategy, hand-designed network, machine, regression and probe is a method."""
    yield from (MethodEntry(name, "nni_emodarts.search.run:search", "search") for name in STRATEGIES)
    yield from (MethodEntry(name, f"{_DESIGNS}:hand_designed", "network") for name in BASELINES)
    yield from (MethodEntry(name, f"{_DESIGNS}:on_functionals", "svm") for name in SVMS)
    yield from (MethodEntry(name, f"{_DESIGNS}:on_functionals", "ridge", rates_alone=True) for name in RIDGES)
    for name, design in PROBES.items():
        yield MethodEntry(name, f"{_DESIGNS}:on_levels", "probe", rates_alone=design.regression == "svr")


METHODS = Registry(
    "method",
    MethodEntry(RANDOM_SAMPLING, f"{_DESIGNS}:sampled", "sample"),
    MethodEntry(SEARCH, "nni_emodarts.search.run:search", "search"),
    MethodEntry("ensemble", "nni_emodarts.benchmark.ensembles:answering_together", "ensemble"),
    MethodEntry("distilled", "nni_emodarts.benchmark.ensembles:distilled", "ensemble"),
    MethodEntry(RANDOM_SEARCH, "nni_emodarts.benchmark.random_search:search_at_random", "search", BUDGET_SOURCE),
    derived=_of_other_registries,
)
"""All methods that need no architecture."""


@dataclass(frozen=True)
class Method:
    """Something to measure.

    Attributes:
        name: name of its row; one of `METHODS`, or any name where `architecture` is given.
        architecture: path of an architecture that was searched elsewhere; it is carried over as it is.
    """

    name: str
    architecture: str | None = None

    def __post_init__(self) -> None:
        if self.architecture is None:
            METHODS.find(self.name)

    @property
    def entry(self) -> MethodEntry:
        """How it comes to what is trained and scored."""
        return METHODS[self.name] if self.architecture is None else _CARRIED

    @property
    def budget_source(self) -> str | None:
        """The method whose search says what it may spend, if any."""
        return self.entry.budget_source

    @property
    def searches(self) -> bool:
        """Whether an architecture is searched inside each fold."""
        return self.entry.kind in ("search", "ensemble")

    @property
    def ensemble(self) -> bool:
        """Whether it is made of the candidates of the configured search."""
        return self.entry.kind == "ensemble"

    def strategy(self, config: ExperimentConfig) -> str | None:
        """The strategy whose settings decide what it finds, where it searches inside each fold.

        Where another method's search sets its budget, they are those of that search.
        """
        if not self.searches:
            return None
        named = self.budget_source or self.name
        return named if named in STRATEGIES else config.search.strategy

    @property
    def hand_designed(self) -> bool:
        """Whether it is a hand-designed network."""
        return self.entry.kind == "network"

    def track(self, config: ExperimentConfig) -> Track:
        """What its figures may be compared with; what hears functionals has features of its own."""
        if self.on_functionals:
            return Track(speaker_dependent=config.speaker_dependent, task=config.data.task)
        return Track.of(config.tracks)

    @property
    def probe(self) -> bool:
        """Whether it is a probe."""
        return self.entry.kind == "probe"

    @property
    def needs_levels(self) -> bool:
        """Whether it hears levels of a pretrained encoder, and nothing else."""
        return self.probe or (self.hand_designed and self.name in ON_LEVELS)

    @property
    def needs_spectra(self) -> bool:
        """Whether it hears spectral maps, and nothing else."""
        return self.hand_designed and self.name not in ON_LEVELS

    @property
    def svm(self) -> bool:
        """Whether it is a support vector machine."""
        return self.entry.kind == "svm"

    @property
    def on_functionals(self) -> bool:
        """Whether it hears openSMILE functionals, and nothing else."""
        return self.entry.kind in ("svm", "ridge")

    @property
    def rates_alone(self) -> bool:
        """Whether it learns dimensions alone."""
        return self.entry.rates_alone
