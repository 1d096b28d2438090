"""Stochastic depth on edges."""

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Drops a sample's whole edge with chance `chance` in training, and scales what stays (Larsson et al. 2017)."""

    def __init__(self, chance: float = 0.0) -> None:
        super().__init__()
        self.chance = chance

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, ...) -> the same shape."""
        if not self.training or self.chance == 0.0:
            return inputs
        keep = 1.0 - self.chance
        drawn = torch.rand(inputs.shape[0], *[1] * (inputs.dim() - 1), device=inputs.device, dtype=inputs.dtype)
        return inputs * (drawn < keep) / keep
