"""A run's network as one ONNX file, from waveform to probabilities, and its int8 variant."""

import json
import warnings
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from nni_emodarts.data.features import Functionals, Moments, Normalizer, SpeakerNormalizer
from nni_emodarts.data.front_ends.extraction import PretrainedExtractor
from nni_emodarts.data.outputs import Outputs
from nni_emodarts.deploy.encoded import EncodedNetwork
from nni_emodarts.deploy.onnx_network import (
    FRONT_END,
    INPUT,
    LABELS,
    LONGEST,
    OUTPUT,
    RATED,
    SAMPLING_RATE,
    SPEAKER_ADAPTED,
    STATISTICS,
    VOICE,
    OnnxNetwork,
)
from nni_emodarts.deploy.sealing import sealed
from nni_emodarts.deploy.torch_network import AnyExtractor, TorchNetwork
from nni_emodarts.deploy.waveform import WaveformNetwork
from nni_emodarts.deploy.whole import AdaptedJointNetwork, AdaptedNetwork, JointNetwork, WholeNetwork
from nni_emodarts.errors import ConfigError, RunFolderError
from nni_emodarts.runtime.progress import Progress, silent

OPSET = 17
SUFFIX = ".onnx"
TOLERANCE = 1e-3
"""Largest difference of a probability between the file and PyTorch; rounding makes about 1e-6."""
CHECKED_SECONDS = (0.01, 0.1, 0.137, 0.25, 0.5, 0.77, 1.0, 1.5, 2.03, 3.0, 4.4, 7.9, 12.0, 20.0)
"""Lengths on which a file is compared with PyTorch, none of them the traced one."""
TRACED_SECONDS = 0.6
_FURTHER_AXES = {**{name: {0: "M"} for name in VOICE}, **{name: {0: "N"} for name in STATISTICS}}
_MOST_BYTES = 2**31 - 2**26
"""Of an ONNX file, by its own format, with room for the network behind the encoder."""


def int8_name(out: Path) -> Path:
    """The file beside `out` that holds its int8 variant."""
    return out.with_name(f"{out.stem}.int8{SUFFIX}")


def export_network(reference: TorchNetwork, labels: Sequence[str]) -> bytes:
    """The network as an ONNX file: `waveform` (N, S) float32 -> `probabilities` (N, K), any N and S.

    Of a network that answers in dimensions, too, there is the output `dimensions` (N, D) besides, on their scales; of
    one that answers in nothing else, in place of it.

    Of a network that is normalised by speaker it has further inputs, which may be left out: mean and deviation (N, R)
    or (1, R) of the voice's features; and further outputs, the features' statistics, of which they are made.

    Args:
        reference: the network in PyTorch, on the CPU.
        labels: names of its classes (K).

    Raises:
        ConfigError: its features cannot be written as a graph.
    """
    adapted = reference.statistics is not None
    whole = (_adapted(_whole(reference)) if adapted else _whole(reference)).eval()
    rate = reference.extractor.sampling_rate
    example = (torch.randn(2, round(TRACED_SECONDS * rate)), *(_voice(reference.normalizer) if adapted else ()))
    rated = reference.outputs if reference.outputs is not None and reference.outputs.dimensions else None
    answers = [*([OUTPUT] if labels else []), *([RATED] if rated else [])]
    buffer = BytesIO()
    with warnings.catch_warnings():
        # The tracing exporter calls itself deprecated; the newer one freezes the length of recurrent layers.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            whole,
            example,
            buffer,  # type: ignore[arg-type]  # it takes any binary file
            input_names=[INPUT, *(VOICE if adapted else ())],
            output_names=[*answers, *(STATISTICS if adapted else ())],
            dynamic_axes={
                INPUT: {0: "N", 1: "S"},
                **{name: {0: "N"} for name in answers},
                **(_FURTHER_AXES if adapted else {}),
            },
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load_from_string(buffer.getvalue())
    metadata = {LABELS: json.dumps(list(labels), ensure_ascii=False), SAMPLING_RATE: str(rate)}
    if rated is not None:
        metadata[RATED] = json.dumps(rated.to_dict(), ensure_ascii=False)
    if reference.statistics is not None:
        metadata[SPEAKER_ADAPTED] = json.dumps(reference.statistics.to_dict())
        for name, values in zip(VOICE, _voice(reference.normalizer), strict=True):
            # an input with a value of its own may be left out
            model.graph.initializer.append(onnx.numpy_helper.from_array(values.numpy(), name))
    encoders = [each for each in reference.extractors if isinstance(each, PretrainedExtractor)]
    if encoders:
        heard = [each.facts.provenance() for each in encoders]
        metadata[FRONT_END] = json.dumps(heard[0] if len(heard) == 1 else heard, ensure_ascii=False)
        metadata[LONGEST] = f"{min(each.front_end.longest_seconds for each in encoders):g}"
    onnx.helper.set_model_props(model, metadata)
    return sealed(model)


