"""What a search adds to the loss of its alphas."""

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from nni_emodarts.search.one_shot.entropy import mean_entropy


class Supernet(Protocol):
    """What a term needs to know of a search."""

    def edge_alphas(self) -> Mapping[str, Tensor]:
        """Alphas (O,) of each edge's operations, by label."""

    def operation_probabilities(self) -> Mapping[str, Tensor]:
        """Softmax (O,) over the operations of each edge, and over the candidates outside the cells, by label."""

    def taken_probabilities(self) -> Mapping[str, Tensor]:
        """Chance (I,) that a node takes each input, by label."""

    def choice_probabilities(self) -> Mapping[str, Tensor]:
        """Chance (O,) of all that each choice may come to, by label: operations, candidates, pairs of inputs."""

    def progress(self) -> float:
        """Share of the epochs that the current one completes, in (0, 1]."""


Term = Callable[[Supernet], Tensor]
"""A search's state -> a scalar for the loss of the alphas."""


class BetaDecay:
    """Keeps alphas from growing apart early (beta-DARTS, Ye et al. 2022, eq. 10 and 15).

    The mean over the edges of log sum exp(alpha), whose gradient is softmax(alpha): it pulls the strongest operations
    down most. Its weight grows linearly from zero and reaches `weight` in the last epoch.
    """

    def __init__(self, weight: float) -> None:
        self._weight = weight

    def __call__(self, supernet: Supernet) -> Tensor:
        """The regulariser."""
        edges = [torch.logsumexp(alpha, 0) for alpha in supernet.edge_alphas().values()]
        return self._weight * supernet.progress() * torch.stack(edges).mean()


class Sharpening:
    """Makes choices decided before the supernet is cut down to one network (DA2S, Tian et al. 2021).

    The mean normalised entropy of all choices. Its weight grows linearly and reaches `weight` in the last epoch, so
    that alphas follow the data first, and the weights then learn for the network that they come to. Its gradient is
    zero where all options of a choice are alike: it decides for what leads, and makes nothing lead.
    """

    def __init__(self, weight: float) -> None:
        self._weight = weight

    def __call__(self, supernet: Supernet) -> Tensor:
        """The regulariser."""
        return self._weight * supernet.progress() * mean_entropy(supernet.choice_probabilities().values())


class CostTerm:
    """The expected cost of the derived network, relative to the mean of the space (as in FBNet, Wu et al. 2019).

    NNI's own penalty takes probabilities as plain numbers, so that no gradient comes of it; this one is differentiable.
    """

    def __init__(self, weight: float, expected: Callable[..., Tensor], mean: float) -> None:
        """Set the term.

        Args:
            weight: loss of a network as costly as the mean.
            expected: (operation probabilities, chances that an edge is taken), both by label -> expected cost.
            mean: the space's mean cost, in the same unit.
        """
        self._weight = weight
        self._expected = expected
        self._mean = mean

    def __call__(self, supernet: Supernet) -> Tensor:
        """The penalty."""
        expected: Tensor = self._expected(supernet.operation_probabilities(), supernet.taken_probabilities())
        return self._weight * expected / self._mean


def sum_of(terms: list[Term], supernet: Supernet) -> Tensor | float:
    """All terms together; 0 where there are none."""
    return sum((term(supernet) for term in terms), 0.0)
