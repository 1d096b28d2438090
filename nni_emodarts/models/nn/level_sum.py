"""All levels of a pretrained encoder as one sequence: their sum, weighted by a softmax that is learnt."""

import torch
from torch import Tensor, nn

RATE = 10.0
"""Learning rate of the weights, as a multiple of the network's: at the network's own they hardly move."""


class LevelSum(nn.Module):
    """Levels -> one sequence. At the beginning all levels weigh alike."""

    def __init__(self, levels: int) -> None:
        """Set the number of levels L."""
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(levels))

    def forward(self, maps: Tensor) -> Tensor:
        """maps (N, L, D, T) -> (N, T, D)."""
        return torch.einsum("l,nldt->ntd", torch.softmax(self.scores, 0), maps)


def level_scores(network: nn.Module) -> list[nn.Parameter]:
    """The weights of levels in a network, which learn at a rate of their own and do not decay."""
    return [part.scores for part in network.modules() if isinstance(part, LevelSum)]