def _voice(normalizer: Normalizer) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation (1, R) of a normaliser, as a file takes them."""
    mean, deviation = (torch.from_numpy(values).float()[None] for values in (normalizer.mean, normalizer.std))
    return mean, deviation


def _whole(reference: TorchNetwork) -> WholeNetwork | JointNetwork:
    """The network behind its features, or behind its encoder, or behind those of several streams.

    Raises:
        ConfigError: it cannot be written as one file.
    """
    _refuse_large([each for each in reference.extractors if isinstance(each, PretrainedExtractor)])
    if len(reference.extractors) == 1:
        return _behind(reference.extractor, reference.normalizer, reference.model, reference.outputs)
    parts = zip(reference.extractors, reference.parts(reference.normalizer), strict=True)
    streams = [_behind(extractor, own, nn.Identity()) for extractor, own in parts]
    return JointNetwork(streams, reference.model, reference.outputs)


def _behind(
    extractor: AnyExtractor, normalizer: Normalizer, model: nn.Module, outputs: Outputs | None = None
) -> WholeNetwork:
    """A network behind the features of a stream."""
    if isinstance(extractor, Functionals):
        raise ConfigError(
            f"features.functionals: {extractor.feature_set} cannot be exported, since openSMILE has no graph; retrain "
            f"without it, or recognise with the run folder itself"
        )
    if isinstance(extractor, PretrainedExtractor):
        return EncodedNetwork(extractor, normalizer, model, outputs)
    return WaveformNetwork(extractor, normalizer, model, outputs)


def _adapted(whole: WholeNetwork | JointNetwork) -> nn.Module:
    return AdaptedJointNetwork(whole) if isinstance(whole, JointNetwork) else AdaptedNetwork(whole)


def _refuse_large(encoders: Sequence[PretrainedExtractor]) -> None:
    """Refuse encoders that do not fit into a file.

    Raises:
        ConfigError: they are more than it may hold.
    """
    weights = sum(each.numel() for one in encoders for each in one.front_end.encoder.parameters())
    if 4 * weights > _MOST_BYTES:
        named = ", ".join(f"{one.facts.model} up to level {one.facts.levels[-1]}" for one in encoders)
        raise ConfigError(
            f"front end {named}: {weights:,} weights are more than the 2 GB of an ONNX file; recognise with the run "
            f"folder itself, or retrain on an earlier level"
        )


def check_export(model: bytes, reference: TorchNetwork, progress: Progress = silent) -> float:
    """Compare an exported file with PyTorch on sounds of many lengths, alone and together.

    Args:
        model: the file.
        reference: the network in PyTorch.
        progress: called after each length.

    Returns:
        The largest difference of a probability, or of a value as a share of its scale.

    Raises:
        RunFolderError: they differ; nothing should be written then.
    """
    exported = OnnxNetwork(model)
    worst = 0.0
    for number, waveforms in enumerate(_sounds(exported.sampling_rate), 1):
        progress("comparing with PyTorch", number, len(CHECKED_SECONDS))
        apart = np.abs(exported(waveforms) - reference(waveforms)) / exported.outputs.spans
        worst = max(worst, float(apart.max()))
        if reference.statistics is not None:
            worst = max(worst, _difference_by_voice(exported, reference, reference.statistics, waveforms))
    if not worst <= TOLERANCE:
        raise RunFolderError(
            f"the exported file differs from PyTorch by {worst:g} in a probability, more than {TOLERANCE:g}; nothing "
            f"is written, please report it with the run's config.yml and architecture.json"
        )
    return worst


def _difference_by_voice(
    exported: OnnxNetwork, reference: TorchNetwork, statistics: SpeakerNormalizer, waveforms: list[np.ndarray]
) -> float:
    """The largest difference of a probability where both normalise by a voice, each by its own statistics of it."""
    answers = []
    for network in (exported, reference):
        heard = Moments.join(network.follow(waveform, statistics.general)[1] for waveform in waveforms)
        answers.append(network(waveforms, [statistics.adapted(heard.pooled)] * len(waveforms)))
    return float((np.abs(answers[0] - answers[1]) / exported.outputs.spans).max())


def _sounds(rate: int) -> Iterator[list[np.ndarray]]:
    """Buzzes in noise: one of each length, and three of one length."""
    generator = np.random.default_rng(0)
    for number, seconds in enumerate(CHECKED_SECONDS):
        time = np.arange(max(1, round(seconds * rate))) / rate
        copies = 3 if number == len(CHECKED_SECONDS) // 2 else 1
        buzz = sum(np.sin(2 * np.pi * (110 + 15 * number) * harmonic * time) / harmonic for harmonic in range(1, 9))
        yield [np.asarray(0.1 * buzz + 0.02 * generator.standard_normal(len(time)), np.float32) for _ in range(copies)]
