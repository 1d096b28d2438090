"""Feature rows -> the maps that a network hears: bins, how they change, and contours, each as a channel."""

import torch
from torch import Tensor
from torch.nn import functional as F

Maps = Tensor | tuple[Tensor, ...]
"""What a network hears: maps (N, C, F, T) of one stream, or of several those of each, in their order."""

_REACH = 2
"""Frames to either side that a slope is taken over, as HTK does (Young et al. 2006, section 5.9)."""


def to_maps(rows: Tensor, frequency_bins: int, deltas: int = 0) -> Tensor:
    """Feature rows (N, R, T) -> maps (N, C, F, T).

    Args:
        rows: of utterances without padding, whose last frame is the end of what was said.
        frequency_bins: F; the first F rows are the bins of the first channel, each further row (a contour) is a channel
            that is the same in all bins, behind those of the deltas.
        deltas: channels of the bins' slopes: 1, or 2 with the slopes of the slopes.
    """
    orders = [rows[:, :frequency_bins]]
    for _ in range(deltas):
        orders.append(_slopes(orders[-1]))
    maps, contours = torch.stack(orders, 1), rows[:, frequency_bins:, None]
    return torch.cat([maps, contours.expand(-1, -1, frequency_bins, -1)], 1) if contours.shape[1] else maps


def to_levels(rows: Tensor, levels: int) -> Tensor:
    """Feature rows (N, L D, T) of a pretrained stream, level after level -> its maps (N, L, D, T)."""
    maps: Tensor = rows.unflatten(1, (levels, -1))
    return maps


def mixed(maps: Maps, share: Tensor, other: Tensor) -> Maps:
    """A mixture of maps with themselves in another order of the batch.

    Args:
        maps: of N utterances.
        share: a number, of those in their own places.
        other: (N,) the order.
    """
    if isinstance(maps, tuple):
        return tuple(share * each + (1 - share) * each[other] for each in maps)
    return share * maps + (1 - share) * maps[other]


def _slopes(rows: Tensor) -> Tensor:
    """Change per frame of each row (N, R, T), by least squares over the frames around; the ends are repeated.

    Torchaudio's `compute_deltas` gives the same, but not as a graph for any number of recordings.
    """
    frames, padded = rows.shape[-1], F.pad(rows, (_REACH, _REACH), mode="replicate")
    steps = range(1, _REACH + 1)

    def moved(by: int) -> Tensor:
        return padded[..., _REACH + by : _REACH + by + frames]

    total = sum((step * (moved(step) - moved(-step)) for step in steps), torch.zeros_like(rows))
    return total / (2 * sum(step**2 for step in steps))
