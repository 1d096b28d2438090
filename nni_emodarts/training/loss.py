"""What training minimises: cross entropy of classes that are weighed, and answers that may be unsure."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts.training.parallel.group import mean_share


class EmotionLoss(nn.Module):
    """Cross entropy, weighed by class, with smoothed labels and, where asked for, the focal factor.

    Targets are classes, or distributions of votes over them: then an utterance weighs as its classes do on average, and
    the focal factor takes the mean probability of its votes. Of one vote both are that of its class.
    """

    weight: Tensor

    def __init__(self, class_weights: Tensor, label_smoothing: float = 0.0, focal: float = 0.0) -> None:
        """Set it up.

        Args:
            class_weights: weight of each class (K,).
            label_smoothing: share of the target spread over all classes (Szegedy et al. 2016).
            focal: gamma of the focal loss (Lin et al. 2017): an utterance counts (1 - p)^gamma, p being the
                probability of its class.
        """
        super().__init__()
        self.register_buffer("weight", class_weights)
        self._smoothing = label_smoothing
        self._focal = focal

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """logits (N, K), classes (N,) or distributions (N, K) -> mean loss, weighed by the targets' classes.

        An utterance counts as its own class weighs. torch's own weighted cross entropy weighs the smoothed share of the
        target by every other class as well, which turns uncertain answers towards the rarest class.
        """
        losses = F.cross_entropy(logits, targets, label_smoothing=self._smoothing, reduction="none")
        if self._focal:
            probabilities = F.softmax(logits, 1)
            if targets.ndim == 1:
                sure = probabilities.gather(1, targets[:, None])[:, 0]
            else:
                sure = (targets * probabilities).sum(1)
            unsure = (1 - sure).clamp(min=torch.finfo(sure.dtype).eps)  # at zero the gradient is infinite for gamma < 1
            losses = unsure**self._focal * losses
        weights = self.weights_of(targets)
        return (weights * losses).sum() / mean_share(weights.sum())

    def weights_of(self, targets: Tensor) -> Tensor:
        """Weight of each utterance (N,) of classes (N,) or distributions (N, K)."""
        return self.weight[targets] if targets.ndim == 1 else targets @ self.weight
