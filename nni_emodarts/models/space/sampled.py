"""One-shot versions of the space's choices of which one path is computed at a time.

They differ from NNI's own in three points: `none` is drawn only where alphas can learn to avoid it; two chosen inputs
are drawn, and weighed, as a pair; and draws come from torch's generator, which an epoch seeds, while NNI's come from a
new generator each time, which nothing seeds.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nni_emodarts.config import NONE
from nni_emodarts.models.architecture import Sample
from nni_emodarts.nni_bridge.nas import InputChoice, LayerChoice, Memo, PathSamplingInput, PathSamplingLayer

Option = Any
"""What a gate compares: names of operations, or sets of inputs."""


class SampledOperation(PathSamplingLayer):  # type: ignore[misc]
    """An edge of which one operation is computed. `none` is no option, since no derived network holds it."""

    @property
    def options(self) -> list[str]:
        """What may be drawn."""
        return [name for name in self.names if name != NONE]

    @property
    def taken(self) -> list[str]:
        """Operations that are computed; all of them before the first draw."""
        return self.options if self._sampled is None else [self._sampled]

    def resample(self, memo: Memo) -> Sample:
        """The operation that `memo` names, otherwise one drawn uniformly; NNI calls this."""
        self._sampled = memo[self.label] if self.label in memo else self.options[_draw(len(self.options))]
        return {self.label: self._sampled}


class SampledNode(PathSamplingInput):  # type: ignore[misc]
    """A node that sums the chosen of its inputs.

    Attributes:
        taken: states whose edges are computed; `Node` asks before it calls them. All of them before the first draw.
    """

    taken: Sequence[int]

    def __init__(self, n_candidates: int, n_chosen: int, reduction: str, label: str) -> None:
        super().__init__(n_candidates, n_chosen, reduction, label)
        self.taken = range(n_candidates)

    @property
    def options(self) -> list[tuple[int, ...]]:
        """What may be drawn: every set of chosen inputs."""
        return list(itertools.combinations(range(self.n_candidates), self.n_chosen))

    def resample(self, memo: Memo) -> Sample:
        """The inputs that `memo` names, otherwise some drawn uniformly; NNI calls this."""
        drawn = memo[self.label] if self.label in memo else self.options[_draw(len(self.options))]
        self._sampled = self.taken = list(drawn)
        return {self.label: self._sampled}


class Gate:
    """Alphas over the options of a sampled choice, moved by comparing two of them; a mix-in (Cai et al. 2019).

    Where a rival is set, its result is computed without gradient beside the path's own, and the two alphas receive the
    gradient of the binary gates (eq. 4 of the paper, for two sampled paths as in its section 3.2.1): with q the softmax
    of the two alphas, dL/dalpha_i = sum_j <dL/dy, o_j> q_j (delta_ij - q_i).
    """

    rival: Option = None
    """The option that the path is compared with; None while weights are trained or a path is evaluated."""

    options: Any
    label: str
    _sampled: Option
    _arch_alpha: nn.Parameter

    def arch_parameters(self) -> Iterator[nn.Parameter]:
        """The alphas (O,); NNI calls this."""
        yield self._arch_alpha

    def probabilities(self) -> Tensor:
        """Chance of each option (O,)."""
        return torch.softmax(self._arch_alpha, 0)

    def resample(self, memo: Memo) -> Sample:
        """The option that `memo` names, otherwise one drawn by its probability; NNI calls this."""
        option = memo[self.label] if self.label in memo else self.draw(1)[0]
        self.rival = None
        return self.take(option)

    @torch.no_grad()
    def draw(self, count: int) -> list[Option]:
        """Different options by their probability, in the order of their draw."""
        return [self.options[int(number)] for number in torch.multinomial(self.probabilities(), count)]

    @torch.no_grad()
    def draw_two(self) -> tuple[Option, Option | None]:
        """Two options by their probability: the path, drawn of the two, and its rival; no rival where there is one."""
        if len(self.options) < 2:
            return self.options[0], None
        two = self.draw(2)
        first = int(torch.multinomial(torch.softmax(self._arch_alpha[self._positions(two)], 0), 1))
        return two[first], two[1 - first]

    def take(self, option: Option, rival: Option | None = None) -> Sample:
        """Compute this option from now on, and this rival for comparison."""
        raise NotImplementedError

    def compare(self, result: Tensor, rival: Tensor) -> Tensor:
        """The path's result (N, ...), from which a gradient goes to the alphas of path and rival."""
        shares = torch.softmax(self._arch_alpha[self._positions([self._chosen(), self.rival])], 0)
        gates = shares - shares.detach()
        return result + gates[0] * result.detach() + gates[1] * rival.detach()

    def _positions(self, options: list[Option | None]) -> list[int]:
        return [self.options.index(option) for option in options]

    def _chosen(self) -> Option:
        return self._sampled


