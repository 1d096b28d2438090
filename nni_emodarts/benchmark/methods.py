"""What a benchmark measures."""

from dataclasses import dataclass

from nni_emodarts.benchmark.random_search import RANDOM_SEARCH
from nni_emodarts.config import nearest
from nni_emodarts.config.strategies import STRATEGIES
from nni_emodarts.errors import ConfigError
from nni_emodarts.models.baselines import BASELINES
from nni_emodarts.models.baselines.svm import SVMS

RANDOM_SAMPLING = "random_sampling"
"""One architecture drawn uniformly for each fold and seed: what the space and the recipe give without a search."""
PAYER = "darts"
"""The method whose search on the same fold and seed says what random search may spend."""
METHODS = (*STRATEGIES, *BASELINES, *SVMS, RANDOM_SAMPLING, RANDOM_SEARCH)
"""Names of all methods that need no architecture."""


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
        if self.architecture is None and self.name not in METHODS:
            raise ConfigError(f"method {self.name!r} is unknown{nearest(self.name, METHODS)}")

    @property
    def strategy(self) -> str | None:
        """The strategy whose settings decide what it finds, where it searches inside each fold.

        Of random search they are those of the search that it is given the cost of.
        """
        if self.bought:
            return PAYER
        return self.name if self.architecture is None and self.name in STRATEGIES else None

    @property
    def bought(self) -> bool:
        """Whether it is random search, which spends what another method's search cost."""
        return self.architecture is None and self.name == RANDOM_SEARCH

    @property
    def hand_designed(self) -> bool:
        """Whether it is a hand-designed network, which shares the space's dropout and nothing else of it."""
        return self.architecture is None and self.name in BASELINES

    @property
    def svm(self) -> bool:
        """Whether it is a support vector machine, which has features of its own and no recipe."""
        return self.architecture is None and self.name in SVMS
