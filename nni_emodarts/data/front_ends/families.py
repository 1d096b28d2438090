"""The kinds of pretrained encoders that can be heard with, and what each wants."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nni_emodarts.config.registry import Entry, Registry

if TYPE_CHECKING:
    from nni_emodarts.data.front_ends.encoders.encoder import Encoder
    from nni_emodarts.data.front_ends.sources import Source

_ENCODERS = "nni_emodarts.data.front_ends.encoders"
TORCHAUDIO_FAMILY = "torchaudio"
EXTRA = "pretrained"
"""The extra of this package that brings transformers."""


@dataclass(frozen=True)
class Family(Entry[Callable[..., "Encoder"]]):
    """A kind of encoder; its name is what a model's config.json calls it (`model_type`).

    Attributes:
        depth: key of config.json that holds the number of layers; the levels are one more.
        width: key of config.json that holds the number of features D.
        padding: seconds of silence behind each recording, where a stream does not say.
        longest: seconds that are heard at once; a longer recording is heard in windows that overlap.
    """

    depth: str = "num_hidden_layers"
    width: str = "hidden_size"
    padding: float = 0.0
    longest: float = 30.0

    def build(self, source: "Source", levels: tuple[int, ...]) -> "Encoder":
        """The encoder with its weights: as many layers as the last of the levels needs."""
        return self.load()(source, levels)


FAMILIES: Registry[Family] = Registry(
    "kind of encoder",
    Family("whisper", f"{_ENCODERS}.whisper:build", depth="encoder_layers", width="d_model", padding=2.0),
    Family("wav2vec2", f"{_ENCODERS}.wav2vec2:build"),
    Family("hubert", f"{_ENCODERS}.wav2vec2:build"),
    Family("wavlm", f"{_ENCODERS}.wav2vec2:build"),
    Family("data2vec-audio", f"{_ENCODERS}.wav2vec2:build"),
    Family("wav2vec2-bert", f"{_ENCODERS}.wav2vec2_bert:build"),
    Family(TORCHAUDIO_FAMILY, f"{_ENCODERS}.bundles:build"),
)
"""Encoders in the layout of Hugging Face by `model_type`, and torchaudio's bundles, which are all of one kind."""
