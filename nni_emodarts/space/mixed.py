"""One-shot versions of the space's choices, plugged into NNI's differentiable strategies.

They differ from NNI's own in two points: `none` weighs an edge, but costs nothing and is never exported; and a node's
inputs are weighed so that the supernet agrees in scale with the network derived from it.
"""

import functools
from collections.abc import Iterable

import torch
from torch import Tensor

from nni_emodarts.config import NONE
from nni_emodarts.nni_nas import DifferentiableMixedInput, DifferentiableMixedLayer


class MixedOperation(DifferentiableMixedLayer):  # type: ignore[misc]
    """An edge of the supernet: the softmax(alpha)-weighted sum of its operations (DARTS, eq. 2)."""

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """(N, ...), lengths (N,) -> the operations' weighted sum."""
        weights = self._softmax(self._arch_alpha)
        return _weighted_sum(
            (weight, self[name](inputs, lengths))
            for name, weight in zip(self.names, weights, strict=True)
            if name != NONE
        )

    def export(self, memo: dict[str, object]) -> dict[str, object]:
        """The strongest operation other than `none`."""
        if self.label in memo:
            return {}
        alpha = self._arch_alpha.detach().clone()
        for position, name in enumerate(self.names):
            if name == NONE:
                alpha[position] = -torch.inf
        return {self.label: self.names[int(alpha.argmax())]}


class MixedNode(DifferentiableMixedInput):  # type: ignore[misc]
    """A node of the supernet: its inputs, weighed by n_chosen * softmax(beta).

    NNI averages over all inputs while the derived network sums `n_chosen` of them. The factor makes both equal at
    uniform weights; PC-DARTS (Xu et al. 2020, eq. 4) calls the weights edge normalisation.
    """

    def forward(self, inputs: list[Tensor]) -> Tensor:
        """Results of the node's edges -> the node's state."""
        weights = self.n_chosen * self._softmax(self._arch_alpha)
        return _weighted_sum(zip(weights, inputs, strict=True))


def _weighted_sum(terms: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """Sum of weight * item. Items are added one by one: no copy of all of them, and their order of memory stays."""
    return functools.reduce(torch.add, (weight * item for weight, item in terms))
