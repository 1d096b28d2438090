"""What is no number ends a training: compared, it would pass for an answer, or for the best weights so far."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from nni_emodarts.errors import DivergenceError

REMEDY = "lower the optimizer's learning_rate, or its gradient_clip"


@contextmanager
def diverging(when: str) -> Iterator[None]:
    """Say of a divergence when it was found, such as `in epoch 3, step 12`, and what helps.

    Raises:
        DivergenceError: something inside diverged.
    """
    try:
        yield
    except DivergenceError as error:
        raise DivergenceError(f"{error} {when}; {REMEDY}") from None


def check_weights(model: nn.Module) -> None:
    """Refuse a network with weights, alphas or statistics that are infinite or no numbers.

    Raises:
        DivergenceError: there are some.
    """
    broken = [
        name
        for name, tensor in model.state_dict().items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    ]
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        raise DivergenceError(f"the weights {broken[0]}{more} are infinite or no numbers")


def check_probabilities(probabilities: np.ndarray) -> None:
    """Refuse answers (n, K + D) that are no numbers: the largest of them would be that of the first class.

    Raises:
        DivergenceError: there are some.
    """
    broken = int((~np.isfinite(probabilities)).any(1).sum())
    if broken:
        raise DivergenceError(f"the probabilities of {broken} of {len(probabilities)} utterances are no numbers")
