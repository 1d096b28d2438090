"""One-shot versions of the space's choices, plugged into NNI's differentiable strategies.

They differ from NNI's own in three points: `none` weighs an edge but costs nothing and is never exported; a node's inputs
are weighed so that the supernet agrees in scale with the network derived from it; and unused results are not computed.
"""

import torch
from nni.nas.oneshot.pytorch.supermodule.differentiable import DifferentiableMixedInput, DifferentiableMixedLayer
from torch import Tensor

from nni_emodarts.config import NONE


class MixedOperation(DifferentiableMixedLayer):  # type: ignore[misc]
    """An edge of the supernet: the softmax(alpha)-weighted sum of its operations (DARTS, eq. 2)."""

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """(N, ...), lengths (N,) -> the operations' weighted sum."""
        weights = self._softmax(self._arch_alpha)
        total: Tensor | None = None
        for name, weight in zip(self.names, weights, strict=True):
            if name != NONE:
                result = weight * self[name](inputs, lengths)
                total = result if total is None else total + result
        assert total is not None  # noqa: S101 - the configuration demands another operation beside none
        return total

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
        return torch.stack([weight * item for weight, item in zip(weights, inputs, strict=True)]).sum(0)
