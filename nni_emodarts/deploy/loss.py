"""What an exported file loses against the network that it comes from."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nni_emodarts.metrics import uar

Recognise = Callable[[Sequence[np.ndarray]], np.ndarray]
"""N waveforms (S,) -> probabilities (N, K)."""


@dataclass(frozen=True)
class Loss:
    """What separates a file's answers from those of another on the same recordings.

    Attributes:
        recordings: how many.
        same: share of recordings with the same emotion.
        largest: largest difference of a probability.
        mean: mean difference of the probabilities.
        uar: UAR of the other and of this one, where the true emotions are known.
    """

    recordings: int
    same: float
    largest: float
    mean: float
    uar: tuple[float, float] | None = None

    def __str__(self) -> str:
        of_uar = "" if self.uar is None else f", UAR {self.uar[1]:.3f} instead of {self.uar[0]:.3f}"
        return (
            f"on {self.recordings} recording{'' if self.recordings == 1 else 's'} the same emotion as PyTorch for "
            f"{self.same:.1%}, probabilities at most {self.largest:.1g} and on average {self.mean:.1g} apart{of_uar}"
        )


@dataclass(frozen=True)
class Shipped:
    """What an export wrote.

    Attributes:
        written: size of each file in bytes.
        labels: names of the classes.
        sampling_rate: in Hz.
        difference: largest difference from PyTorch on sounds of many lengths.
        losses: `float` and `int8` against PyTorch on the recordings, where there were any.
        failures: why recordings could not be used.
    """

    written: dict[Path, int]
    labels: tuple[str, ...]
    sampling_rate: int
    difference: float
    losses: dict[str, Loss]
    failures: tuple[str, ...]


def measure_loss(
    network: Recognise, other: Recognise, waveforms: Iterable[np.ndarray], true: Sequence[int] | None = None
) -> Loss | None:
    """Compare two networks on recordings.

    Args:
        network: the one that is judged.
        other: what it is compared with.
        waveforms: (S,) each, at their sampling rate.
        true: (n,) the true class of each, where known.

    Returns:
        None where there are no recordings.
    """
    pairs = [(other([waveform])[0], network([waveform])[0]) for waveform in waveforms]
    if not pairs:
        return None
    of_other, own = (np.array(rows) for rows in zip(*pairs, strict=True))
    classes = own.shape[1]
    figures = None if true is None else tuple(uar(true, rows.argmax(1), classes) for rows in (of_other, own))
    return Loss(
        len(pairs),
        float((of_other.argmax(1) == own.argmax(1)).mean()),
        float(np.abs(of_other - own).max()),
        float(np.abs(of_other - own).mean()),
        None if figures is None else (figures[0], figures[1]),
    )
