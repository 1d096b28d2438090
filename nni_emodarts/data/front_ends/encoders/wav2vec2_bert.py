"""wav2vec2-BERT (Seamless Communication 2023): layers on log-mel bands as Kaldi computes them."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts.data.front_ends.encoders.encoder import Count, Encoder, at_least, with_silence
from nni_emodarts.data.front_ends.facts import SAMPLING_RATE
from nni_emodarts.data.front_ends.fetching import require_extra
from nni_emodarts.data.front_ends.sources import Source, sized
from nni_emodarts.data.front_ends.transformers_code import configured
from nni_emodarts.data.front_ends.weights import fill, settle

_WINDOW, _HOP, _FFT, _STRIDE = 400, 160, 512, 2
_PREEMPHASIS, _FLOOR, _SCALE, _EPSILON = 0.97, 1.192092955078125e-07, 2.0**15, 1e-7


class Wav2Vec2BertEncoder(Encoder):
    """Conformer layers on pairs of frames of log-mel bands.

    Args:
        module: transformers' model, with its weights.
        levels: the hidden states that are kept.
    """

    together = 1  # bands are normalised over all frames of a recording

    projection: Any
    encoder: Any

    def __init__(self, module: Any, levels: Sequence[int]) -> None:
        super().__init__(levels)
        self.bands = KaldiBands(module.config.feature_projection_input_dim // _STRIDE)
        self.projection = module.feature_projection
        self.encoder = module.encoder

    def prepare(self, waveforms: Tensor, padding: int) -> Tensor:
        """Waveforms (N, S) -> (N, S'): silence behind, no shorter than one frame."""
        missing = at_least(_WINDOW + _HOP - waveforms.shape[1] - padding, 0)
        return with_silence(waveforms, missing + padding)

    def frames(self, samples: Count) -> Count:
        """As many as there are whole pairs of windows."""
        return (at_least(samples, _WINDOW + _HOP) - _WINDOW + _HOP) // (_STRIDE * _HOP)

    def states(self, heard: Tensor) -> Iterator[Tensor]:
        """Heard (N, S') -> hidden states (N, T, D)."""
        with torch.autocast(heard.device.type, enabled=False):  # powers span more than bf16 tells apart
            bands = self.bands(heard)
        pairs = bands.shape[1] // _STRIDE
        x, _ = self.projection(bands[:, : pairs * _STRIDE].reshape(bands.shape[0], pairs, -1))
        positions = None if self.encoder.embed_positions is None else self.encoder.embed_positions(x)
        yield x
        for layer in self.encoder.layers:
            x = layer(x, relative_position_embeddings=positions)
            yield x


class KaldiBands(nn.Module):
    """Log-mel bands as Kaldi's, each of zero mean and unit variance over a recording's frames."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        from transformers.audio_utils import mel_filter_bank, window_function

        bank = mel_filter_bank(
            1 + _FFT // 2, bands, 20.0, SAMPLING_RATE / 2, SAMPLING_RATE, norm=None, mel_scale="kaldi",
            triangularize_in_mel_space=True,
        )  # fmt: skip
        window = torch.from_numpy(window_function(_WINDOW, "povey", periodic=False))
        self.register_buffer("kernels", _kernels(window).float()[:, None])
        self.register_buffer("bank", torch.from_numpy(bank.T).float().contiguous())
        self.kernels: Tensor
        self.bank: Tensor

    def forward(self, waveforms: Tensor) -> Tensor:
        """Waveforms (N, S) -> (N, 1 + (S - 400) // 160, bands)."""
        parts = F.conv1d(waveforms[:, None] * _SCALE, self.kernels, stride=_HOP).square()
        real, imaginary = parts.chunk(2, 1)
        bands = torch.matmul(self.bank, real + imaginary).clamp(min=_FLOOR).log()
        centred = bands - bands.mean(2, keepdim=True)
        count = torch.ones_like(bands[:1, :1]).sum()
        variance = centred.square().sum(2, keepdim=True) / (count - 1)
        return (centred / torch.sqrt(variance + _EPSILON)).transpose(1, 2)


def _kernels(window: Tensor) -> Tensor:
    """(2 x bins, 400): mean off, pre-emphasis, window and Fourier transform of a frame, which are all linear."""
    frame = torch.eye(_WINDOW, dtype=torch.float64)
    frame = frame - frame.mean(0, keepdim=True)
    emphasised = frame - _PREEMPHASIS * torch.cat([frame[:1], frame[:-1]])
    time = torch.arange(_WINDOW)[None]
    angle = (torch.arange(1 + _FFT // 2)[:, None] * time % _FFT).double() * (2 * math.pi / _FFT)
    return torch.cat([angle.cos(), -angle.sin()]) @ (window.double()[:, None] * emphasised)


def build(source: Source, levels: tuple[int, ...]) -> Wav2Vec2BertEncoder:
    """The encoder with its weights, up to the last of the levels."""
    require_extra(source.model)
    from transformers.models.wav2vec2_bert.configuration_wav2vec2_bert import Wav2Vec2BertConfig
    from transformers.models.wav2vec2_bert.modeling_wav2vec2_bert import Wav2Vec2BertModel

    sized(source)
    module = configured(source, Wav2Vec2BertConfig, Wav2Vec2BertModel)
    module.encoder.layers = module.encoder.layers[: levels[-1]]
    module.adapter = module.intermediate_ffn = None
    fill(module, source, unneeded=["masked_spec_embed"])
    return settle(Wav2Vec2BertEncoder(module, levels))
