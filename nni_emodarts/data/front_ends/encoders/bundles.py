"""Bundles of torchaudio: wav2vec 2.0, HuBERT and WavLM."""

import pickle
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torchaudio
from torch import Tensor, nn

from nni_emodarts.config import TORCHAUDIO
from nni_emodarts.data.front_ends.encoders.encoder import Count, Encoder, at_least, normalised, with_silence
from nni_emodarts.data.front_ends.encoders.wav2vec2 import reach, whole_frames
from nni_emodarts.data.front_ends.sources import Source, sized
from nni_emodarts.data.front_ends.weights import settle
from nni_emodarts.errors import FrontEndError

_EPSILON = 1e-5
"""What torchaudio adds to the variance of a waveform."""


class BundleEncoder(Encoder):
    """torchaudio's model, level by level.

    Args:
        model: with its weights.
        levels: the hidden states that are kept.
        normalise: whether each waveform is heard with zero mean and unit variance.
        final: whether the last layer that is there is the last of the whole encoder.
    """

    convolutions: Any
    projection: Any
    transformer: Any

    def __init__(self, model: Any, levels: Sequence[int], normalise: bool, final: bool) -> None:
        super().__init__(levels)
        self.convolutions = model.feature_extractor
        self.projection = model.encoder.feature_projection
        self.transformer = model.encoder.transformer
        self.normalise, self.final = normalise, final
        layers = list(self.convolutions.conv_layers)
        self.hop, self.receptive = reach([each.kernel_size for each in layers], [each.stride for each in layers])
        self.together = 1 if isinstance(layers[0].layer_norm, nn.GroupNorm) else self.hop

    def prepare(self, waveforms: Tensor, padding: int) -> Tensor:
        """Waveforms (N, S) -> (N, S'): normalised, silence behind, no shorter than one frame."""
        heard = normalised(waveforms, _EPSILON) if self.normalise else waveforms
        heard = with_silence(heard, at_least(self.receptive - waveforms.shape[1] - padding, 0) + padding)
        return heard if self.together == 1 else whole_frames(heard, self.hop, self.receptive)

    def frames(self, samples: Count) -> Count:
        """As many as the convolutions make of the samples alone."""
        return (at_least(samples, self.receptive) - self.receptive) // self.hop + 1

    def states(self, heard: Tensor) -> Iterator[Tensor]:
        """Heard (N, S') -> hidden states (N, T, D)."""
        features, _ = self.convolutions(heard, None)
        x = self.projection(features)
        x = x + self.transformer.pos_conv_embed(x)
        if self.transformer.layer_norm_first:  # torchaudio's word for a norm before all layers, and none behind
            x = self.transformer.layer_norm(x)
        yield x
        bias = None
        for number, layer in enumerate(self.transformer.layers, 1):
            x, bias = layer(x, None, position_bias=bias)
            last = not self.transformer.layer_norm_first and self.final and number == len(self.transformer.layers)
            yield self.transformer.layer_norm(x) if last else x


def build(source: Source, levels: tuple[int, ...]) -> BundleEncoder:
    """A bundle with its weights, up to the last of the levels.

    Its file is where torch hub keeps it, so that torchaudio reads that one and fetches nothing.
    """
    bundle = getattr(torchaudio.pipelines, source.model.removeprefix(TORCHAUDIO))
    (file,) = source.files
    try:
        options = {"weights_only": True, "map_location": "cpu", "progress": False, "model_dir": str(file.parent)}
        model = bundle.get_model(dl_kwargs=options)
    except pickle.UnpicklingError:
        raise FrontEndError(
            f"front end {source.model}: {file} holds more than numbers, which could be run when it is read; remove it, "
            f"so that it is fetched again"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise FrontEndError(
            f"front end {source.model}: {file} is damaged ({str(error).strip()[:200]}); remove it, so that it is "
            f"fetched again"
        ) from None
    model = model.model if hasattr(model, "normalize_waveform") else model
    depth, _ = sized(source)
    model.encoder.transformer.layers = model.encoder.transformer.layers[: levels[-1]]
    normalise = bool(bundle._normalize_waveform)
    return settle(BundleEncoder(model.to(torch.float32), levels, normalise, levels[-1] == depth))
