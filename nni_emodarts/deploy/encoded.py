"""The whole way from waveform to probabilities through a pretrained encoder, as one module that can be exported."""

from torch import Tensor, nn

from nni_emodarts.data.features.normalization import Normalizer
from nni_emodarts.data.front_ends.encoders.encoder import average_frames
from nni_emodarts.data.front_ends.extraction import LARGEST, PretrainedExtractor
from nni_emodarts.data.outputs import Outputs
from nni_emodarts.deploy.whole import WholeNetwork


class EncodedNetwork(WholeNetwork):
    """Encoder up to the last level that is needed, normalisation, network and softmax.

    Args:
        extractor: its encoder is taken.
        normalizer: of the network's training speakers.
        model: maps (N, L, D, T), lengths (N,) -> outputs (N, K + D).
        outputs: what they mean; logits of classes where absent.
    """

    def __init__(
        self, extractor: PretrainedExtractor, normalizer: Normalizer, model: nn.Module, outputs: Outputs | None = None
    ) -> None:
        super().__init__(normalizer, model, outputs)
        front_end = extractor.front_end
        self.encoder = front_end.encoder
        self.padding = front_end.padding
        self.averaged = extractor.facts.frames_averaged
        self.shape = extractor.facts.input_shape

    def features(self, waveform: Tensor) -> Tensor:
        """waveform (N, S) at 16 kHz -> levels, one after the other (N, L x D, T), not normalised yet."""
        levels: Tensor = self.encoder(self.encoder.prepare(waveform, self.padding))
        own = levels[:, :, : self.encoder.frames(waveform.shape[1])]
        kept = average_frames(own, self.averaged).transpose(2, 3).flatten(1, 2)
        return kept.clamp(-LARGEST, LARGEST).half().float()  # what the network has learnt from

    def maps(self, rows: Tensor) -> Tensor:
        """Normalised levels (N, L x D, T) -> (N, L, D, T)."""
        return rows.reshape(rows.shape[0], *self.shape, -1)  # `unflatten` would freeze the number of frames