class GatedOperation(Gate, SampledOperation):  # type: ignore[misc]
    """An edge with alphas, of which one operation is computed. `none` competes with the others, and is not exported."""

    def __init__(self, paths: dict[str, nn.Module], alpha: nn.Parameter, label: str) -> None:
        super().__init__(paths, label)
        self._arch_alpha = alpha

    @property
    def options(self) -> list[str]:
        """What may be drawn."""
        return list(self.names)

    @property
    def taken(self) -> list[str]:
        """Operations that are computed: the path's and its rival; all of them before the first draw."""
        return super().taken if self.rival is None else [self._sampled, self.rival]

    def take(self, option: str, rival: str | None = None) -> Sample:
        """Compute this operation, and that one for comparison."""
        self._sampled, self.rival = option, rival
        return {self.label: option}

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """(N, ...), lengths (N,) -> the path's result."""
        result: Tensor = self[self._sampled](inputs, lengths)
        if self.rival is None:
            return result
        with torch.no_grad():
            rival = self[self.rival](inputs, lengths)
        return self.compare(result, rival)

    def export(self, memo: Memo) -> Sample:
        """The strongest operation other than `none`; NNI's exports a random one."""
        if self.label in memo:
            return {}
        alpha = dict(zip(self.names, self._arch_alpha.tolist(), strict=True))
        return {self.label: max((name for name in self.names if name != NONE), key=alpha.__getitem__)}

    @classmethod
    def mutate(cls, module: LayerChoice, name: str, memo: Memo, mutate_kwargs: Memo) -> nn.Module | None:
        """NNI's hook."""
        return cls(module.candidates, memo[module.label], module.label) if type(module) is LayerChoice else None


class GatedNode(Gate, SampledNode):  # type: ignore[misc]
    """A node with alphas over sets of chosen inputs. NNI's has alphas over inputs, trains on one, and exports two.

    Attributes:
        names: the options as text, such as `0+2`.
    """

    def __init__(self, n_candidates: int, n_chosen: int, alpha: nn.Parameter, label: str) -> None:
        super().__init__(n_candidates, n_chosen, "sum", label)
        self._arch_alpha = alpha
        self.names = ["+".join(map(str, option)) for option in self.options]

    def taken_probabilities(self) -> Tensor:
        """Chance that each input is among the chosen (I,), as many in sum as are chosen."""
        holds = torch.zeros(len(self.options), self.n_candidates, device=self._arch_alpha.device)
        for row, option in zip(holds, self.options, strict=True):
            row[list(option)] = 1
        return self.probabilities() @ holds

    def take(self, option: Sequence[int], rival: Sequence[int] | None = None) -> Sample:
        """Sum these inputs, and those for comparison."""
        self._sampled, self.rival = list(option), None if rival is None else tuple(rival)
        self.taken = sorted({*option, *(rival or ())})
        return {self.label: self._sampled}

    def forward(self, inputs: list[Tensor]) -> Tensor:
        """Results of the node's edges -> the node's state."""
        result: Tensor = super().forward(inputs)
        if self.rival is None:
            return result
        return self.compare(result, self._reduction([inputs[state].detach() for state in self.rival], []))

    def export(self, memo: Memo) -> Sample:
        """The strongest set of inputs; NNI's exports a random one."""
        return {} if self.label in memo else {self.label: list(self.options[int(self._arch_alpha.argmax())])}

    @classmethod
    def mutate(cls, module: InputChoice, name: str, memo: Memo, mutate_kwargs: Memo) -> nn.Module | None:
        """NNI's hook. NNI has prepared an alpha for each input; nodes of one label share one for each set instead."""
        if type(module) is not InputChoice:
            return None
        key = f"{module.label} sets"
        if key not in memo:
            count = sum(1 for _ in itertools.combinations(range(module.n_candidates), module.n_chosen))
            memo[key] = nn.Parameter(torch.randn(count) * 1e-3)
        return cls(module.n_candidates, module.n_chosen, memo[key], module.label)

    def _chosen(self) -> Option:
        return tuple(self._sampled)


def _draw(count: int) -> int:
    """A number below `count`."""
    return int(torch.randint(count, (1,)))
