"""Learning from the answers of other networks besides the labels (Hinton, Vinyals & Dean 2015)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts.data.protocols import Rows
from nni_emodarts.training.loss import EmotionLoss
from nni_emodarts.training.parallel.group import mean_share

SHARE = 0.5
"""Share of the loss that the teacher's answers have; labels have the rest."""
TEMPERATURE = 2.0
"""What logits of both are divided by, so that the teacher's small probabilities count."""


@dataclass(frozen=True)
class Teacher:
    """Answers to learn from, by networks that have not learnt from these utterances.

    Attributes:
        rows: rows of the manifest (n,), in ascending order.
        answers: to each (n, K + D), probabilities of classes, then values in dimensions.
    """

    rows: Rows
    answers: npt.NDArray[np.floating]

    def spread(self, count: int) -> npt.NDArray[np.float64]:
        """Answers (count, K + D) by row of the manifest; of a row that it does not know they are no numbers."""
        table = np.full((count, self.answers.shape[1]), np.nan)
        table[self.rows] = self.answers
        return table


class TaughtLoss(nn.Module):
    """The recipe's loss, and the cross entropy with a teacher's answers, softened alike.

    The latter is multiplied by the squared temperature, so that its gradients stay as large (section 2). Utterances
    count there as their class weighs, as they do in the former.
    """

    answers: Tensor

    def __init__(self, loss: EmotionLoss, answers: Tensor) -> None:
        """Set it up.

        Args:
            loss: the recipe's, with the classes' weights.
            answers: probabilities of the teacher by row of the manifest (n, K).
        """
        super().__init__()
        self.loss = loss
        self.register_buffer("answers", answers, persistent=False)

    def forward(self, logits: Tensor, targets: Tensor, rows: Tensor) -> Tensor:
        """logits (N, K), classes (N,) or distributions (N, K), rows of the manifest (N,) -> mean loss.

        Raises:
            ValueError: the teacher has no answer to one of the rows.
        """
        answers = self.answers[rows]
        if torch.isnan(answers).any():
            row = int(rows[torch.isnan(answers).any(1)][0])
            raise ValueError(f"row {row} of the manifest has no answer to learn from")
        soft = F.softmax(answers.clamp(min=torch.finfo(answers.dtype).tiny).log() / TEMPERATURE, 1)
        losses = F.cross_entropy(logits / TEMPERATURE, soft, reduction="none")
        weights = self.loss.weights_of(targets)
        taught = (weights * losses).sum() / mean_share(weights.sum())
        mixture: Tensor = (1 - SHARE) * self.loss(logits, targets) + SHARE * TEMPERATURE**2 * taught
        return mixture
