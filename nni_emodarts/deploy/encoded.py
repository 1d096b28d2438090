"""The whole way from waveform to probabilities through a pretrained encoder, as one module that can be exported."""

import torch
from torch import Tensor, nn

from nni_emodarts.data.features.normalization import Normalizer
from nni_emodarts.data.front_ends.encoders.encoder import average_frames
from nni_emodarts.data.front_ends.extraction import LARGEST, PretrainedExtractor
from nni_emodarts.deploy.waveform import frames_of


class EncodedNetwork(nn.Module):
    """Encoder up to the last level that is needed, normalisation, network and softmax.

    Args:
        extractor: its encoder is taken.
        normalizer: of the network's training speakers.
        model: maps (N, L, D, T), lengths (N,) -> logits (N, K).
    """

    def __init__(self, extractor: PretrainedExtractor, normalizer: Normalizer, model: nn.Module) -> None:
        super().__init__()
        front_end = extractor.front_end
        self.encoder = front_end.encoder
        self.padding = front_end.padding
        self.averaged = extractor.facts.frames_averaged
        self.shape = extractor.facts.input_shape
        self.network = model
        self.register_buffer("mean", torch.from_numpy(normalizer.mean).float().reshape(*self.shape, 1))
        self.register_buffer("scale", torch.from_numpy(1 / normalizer.std).float().reshape(*self.shape, 1))
        self.mean: Tensor
        self.scale: Tensor

    def forward(self, waveform: Tensor) -> Tensor:
        """waveform (N, S) at 16 kHz -> probabilities (N, K)."""
        return self.answer(self.features(waveform))

    def answer(self, maps: Tensor) -> Tensor:
        """Normalised levels (N, L, D, T) -> probabilities (N, K)."""
        return torch.softmax(self.network(maps, frames_of(maps[:, 0])), 1)

    def features(self, waveform: Tensor) -> Tensor:
        """waveform (N, S) -> normalised levels (N, L, D, T)."""
        return (self.hear(waveform) - self.mean) * self.scale

    def hear(self, waveform: Tensor) -> Tensor:
        """waveform (N, S) -> levels (N, L, D, T), not normalised yet."""
        levels = self.encoder(self.encoder.prepare(waveform, self.padding))
        own = levels[:, :, : self.encoder.frames(waveform.shape[1])]
        kept = average_frames(own, self.averaged).transpose(2, 3)
        return kept.clamp(-LARGEST, LARGEST).half().float()  # what the network has learnt from


class AdaptedEncodedNetwork(EncodedNetwork):
    """The same of a network that is normalised by speaker: mean and deviation are given, and statistics come back."""

    def forward(self, waveform: Tensor, mean: Tensor, deviation: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        """As `AdaptedWaveformNetwork` has it, R being L x D."""
        levels = self.hear(waveform)
        # reshaped by numbers that are the same for any waveform, so that no traced one is frozen
        of_rows = (-1, *self.shape, 1)
        answers = self.answer((levels - mean.reshape(of_rows)) / deviation.reshape(of_rows))
        rows = self.shape[0] * self.shape[1]
        means = levels.mean(3, keepdim=True)
        squares = (levels - means).square().sum(3)
        return answers, means.reshape(-1, rows), squares.reshape(-1, rows), frames_of(levels[:, 0])
