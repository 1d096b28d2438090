"""One-shot versions of the space's choices, plugged into NNI's differentiable strategies.

They differ from NNI's own in two points: `none` weighs an edge, but costs nothing and is never exported; and a node's
inputs are weighed so that the supernet agrees in scale with the network derived from it.
"""

import functools
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts.config import NONE
from nni_emodarts.models.nn.pooling import max_over_real_frames
from nni_emodarts.models.nn.recurrence import share_depth
from nni_emodarts.nni_bridge.nas import DifferentiableMixedInput, DifferentiableMixedLayer, LayerChoice, Memo

SKIP = "skip_connect"


class MixedOperation(DifferentiableMixedLayer):  # type: ignore[misc]
    """An edge of the supernet: the softmax(alpha)-weighted sum of its operations (DARTS, eq. 2).

    Likewise a choice outside the cells: of levels their normalised features are summed, of poolings their logits.

    Attributes:
        skip_dropout: share of a skip connection's values that is dropped in training (P-DARTS, Chen et al. 2019).
        kept: operations that take part, (O,) of zero and one; all of them where None (DARTS-PT, Wang et al. 2021).
    """

    skip_dropout = 0.0
    kept: Tensor | None = None

    def probabilities(self) -> Tensor:
        """Weights of the operations (O,), as the forward pass uses them."""
        return _among(self._softmax(self._arch_alpha), self.kept)

    def keep(self, choice: str | list[int]) -> None:
        """Let the one operation of this name alone take part."""
        self.kept = torch.tensor([float(name == choice) for name in self.names]).to(self._arch_alpha.device)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """(N, ...), lengths (N,) -> the operations' weighted sum."""
        return _weighted_sum(
            (weight, self.operate(name, inputs, lengths))
            for name, weight in zip(self.names, self.probabilities(), strict=True)
            if name != NONE
        )

    def operate(self, name: str, inputs: Tensor, lengths: Tensor) -> Tensor:
        """One operation alone."""
        out: Tensor = self[name](inputs, lengths)
        return F.dropout(out, self.skip_dropout, self.training) if name == SKIP and self.skip_dropout else out

    def export(self, memo: dict[str, object]) -> dict[str, object]:
        """The strongest operation other than `none`."""
        if self.label in memo:
            return {}
        alpha = self._arch_alpha.detach().clone()
        for position, name in enumerate(self.names):
            if name == NONE:
                alpha[position] = -torch.inf
        return {self.label: self.names[int(alpha.argmax())]}


class PartialOperation(MixedOperation):
    """An edge whose operations see one of K channels, while the others pass by (PC-DARTS, Xu et al. 2020, section 3.2).

    The operations are built at 1/K of the width; afterwards channels are shuffled, so that the next edge takes others.
    Of sequences it takes features in place of channels.
    """

    parts = 1

    @classmethod
    def mutate(cls, module: LayerChoice, name: str, memo: Memo, mutate_kwargs: Memo) -> nn.Module | None:
        """NNI's hook: a plain choice becomes its mixed version, made anew at the narrower width.

        A choice outside the cells has no channels that could pass it by.
        """
        if type(module) is not LayerChoice:
            return None
        if not hasattr(module, "narrow"):
            whole: nn.Module = MixedOperation.mutate(module, name, memo, mutate_kwargs)
            return whole
        return cls(module.narrow(cls.parts), memo[module.label], mutate_kwargs["softmax"], module.label)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """(N, C, F, T) or (N, T, D), lengths (N,) -> the operations' weighted sum beside the channels that pass by."""
        axis = 1 if inputs.dim() == 4 else 2
        width = inputs.shape[axis] // self.parts
        chosen, rest = inputs.split([width, inputs.shape[axis] - width], axis)
        mixed = super().forward(chosen, lengths)
        if axis == 1 and mixed.shape[2:] != rest.shape[2:]:
            rest = halve(rest, lengths)
        return shuffle(torch.cat([mixed, rest], axis), self.parts, axis)


def partial_operation(parts: int) -> type[PartialOperation]:
    """`PartialOperation` for one of `parts` channels; NNI's hooks take a class and no arguments."""
    return type("PartialOperation", (PartialOperation,), {"parts": parts})


def shared_depth(module: LayerChoice, name: str, memo: Memo, mutate_kwargs: Memo) -> None:
    """NNI's hook, in front of those that mutate: stacked candidates of a choice share their layers."""
    if type(module) is not LayerChoice or not hasattr(module, "narrow"):
        return
    share_depth(module.children())
    narrow = module.narrow

    def narrow_and_share(parts: int) -> dict[str, nn.Module]:
        operations: dict[str, nn.Module] = narrow(parts)
        share_depth(operations.values())
        return operations

    module.narrow = narrow_and_share


class MixedNode(DifferentiableMixedInput):  # type: ignore[misc]
    """A node of the supernet: its inputs, weighed by n_chosen * softmax(beta).

    NNI averages over all inputs while the derived network sums `n_chosen` of them. The factor makes both equal at
    uniform weights; PC-DARTS (Xu et al. 2020, eq. 4) calls the weights edge normalisation.

    Attributes:
        kept: inputs that take part, (I,) of zero and one; all of them where None (DARTS-PT, Wang et al. 2021).
    """

    kept: Tensor | None = None

    def probabilities(self) -> Tensor:
        """Weights of the inputs (I,), as the forward pass uses them; they sum to the number of chosen inputs."""
        weights: Tensor = self.n_chosen * _among(self._softmax(self._arch_alpha), self.kept)
        return weights

    def keep(self, choice: str | list[int]) -> None:
        """Let these inputs alone take part."""
        taken = [float(state in list(choice)) for state in range(self.n_candidates)]
        self.kept = torch.tensor(taken).to(self._arch_alpha.device)

    def forward(self, inputs: list[Tensor]) -> Tensor:
        """Results of the node's edges -> the node's state."""
        return _weighted_sum(zip(self.probabilities(), inputs, strict=True))


def derivable_probabilities(names: Sequence[str], alphas: Tensor) -> Tensor:
    """Softmax (O',) over the operations that may be derived: all but `none`, which only weighs an edge."""
    return torch.softmax(alphas[[name != NONE for name in names]], 0)


def _among(weights: Tensor, kept: Tensor | None) -> Tensor:
    """Weights of the kept ones, of sum one."""
    return weights if kept is None else weights * kept / (weights * kept).sum()


def halve(maps: Tensor, lengths: Tensor) -> Tensor:
    """2 x 2 maximum over real frames: (N, C, F, T) -> (N, C, ceil(F / 2), ceil(T / 2)), zero in the padding."""
    return max_over_real_frames(maps, lengths, 2, 2, padding=0)


def shuffle(tensor: Tensor, groups: int, axis: int) -> Tensor:
    """Channels of all groups in turn (Zhang et al. 2018), along an axis."""
    # Channels last, it is a transposition that keeps the order of memory, which an index does not.
    last = tensor.movedim(axis, -1)
    shuffled: Tensor = last.unflatten(-1, (groups, -1)).mT.flatten(-2)
    return shuffled.movedim(-1, axis)


def _weighted_sum(terms: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """Sum of weight * item. Items are added one by one: no copy of all of them, and their order of memory stays."""
    return functools.reduce(torch.add, (weight * item for weight, item in terms))
