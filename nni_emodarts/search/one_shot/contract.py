"""What the search phase asks of a one-shot strategy, whatever its method."""

from collections.abc import Callable, Collection
from typing import Any

from torch import Tensor, nn

from nni_emodarts.data.batches.batches import Batch
from nni_emodarts.models.architecture import Sample

Evaluate = Callable[[], float]
"""The validation UAR of the supernet as it stands."""


Batches = dict[str, Batch]
"""A batch of each half of the training part: `train` for the weights, `val` for the alphas."""
Loading = Callable[[], Collection[Batch]]
"""Makes the batches of a half."""
AlphaRow = dict[str, str | int | float]
"""An alpha of an epoch: its label and choice, the alpha itself and its probability."""


class OneShotSearch:
    """Answers that hold for most methods; a mix-in for NNI's one-shot modules."""

    export: Callable[[], Sample]
    trainer: Any
    model: nn.Module
    warmup_epochs: int

    recalibrates = False
    """Whether the statistics of batch normalisation are measured anew before each evaluation: those that were gathered
    over many sampled paths hold for none of them (SPOS, Guo et al. 2020, section 3.1)."""

    @property
    def is_warm(self) -> bool:
        """Whether the warm-up of a method that has one is over, so that the choices learn."""
        return bool(self.trainer.current_epoch >= self.warmup_epochs)

    def validate(self, evaluate: Evaluate) -> float:
        """The validation figure of an epoch."""
        return evaluate()

    def alpha_rows(self) -> list[AlphaRow]:
        """Every alpha: rows of label, choice, alpha, probability; none where the method has no alphas."""
        return []

    def figures(self) -> dict[str, float]:
        """What else is worth recording of an epoch, by name."""
        return {}

    def choice_probabilities(self) -> dict[str, Tensor]:
        """Chance (O,) of all that each choice may come to, by label; nothing where the method has no alphas."""
        return {}

    def discretize(self, choices: Sample) -> None:
        """Leave of the supernet only what these choices name, a choice for every label."""
        raise NotImplementedError

    def should_stop(self) -> bool:
        """Whether the search ends after this epoch."""
        return False

    def choose(self, evaluate: Evaluate, tune: Callable[[int], None], seed: int) -> Sample:
        """The architecture that the trained supernet stands for: a choice for every label.

        Args:
            evaluate: the validation figure of the supernet as it stands.
            tune: trains the supernet's weights for so many steps.
            seed: seed of what the method draws.
        """
        return dict(self.export())
