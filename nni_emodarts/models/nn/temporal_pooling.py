"""From a sequence to one vector an utterance, over real frames only."""

import torch
from torch import Tensor, nn

from nni_emodarts.models.nn.masking import frame_mask


class MeanPooling(nn.Module):
    """Mean over time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out_width = width

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """sequence (N, T, D), lengths (N,) -> (N, D)."""
        real = frame_mask(lengths, sequence.shape[1])[:, :, None]
        return sequence.masked_fill(~real, 0.0).sum(1) / lengths[:, None].to(sequence.dtype)


class AttentionPooling(nn.Module):
    """Mean over time, weighted by a learnt score of each frame (self-attentive pooling, Lin et al. 2017)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.score = nn.Linear(width, 1, bias=False)
        self.out_width = width

    def weights(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """sequence (N, T, D), lengths (N,) -> weights (N, T, 1) that sum to one over real frames."""
        scores = self.score(torch.tanh(self.hidden(sequence)))
        real = frame_mask(lengths, sequence.shape[1])[:, :, None]
        return torch.softmax(scores.masked_fill(~real, float("-inf")), 1)

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """sequence (N, T, D), lengths (N,) -> (N, D)."""
        return (self.weights(sequence, lengths) * sequence).sum(1)


class StatisticsPooling(AttentionPooling):
    """Weighted mean and standard deviation over time, side by side (Okabe et al. 2018)."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.out_width = 2 * width

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """sequence (N, T, D), lengths (N,) -> (N, 2 D)."""
        weights = self.weights(sequence, lengths)
        mean = (weights * sequence).sum(1)
        variance = (weights * (sequence - mean[:, None]).square()).sum(1)
        return torch.cat([mean, (variance + 1e-6).sqrt()], 1)


class MaximumPooling(nn.Module):
    """Maximum over time of each feature."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out_width = width

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """sequence (N, T, D), lengths (N,) -> (N, D)."""
        real = frame_mask(lengths, sequence.shape[1])[:, :, None]
        return sequence.masked_fill(~real, float("-inf")).amax(1)


class PooledClassifier(nn.Module):
    """Sequence -> logits by one pooling: a candidate of the choice among poolings, whose vectors differ in width."""

    def __init__(self, pooling: str, width: int, num_classes: int) -> None:
        super().__init__()
        self.pooling = POOLINGS[pooling](width)
        self.classifier = nn.Linear(self.pooling.out_width, num_classes)

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """sequence (N, T, D), lengths (N,) -> logits (N, K)."""
        out: Tensor = self.classifier(self.pooling(sequence, lengths))
        return out


POOLINGS: dict[str, type[MeanPooling] | type[AttentionPooling] | type[MaximumPooling]] = {
    "mean": MeanPooling,
    "attention": AttentionPooling,
    "statistics": StatisticsPooling,
    "maximum": MaximumPooling,
}
