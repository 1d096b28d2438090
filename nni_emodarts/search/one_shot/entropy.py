"""How decided choices are: from their probabilities to one figure."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor


def pair_probabilities(weights: Tensor) -> Tensor:
    """Chance of each pair of inputs of a node, drawn one after the other without replacement by their weights.

    A node that takes two inputs of many is decided where one pair has all the chance, be its two inputs alike in weight
    or not. So a pair is the outcome whose entropy counts; that of single inputs would call an even pair undecided.

    Args:
        weights: softmax over the node's inputs, (I,), two at least.

    Returns:
        (I (I - 1) / 2,), of sum one: pairs 0+1, 0+2, ..., 1+2, ...
    """
    same = torch.eye(len(weights), dtype=torch.bool, device=weights.device)
    others = weights.expand(len(weights), -1).masked_fill(same, 0.0)
    # 1 - p_j as the sum of the others keeps its digits where p_j is nearly 1.
    rest = others.sum(1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
    ordered = weights[:, None] * others / rest
    first, second = torch.triu_indices(len(weights), len(weights), 1, device=weights.device)
    return ordered[first, second] + ordered[second, first]


def normalized_entropy(probabilities: Tensor) -> Tensor:
    """Entropy of a choice as a share of its largest: (O,) -> 1 where all are alike, 0 where one has all the chance."""
    entropy: Tensor = torch.special.entr(probabilities).sum()
    return entropy / math.log(len(probabilities))


def mean_entropy(choices: Iterable[Tensor]) -> Tensor:
    """Mean normalised entropy of choices (O,) each; 0 where there is nothing to choose."""
    found = [normalized_entropy(choice) for choice in choices if len(choice) > 1]
    return torch.stack(found).mean() if found else torch.zeros(())
