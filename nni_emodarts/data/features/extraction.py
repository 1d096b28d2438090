"""Waveform -> log-mel or MFCC map, with contours as further rows."""

from collections.abc import Collection, Sequence

import librosa
import numpy as np
import torch
from torchaudio.functional import create_dct
from torchaudio.transforms import MelSpectrogram

from nni_emodarts.data.features.contours import CONTOURS
from nni_emodarts.data.features.framing import centred_blocks
from nni_emodarts.errors import ConfigError
from nni_emodarts.runtime.plain_data import JsonObject

FORMAT = 1
"""Raised whenever the same settings would give other numbers, so that no store mixes the two."""
KINDS = ("log_mel", "mfcc")
FLOOR = 1e-10
"""Smallest power of a band before the logarithm, about the quantisation noise of 16 bits."""
LARGEST_FFT = 2**15
MARGIN = 0.01
"""Share of a bin by which a band must reach beyond it, so that rounding cannot empty the band."""
MEL = {"norm": "slaney", "mel_scale": "slaney"}
"""librosa's default. Linear below 1 kHz, where HTK's scale makes its lowest bands narrower than an FFT's bins."""


class FeatureExtractor:
    """Log-mel or MFCC of a waveform, on one frame every hop, plus contours on the same frames.

    The logarithm is natural and takes no reference from the clip: energy is kept, and no frame's value depends on the
    loudest one. MFCCs are its orthonormal DCT-II.

    Args:
        kind: `log_mel` or `mfcc`.
        sampling_rate: of the waveforms, in Hz.
        window_ms: length of the Hann window in ms. The FFT is the next power of two, or larger where a mel band would
            else fall between two of its bins.
        hop_ms: from one frame to the next in ms.
        mel_bands: number of mel bands.
        coefficients: number of MFCCs; as many as mel bands where absent.
        f_min: lower edge of the lowest band in Hz.
        f_max: upper edge of the highest band in Hz; half the sampling rate where absent.
        contours: names among `pitch` and `energy`, appended as rows in this order.
        deltas: orders of deltas that a map of these features has as channels. They have no rows: whoever makes the map
            works them out of what became of the bins (`nni_emodarts.data.batches.maps`).

    Raises:
        ConfigError: a value out of bounds.
    """

    def __init__(
        self,
        kind: str,
        sampling_rate: int,
        window_ms: float,
        hop_ms: float,
        mel_bands: int,
        coefficients: int | None = None,
        f_min: float = 50.0,
        f_max: float | None = None,
        contours: Sequence[str] = (),
        deltas: int = 0,
    ) -> None:
        self.kind = _known("kind", kind, KINDS)
        self.contours = tuple(_known("contours", name, CONTOURS) for name in contours)
        self.deltas = deltas
        self.sampling_rate = sampling_rate
        self.window = _samples("window_ms", window_ms, sampling_rate, least=2)
        self.hop = _samples("hop_ms", hop_ms, sampling_rate, least=1)
        self.mel_bands = mel_bands
        self.f_min, self.f_max = _band(f_min, f_max, sampling_rate)
        self.n_fft = _fft_size(self.window, sampling_rate, mel_bands, self.f_min, self.f_max)
        self.frequency_bins = mel_bands if kind == "log_mel" else _coefficients(coefficients, mel_bands)
        self._mel = MelSpectrogram(
            sampling_rate,
            n_fft=self.n_fft,
            win_length=self.window,
            hop_length=self.hop,
            f_min=self.f_min,
            f_max=self.f_max,
            n_mels=mel_bands,
            center=False,  # `centred_blocks` has centred the frames
            **MEL,
        )
        self._dct = create_dct(self.frequency_bins, mel_bands, "ortho").T if kind == "mfcc" else None

    @property
    def feature_rows(self) -> int:
        """Rows R of a map: frequency bins, then contours."""
        return self.frequency_bins + len(self.contours)

    @property
    def settings(self) -> JsonObject:
        """Everything that decides the numbers, as plain data."""
        return {
            "format": FORMAT,
            "kind": self.kind,
            "sampling_rate": self.sampling_rate,
            "window": self.window,
            "hop": self.hop,
            "n_fft": self.n_fft,
            "mel_bands": self.mel_bands,
            "frequency_bins": self.frequency_bins,
            "f_min": self.f_min,
            "f_max": self.f_max,
            "contours": list(self.contours),
        }

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Waveform (S,) -> map (R, T), float32, T = 1 + S // hop."""
        waveform = np.asarray(waveform, np.float32)
        rows = [self._map(waveform)]
        for name in self.contours:
            rows.append(CONTOURS[name](waveform, self.sampling_rate, self.window, self.hop)[np.newaxis])
        return np.concatenate(rows, dtype=np.float32)

    def _map(self, waveform: np.ndarray) -> np.ndarray:
        pieces = map(torch.from_numpy, centred_blocks(waveform, self.n_fft, self.hop))
        bands = torch.cat([self._mel(piece) for piece in pieces], dim=1).clamp_(min=FLOOR).log_()
        if self._dct is not None:
            bands = self._dct @ bands
        return np.asarray(bands.numpy())


