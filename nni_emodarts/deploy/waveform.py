"""The whole way from waveform to probabilities as one module that can be exported.

`torch.stft` has no ONNX form that keeps the number of samples free, so that the spectrum is a convolution with the
windowed cosines and sines of the Fourier transform.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchaudio.functional import create_dct, melscale_fbanks

from nni_emodarts.data.batches.maps import to_maps
from nni_emodarts.data.features.contours import ENERGY_FLOOR
from nni_emodarts.data.features.extraction import FLOOR, MEL, FeatureExtractor
from nni_emodarts.data.features.normalization import Normalizer
from nni_emodarts.data.outputs import Outputs
from nni_emodarts.deploy.whole import WholeNetwork
from nni_emodarts.errors import ConfigError


class Spectrum(nn.Module):
    """Waveform -> mel power, frame by frame, as `torchaudio.transforms.MelSpectrogram` on centred frames.

    Only the bins that a mel band takes are computed, and only over the window's own samples. The kernels, 2.6 MB at
    16 kHz, are not kept but worked out: whoever loads an exported file does so once.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        super().__init__()
        rate, window, n_fft = extractor.sampling_rate, extractor.window, extractor.n_fft
        bank = melscale_fbanks(
            n_fft // 2 + 1, extractor.f_min, extractor.f_max, extractor.mel_bands, rate, MEL["norm"], MEL["mel_scale"]
        )
        taken = torch.nonzero(bank.any(1))[:, 0]
        # torch.stft centres a window that is shorter than the transform
        before = (n_fft - window) // 2
        self.n_fft, self.hop = n_fft, extractor.hop
        left = n_fft // 2 - before
        self.padding = (left, window - left)
        self.register_buffer("taken", taken[:, None].float())
        self.register_buffer("time", torch.arange(before, before + window)[None].float())
        self.register_buffer("hann", torch.hann_window(window, dtype=torch.float64).float())
        self.register_buffer("bank", bank[taken].T.contiguous())
        self.taken: Tensor
        self.time: Tensor
        self.hann: Tensor
        self.bank: Tensor

    def forward(self, waveform: Tensor) -> Tensor:
        """waveform (N, S) -> (N, mel bands, T), T = 1 + S // hop."""
        parts = F.conv1d(F.pad(waveform, self.padding)[:, None], self.kernels(), stride=self.hop)
        real, imaginary = parts.square().chunk(2, 1)
        return torch.matmul(self.bank, real + imaginary)

    def kernels(self) -> Tensor:
        """(2 x bins, 1, window): the windowed cosines and sines of the Fourier transform."""
        # The product is exact, and reduced before it is scaled. The exporter would work out and store a plain one.
        turns = torch.remainder(torch.matmul(self.taken, self.time).long(), self.n_fft)
        angle = turns.float() * (2 * math.pi / self.n_fft)
        return torch.cat([torch.cos(angle) * self.hann, -torch.sin(angle) * self.hann])[:, None]


class Energy(nn.Module):
    """Natural logarithm of each window's root mean square, as the contour `energy`."""

    def __init__(self, window: int, hop: int) -> None:
        super().__init__()
        self.frame_length = window + window % 2
        self.hop = hop

    def forward(self, waveform: Tensor) -> Tensor:
        """waveform (N, S) -> (N, 1, T)."""
        half = self.frame_length // 2
        power = F.avg_pool1d(F.pad(waveform.square(), (half, half))[:, None], self.frame_length, self.hop)
        return power.sqrt().clamp(min=ENERGY_FLOOR).log()


class WaveformNetwork(WholeNetwork):
    """Spectral feature extraction, normalisation, network and softmax.

    Args:
        extractor: its settings are taken.
        normalizer: of the network's training speakers.
        model: maps (N, C, F, T), lengths (N,) -> outputs (N, K + D).
        outputs: what they mean; logits of classes where absent.

    Raises:
        ConfigError: features that cannot be written as a graph.
    """

    def __init__(
        self, extractor: FeatureExtractor, normalizer: Normalizer, model: nn.Module, outputs: Outputs | None = None
    ) -> None:
        super().__init__(normalizer, model, outputs)
        unsupported = [name for name in extractor.contours if name != "energy"]
        if unsupported:
            raise ConfigError(
                f"features.contours: {', '.join(unsupported)} cannot be exported, since tracking it is a search and "
                f"has no graph; retrain without it, or recognise with the run folder itself"
            )
        self.bins, self.deltas = extractor.frequency_bins, extractor.deltas
        self.spectrum = Spectrum(extractor)
        self.contours = nn.ModuleList(Energy(extractor.window, extractor.hop) for _ in extractor.contours)
        dct = create_dct(self.bins, extractor.mel_bands, "ortho").T.contiguous() if extractor.kind == "mfcc" else None
        self.register_buffer("dct", dct)
        self.dct: Tensor | None

    def maps(self, rows: Tensor) -> Tensor:
        """Normalised feature rows (N, R, T) -> maps (N, C, F, T)."""
        return to_maps(rows, self.bins, self.deltas)

    def features(self, waveform: Tensor) -> Tensor:
        """waveform (N, S) -> feature rows (N, R, T), not normalised yet."""
        bands = self.spectrum(waveform).clamp(min=FLOOR).log()
        if self.dct is not None:
            bands = torch.matmul(self.dct, bands)
        return torch.cat([bands, *(contour(waveform) for contour in self.contours)], 1)
