"""The encoder of Whisper (Radford et al. 2022), for recordings of any length up to the 30 s that it was trained on."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts.data.front_ends.encoders.encoder import Count, Encoder, with_silence
from nni_emodarts.data.front_ends.facts import FRAME, SAMPLING_RATE
from nni_emodarts.data.front_ends.fetching import require_extra
from nni_emodarts.data.front_ends.sources import Source, sized
from nni_emodarts.data.front_ends.transformers_code import configured
from nni_emodarts.data.front_ends.weights import fill, settle

_WINDOW, _HOP = 400, 160
_FLOOR, _RANGE = 1e-10, 8.0
"""Smallest power of a band, and how many powers of ten below the loudest one still count."""


class WhisperEncoder(Encoder):
    """Whisper's layers on as many of the first positions as there are frames.

    Args:
        module: transformers' encoder, with its weights.
        levels: the hidden states that are kept.
        depth: number of layers of the whole encoder.
    """

    conv1: Any
    conv2: Any
    layers: Any
    layer_norm: Any

    def __init__(self, module: Any, levels: Sequence[int], depth: int) -> None:
        super().__init__(levels)
        self.spectrum = LogMel(module.conv1.in_channels)
        self.conv1, self.conv2 = module.conv1, module.conv2
        self.layers = module.layers
        self.layer_norm = module.layer_norm if levels[-1] == depth else None
        self.register_buffer("positions", module.embed_positions.weight.detach())
        self.positions: Tensor

    def prepare(self, waveforms: Tensor, padding: int) -> Tensor:
        """Waveforms (N, S) -> (N, S'): silence behind, up to a whole frame."""
        samples = waveforms.shape[1]
        return with_silence(waveforms, (samples + FRAME - 1) // FRAME * FRAME - samples + padding // FRAME * FRAME)

    def frames(self, samples: Count) -> Count:
        """One every 20 ms that has begun."""
        return (samples + FRAME - 1) // FRAME

    def states(self, heard: Tensor) -> Iterator[Tensor]:
        """Heard (N, S') -> hidden states (N, T, D)."""
        with torch.autocast(heard.device.type, enabled=False):  # powers span more than bf16 tells apart
            bands = self.spectrum(heard)
        x = F.gelu(self.conv2(F.gelu(self.conv1(bands)))).transpose(1, 2)
        x = x + self.positions[: x.shape[1]]
        yield x
        for number, layer in enumerate(self.layers, 1):
            x = layer(x, None)
            yield x if self.layer_norm is None or number < len(self.layers) else self.layer_norm(x)


class LogMel(nn.Module):
    """Whisper's log-mel bands, as its feature extractor computes them, of a recording at its own length."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        from transformers.audio_utils import mel_filter_bank

        bank = mel_filter_bank(1 + _WINDOW // 2, bands, 0.0, 8000.0, SAMPLING_RATE, norm="slaney", mel_scale="slaney")
        self.register_buffer("bank", torch.from_numpy(bank.T).float().contiguous())
        self.register_buffer("window", torch.hann_window(_WINDOW))
        self.bank: Tensor
        self.window: Tensor

    def forward(self, waveforms: Tensor) -> Tensor:
        """Waveforms (N, S) -> (N, bands, S // 160)."""
        power = self.by_convolution(waveforms) if torch.onnx.is_in_onnx_export() else self.by_transform(waveforms)
        bands = torch.matmul(self.bank, power).clamp(min=_FLOOR).log10()
        return (torch.maximum(bands, bands.amax((1, 2), keepdim=True) - _RANGE) + 4) / 4

    def by_transform(self, waveforms: Tensor) -> Tensor:
        """Power (N, 201, S // 160) of each frame's bins."""
        spectrum = torch.stft(waveforms, _WINDOW, _HOP, window=self.window, return_complex=True)[..., :-1]
        return (spectrum.real.square() + spectrum.imag.square()).contiguous()

    def by_convolution(self, waveforms: Tensor) -> Tensor:
        """The same as a convolution: `torch.stft` has no graph that keeps the number of samples free."""
        bins, time = torch.arange(1 + _WINDOW // 2)[:, None], torch.arange(_WINDOW)[None]
        angle = (bins * time % _WINDOW).double() * (2 * math.pi / _WINDOW)
        kernels = torch.cat([angle.cos(), -angle.sin()]).to(self.window) * self.window
        padded = F.pad(waveforms[:, None], (_WINDOW // 2, _WINDOW // 2), mode="reflect")
        real, imaginary = F.conv1d(padded, kernels[:, None], stride=_HOP)[..., :-1].square().chunk(2, 1)
        return real + imaginary


def build(source: Source, levels: tuple[int, ...]) -> WhisperEncoder:
    """Whisper's encoder with its weights, up to the last of the levels."""
    require_extra(source.model)
    from transformers.models.whisper.configuration_whisper import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder as Module

    depth, _ = sized(source)
    module = configured(source, WhisperConfig, Module)
    module.layers = module.layers[: levels[-1]]
    fill(module, source, unneeded=() if levels[-1] == depth else ("layer_norm.weight", "layer_norm.bias"))
    return settle(WhisperEncoder(module, levels, depth))
