"""Tiny random encoders of each kind, in the layout in which real ones are kept."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

_WIDTH = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
_CONVOLUTIONS = {
    "conv_dim": (8, 8, 8), "conv_kernel": (10, 8, 8), "conv_stride": (5, 8, 8), "num_conv_pos_embedding_groups": 4,
}  # fmt: skip
_GROUP_NORM = {"feat_extract_norm": "group", "do_stable_layer_norm": False}
_LAYER_NORM = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}


def _whisper(**options: Any) -> tuple[nn.Module, Any]:
    from transformers import WhisperConfig, WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    sizes = {"d_model": 32, "encoder_layers": 3, "encoder_attention_heads": 4, "encoder_ffn_dim": 48}
    return WhisperEncoder(WhisperConfig(**sizes, **options)), WhisperFeatureExtractor()


def _waveforms(model: str, config: str, **options: Any) -> tuple[nn.Module, Any]:
    import transformers

    made = getattr(transformers, model)(
        getattr(transformers, config)(**_WIDTH, **_CONVOLUTIONS, num_conv_pos_embeddings=16, **options)
    )
    return made, transformers.Wav2Vec2FeatureExtractor(do_normalize=True)


def _data2vec(**options: Any) -> tuple[nn.Module, Any]:
    import transformers

    config = transformers.Data2VecAudioConfig(**_WIDTH, **_CONVOLUTIONS, num_conv_pos_embeddings=3, **options)
    return transformers.Data2VecAudioModel(config), transformers.Wav2Vec2FeatureExtractor(do_normalize=True)


def _bert(**options: Any) -> tuple[nn.Module, Any]:
    import transformers

    config = transformers.Wav2Vec2BertConfig(**_WIDTH, conv_depthwise_kernel_size=5, **options)
    return transformers.Wav2Vec2BertModel(config), transformers.SeamlessM4TFeatureExtractor()


KINDS: dict[str, Callable[[], tuple[nn.Module, Any]]] = {
    "whisper": _whisper,
    "wav2vec2-base": lambda: _waveforms("Wav2Vec2Model", "Wav2Vec2Config", **_GROUP_NORM),
    "wav2vec2-large": lambda: _waveforms("Wav2Vec2Model", "Wav2Vec2Config", **_LAYER_NORM),
    "hubert-base": lambda: _waveforms("HubertModel", "HubertConfig", **_GROUP_NORM),
    "hubert-large": lambda: _waveforms("HubertModel", "HubertConfig", **_LAYER_NORM),
    "wavlm-base": lambda: _waveforms("WavLMModel", "WavLMConfig", **_GROUP_NORM),
    "wavlm-large": lambda: _waveforms("WavLMModel", "WavLMConfig", **_LAYER_NORM),
    "data2vec-audio": lambda: _data2vec(conv_pos_kernel_size=5),
    "wav2vec2-bert": _bert,
}
"""Kind -> makes its model and its feature extractor, both transformers' own."""


def make_encoder(folder: Path, kind: str, pickled: bool = False) -> tuple[nn.Module, Any]:
    """Write a tiny encoder as its authors would publish it, and return what it was made of.

    Args:
        folder: where to.
        kind: one of `KINDS`.
        pickled: its weights as a file of torch's instead of safetensors.
    """
    model, extractor = KINDS[kind]()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:  # those of norms and biases are the same all over when they are new
                parameter.add_(torch.randn_like(parameter) * 0.1)
            if name in ("conv1.weight", "conv2.weight"):  # Whisper's, else too small beside its positions
                parameter.mul_(10)
            assert torch.isfinite(parameter).all(), name
    model.eval().save_pretrained(folder)
    extractor.save_pretrained(folder)
    if pickled:
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return model, extractor


def edit_config(folder: Path, **entries: Any) -> None:
    """Change entries of an encoder's config.json."""
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **entries}))
