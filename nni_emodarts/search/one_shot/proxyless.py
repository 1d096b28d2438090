"""ProxylessNAS (Cai et al. 2019): alphas by gradient, while one path is computed, and a second one to compare with."""

from collections.abc import Iterator

import torch
from torch import Tensor, optim

from nni_emodarts.data.batches.batches import Batch
from nni_emodarts.models.architecture import Sample
from nni_emodarts.models.space.mixed import MixedNode, MixedOperation
from nni_emodarts.models.space.sampled import GatedNode, GatedOperation
from nni_emodarts.nni_bridge.nas import Hook
from nni_emodarts.search.one_shot.contract import Evaluate
from nni_emodarts.search.one_shot.darts import Darts, DartsSearch, Mixed
from nni_emodarts.training.parallel.group import drawn_alike

_GATED: dict[type, type[GatedOperation | GatedNode]] = {MixedOperation: GatedOperation, MixedNode: GatedNode}


class ProxylessSearch(DartsSearch):
    """A step of the weights of one path, drawn by softmax(alpha); a step of the alphas that compares two paths.

    Of NNI's Proxyless: it exports and measures a random path; it trains a node on one input where two are derived; and
    it computes every operation of every edge in each backward pass, also in those of the weights, which need none.

    The paper rescales the two compared alphas after a step, so that the others keep their probabilities; here they
    move as the optimiser has it, because a cost of the network moves every alpha.
    """

    recalibrates = True

    _comparing = False

    def architecture_step(self, train_batch: Batch, val_batch: Batch, batch_idx: int) -> None:
        """A step of the alphas by two paths of each choice."""
        self._comparing = True
        super().architecture_step(train_batch, val_batch, batch_idx)
        self._comparing = False

    def resample(self) -> Sample:
        """Draw a path, in a step of the alphas with rivals; modules of one label draw alike."""
        sample: Sample = {}
        for found in self._choices().values():
            with drawn_alike():
                drawn = found[0].draw_two() if self._comparing else found[0].draw(1)
            for gate in found:
                sample.update(gate.take(*drawn))
        return sample

    def configure_architecture_optimizers(self) -> optim.Optimizer:
        """Adam without momentum or decay, as the authors' code has it: alphas that are not compared stay.

        NNI's has both, which would move alphas that no path has touched, by far more than their decay: Adam scales a
        gradient by its own past.
        """
        return torch.optim.Adam(self.alpha_groups(), self.arc_learning_rate, betas=(0.0, 0.999))

    def validate(self, evaluate: Evaluate) -> float:
        """The figure of the strongest path, which is no draw."""
        self.discretize(self.export())
        return evaluate()

    def discretize(self, choices: Sample) -> None:
        """Take one path."""
        for label, found in self._choices().items():
            for gate in found:
                gate.take(choices[label])

    def choice_probabilities(self) -> dict[str, Tensor]:
        """Softmax (O,) over what each choice may come to, by label; alphas of nodes are those of pairs."""
        pairs = {label: found[0].probabilities() for label, found in self.by_label(MixedNode).items()}
        return {**self._derivable_probabilities(), **pairs}

    def taken_probabilities(self) -> dict[str, Tensor]:
        """Chance (I,) that a node takes each input, by label: that of the sets that hold it."""
        return {label: found[0].taken_probabilities() for label, found in self.by_label(MixedNode).items()}

    def by_label(self, kind: type[MixedOperation] | type[MixedNode]) -> dict[str, Mixed]:
        """Supernet modules of a kind, by label; here their gated versions."""
        return super().by_label(_GATED[kind])

    def _choices(self) -> dict[str, Mixed]:
        return {**self.by_label(MixedOperation), **self.by_label(MixedNode)}


class Proxyless(Darts):
    """DARTS' strategy with gated paths."""

    search = ProxylessSearch

    def supernet_hooks(self) -> Iterator[Hook]:
        """Hooks that turn the space's choices into supernet modules."""
        yield GatedOperation.mutate
        yield GatedNode.mutate
