"""How far an exported file's answers are from those of the network that it comes from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nni_emodarts.data.outputs import Outputs
from nni_emodarts.errors import RunFolderError
from nni_emodarts.metrics.scores import uar


@dataclass(frozen=True)
class Loss:
    """The difference of two files' answers to the same recordings.

    Attributes:
        recordings: how many.
        same: share of recordings with the same emotion; None of networks that tell no classes apart.
        largest: largest difference of a probability, or of a value as a share of its scale.
        mean: mean difference of these.
        uar: UAR of the other and of this one, where the true emotions are known.
    """

    recordings: int
    same: float | None
    largest: float
    mean: float
    uar: tuple[float, float] | None = None

    def __str__(self) -> str:
        emotion = "" if self.same is None else f" the same emotion as PyTorch for {self.same:.1%},"
        of_uar = "" if self.uar is None else f", UAR {self.uar[1]:.3f} instead of {self.uar[0]:.3f}"
        return (
            f"on {self.recordings} recording{'' if self.recordings == 1 else 's'}{emotion} "
            f"{'answers' if self.same is None else 'probabilities'} at most {self.largest:.1g} and on average "
            f"{self.mean:.1g} apart{of_uar}"
        )


@dataclass(frozen=True)
class Shipped:
    """What an export wrote.

    Attributes:
        written: size of each file in bytes.
        labels: names of the classes.
        dimensions: names of the dimensions.
        sampling_rate: in Hz.
        difference: largest difference from PyTorch on sounds of many lengths.
        losses: `float` and `int8` against PyTorch on the recordings, where there were any.
        failures: why recordings could not be used.
    """

    written: dict[Path, int]
    labels: tuple[str, ...]
    dimensions: tuple[str, ...]
    sampling_rate: int
    difference: float
    losses: dict[str, Loss]
    failures: tuple[str, ...]


def measure_loss(
    own: np.ndarray, other: np.ndarray, true: Sequence[int] | None = None, outputs: Outputs | None = None
) -> Loss:
    """Compare two networks by their answers to the same recordings.

    Args:
        own: answers (N, K + D) of the one that is judged.
        other: those of what it is compared with.
        true: (N,) the true class of each, where known.
        outputs: what answers mean; probabilities of classes where absent.

    Raises:
        RunFolderError: an answer is no number.
    """
    if not (np.isfinite(own).all() and np.isfinite(other).all()):
        raise RunFolderError("an answer to these recordings is no number; the network's weights are broken: retrain it")
    apart = np.abs(other - own) / (1.0 if outputs is None else outputs.spans)
    classes = own.shape[1] if outputs is None else outputs.num_classes
    own, other = own[:, :classes], other[:, :classes]
    same = float((other.argmax(1) == own.argmax(1)).mean()) if classes else None
    figures = None if true is None or not classes else (_uar(true, other), _uar(true, own))
    return Loss(len(own), same, float(apart.max()), float(apart.mean()), figures)


def _uar(true: Sequence[int], answers: np.ndarray) -> float:
    return uar(true, answers.argmax(1), answers.shape[1])