def _known(key: str, name: str, known: Collection[str]) -> str:
    if name not in known:
        raise ConfigError(f"features.{key}: {name!r} is unknown; known: {', '.join(known)}")
    return name


def _samples(key: str, milliseconds: float, sampling_rate: int, least: int) -> int:
    samples = round(milliseconds * sampling_rate / 1000)
    if samples < least:
        raise ConfigError(
            f"features.{key}: {milliseconds} ms is {samples} samples at {sampling_rate} Hz, less than {least}; "
            f"set at least {1000 * least / sampling_rate:g}"
        )
    return samples


def _band(f_min: float, f_max: float | None, sampling_rate: int) -> tuple[float, float]:
    half = sampling_rate / 2
    f_max = half if f_max is None else f_max
    if not 0 <= f_min < f_max <= half:
        raise ConfigError(
            f"features.f_min, f_max: {f_min} to {f_max} Hz must rise and lie within 0 to {half} Hz, half the sampling "
            "rate; lower them or raise sampling_rate"
        )
    return float(f_min), float(f_max)


def _coefficients(coefficients: int | None, mel_bands: int) -> int:
    coefficients = mel_bands if coefficients is None else coefficients
    if not 1 <= coefficients <= mel_bands:
        raise ConfigError(
            f"features.coefficients: {coefficients} must lie from 1 to mel_bands ({mel_bands}); set another number"
        )
    return coefficients


def _fft_size(window: int, sampling_rate: int, mel_bands: int, f_min: float, f_max: float) -> int:
    """The smallest power of two that holds the window and gives every mel band a bin of its own."""
    n_fft = 1 << (window - 1).bit_length()
    while _has_empty_band(n_fft, sampling_rate, mel_bands, f_min, f_max):
        n_fft *= 2
        if n_fft > LARGEST_FFT:
            raise ConfigError(
                f"features.mel_bands: {mel_bands} bands from {f_min:g} to {f_max:g} Hz are narrower than an FFT of "
                f"{LARGEST_FFT} samples resolves at {sampling_rate} Hz; set fewer mel_bands"
            )
    return n_fft


def _has_empty_band(n_fft: int, sampling_rate: int, mel_bands: int, f_min: float, f_max: float) -> bool:
    """Whether a band lies between two bins. Judged by its edges: the bank of an absurd number of bands fills memory."""
    edges = librosa.mel_frequencies(mel_bands + 2, fmin=f_min, fmax=f_max)
    bin_hz = (sampling_rate // 2) / (n_fft // 2)  # as torchaudio spaces them
    first_inside = np.floor(edges[:-2] / bin_hz + MARGIN) + 1
    return bool((first_inside > edges[2:] / bin_hz - MARGIN).any())
