"""wav2vec 2.0 and what is built like it: HuBERT, WavLM, data2vec-audio, in the layout of Hugging Face."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from torch import Tensor

from nni_emodarts.data.front_ends.encoders.encoder import Count, Encoder, at_least, normalised, with_silence
from nni_emodarts.data.front_ends.fetching import require_extra
from nni_emodarts.data.front_ends.sources import CONFIG_FILE, Source, sized
from nni_emodarts.data.front_ends.transformers_code import configured
from nni_emodarts.data.front_ends.weights import fill, settle
from nni_emodarts.errors import FrontEndError

_CODE = {
    "wav2vec2": ("wav2vec2", "wav2vec2", "Wav2Vec2"),
    "hubert": ("hubert", "hubert", "Hubert"),
    "wavlm": ("wavlm", "wavlm", "WavLM"),
    "data2vec-audio": ("data2vec", "data2vec_audio", "Data2VecAudio"),
}
"""Kind -> where transformers has it, and how its classes begin."""
_EPSILON = 1e-7
"""What its feature extractor adds to the variance of a waveform."""


class Wav2Vec2Encoder(Encoder):
    """Convolutions over the waveform, then layers.

    Args:
        module: transformers' model, with its weights.
        levels: the hidden states that are kept.
        normalise: whether each waveform is heard with zero mean and unit variance.
        final: whether the last layer that is there is followed by the normalisation of the whole encoder.
    """

    convolutions: Any
    projection: Any
    encoder: Any

    def __init__(self, module: Any, levels: Sequence[int], normalise: bool, final: bool) -> None:
        super().__init__(levels)
        config = module.config
        self.convolutions = module.feature_extractor
        self.projection = module.feature_projection
        self.encoder = module.encoder
        self.normalise, self.final = normalise, final
        self.norm_first = bool(getattr(config, "do_stable_layer_norm", False))
        self.biased = config.model_type == "wavlm"
        self.hop, self.receptive = reach(config.conv_kernel, config.conv_stride)
        # a group norm takes all samples of a recording together: it is another with one sample more
        self.together = self.hop if getattr(config, "feat_extract_norm", "layer") == "layer" else 1

    def prepare(self, waveforms: Tensor, padding: int) -> Tensor:
        """Waveforms (N, S) -> (N, S'): normalised, silence behind, no shorter than one frame."""
        heard = normalised(waveforms, _EPSILON) if self.normalise else waveforms
        missing = at_least(self.receptive - waveforms.shape[1] - padding, 0)
        heard = with_silence(heard, missing + padding)
        return heard if self.together == 1 else whole_frames(heard, self.hop, self.receptive)

    def frames(self, samples: Count) -> Count:
        """As many as the convolutions make of the samples alone."""
        return (at_least(samples, self.receptive) - self.receptive) // self.hop + 1

    def states(self, heard: Tensor) -> Iterator[Tensor]:
        """Heard (N, S') -> hidden states (N, T, D)."""
        projected = self.projection(self.convolutions(heard).transpose(1, 2))
        x = projected[0] if isinstance(projected, tuple) else projected
        x = x + self.encoder.pos_conv_embed(x)
        if not self.norm_first:
            x = self.encoder.layer_norm(x)
        yield x
        bias = None
        for number, layer in enumerate(self.encoder.layers, 1):
            if self.biased:
                x, bias = layer(x, position_bias=bias)
            else:
                x = layer(x)
            last = self.norm_first and self.final and number == len(self.encoder.layers)
            yield self.encoder.layer_norm(x) if last else x


def reach(kernels: Sequence[int], strides: Sequence[int]) -> tuple[int, int]:
    """Samples from one frame of a stack of convolutions to the next, and samples that one frame hears."""
    hop, receptive = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        receptive += (kernel - 1) * hop
        hop *= stride
    return hop, receptive


def whole_frames(heard: Tensor, hop: int, receptive: int) -> Tensor:
    """Heard (N, S') without the samples at the end that fill no frame, and that no frame hears."""
    return heard[:, : (heard.shape[1] - receptive) // hop * hop + receptive]


def build(source: Source, levels: tuple[int, ...]) -> Wav2Vec2Encoder:
    """An encoder with its weights, up to the last of the levels."""
    require_extra(source.model)
    folder, name, prefix = _CODE[source.family.name]
    code = f"transformers.models.{folder}"
    config_class = getattr(import_module(f"{code}.configuration_{name}"), f"{prefix}Config")
    module_class = getattr(import_module(f"{code}.modeling_{name}"), f"{prefix}Model")
    module = configured(source, config_class, module_class)
    depth, _ = sized(source)
    module.encoder.layers = module.encoder.layers[: levels[-1]]
    module.adapter = None
    fill(module, source, unneeded=["masked_spec_embed"])
    normalise = source.preprocessor.get("do_normalize", True)
    if not isinstance(normalise, bool):
        raise FrontEndError(f"front end {source.model}: do_normalize must be true or false, beside its {CONFIG_FILE}")
    return settle(Wav2Vec2Encoder(module, levels, normalise, levels[-1] == depth))
