"""From a network's outputs to its answers: probabilities of classes, values on the scales of dimensions."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nni_emodarts.data.outputs import Outputs


def decode(outputs: Tensor, meaning: Outputs | None = None) -> np.ndarray:
    """Outputs (N, K + D) -> answers (N, K + D): probabilities of classes, then values on the scale of each dimension.

    Args:
        outputs: of a network.
        meaning: what they mean; logits of classes where absent.
    """
    if meaning is None or not meaning.dimensions:
        return F.softmax(outputs.float(), 1).cpu().numpy()
    logits, places = outputs.float().split([meaning.num_classes, len(meaning.dimensions)], 1)
    return np.concatenate([F.softmax(logits, 1).cpu().numpy(), meaning.from_unit(places.cpu().numpy())], 1)


def answer(outputs: Tensor, meaning: Outputs | None = None) -> tuple[Tensor, ...]:
    """The same as tensors, for a graph: probabilities (N, K) where there are classes, values (N, D) where there are."""
    if meaning is None or not meaning.dimensions:
        return (torch.softmax(outputs, 1),)
    logits, places = outputs.split([meaning.num_classes, len(meaning.dimensions)], 1)
    low, high = torch.tensor(meaning.low), torch.tensor(meaning.high)
    values = torch.minimum(torch.maximum((low + high + places * (high - low)) / 2, low), high)
    return (torch.softmax(logits, 1), values) if meaning.num_classes else (values,)
