"""What every priced part of a network can tell."""

from abc import ABC, abstractmethod
from collections.abc import Callable


class Part(ABC):
    """A part of a derived network, at the size that it has there. Equal parts cost the same.

    FLOPs are those of one utterance without padding. A multiply-add of a convolution, a linear map, a recurrence or an
    attention (its scores and its weighted sum over time) counts as 2. Everything else is left out: biases, activations
    and gates, normalisation, pooling windows, means, softmax, masks, and the sums of nodes. Convolutions count every
    weight at every output position, also where the window reaches into the border.
    """

    @property
    @abstractmethod
    def parameters(self) -> int:
        """Trainable numbers."""

    @property
    @abstractmethod
    def flops(self) -> int:
        """FLOPs of one pass."""

    @abstractmethod
    def prepare(self) -> Callable[[], object]:
        """Build the part on the processor, in evaluation mode; each call of the result runs it on one utterance."""
