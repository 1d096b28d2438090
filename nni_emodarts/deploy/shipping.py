"""Everything that `emodarts export` writes: the file, its int8 variant, the model card, and what they lose."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nni_emodarts.deploy.card import model_card
from nni_emodarts.deploy.export import (
    check_export,
    check_outputs,
    export_network,
    int8_name,
    write_model,
)
from nni_emodarts.deploy.folder import NetworkFolder
from nni_emodarts.deploy.listening import Source, hear
from nni_emodarts.deploy.loss import Loss, Shipped, measure_loss
from nni_emodarts.deploy.onnx_network import OnnxNetwork
from nni_emodarts.deploy.quantisation import quantise
from nni_emodarts.deploy.torch_network import read_network
from nni_emodarts.errors import AudioError, ManifestError
from nni_emodarts.features import read_audio
from nni_emodarts.manifest import read_manifest
from nni_emodarts.progress import Progress, silent, told


@dataclass(frozen=True)
class Recordings:
    """Recordings to measure losses on.

    Attributes:
        waveforms: (S,) each.
        true: class of each, where all are known.
        failures: why others could not be used.
    """

    waveforms: list[np.ndarray]
    true: list[int] | None
    failures: tuple[str, ...]


def ship(
    network: NetworkFolder,
    out: Path,
    files: Sequence[str] = (),
    manifest: str | None = None,
    int8: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Shipped:
    """Export a network, check it, and write it with its model card; nothing is written where the check fails.

    Args:
        network: the network.
        out: the ONNX file.
        files: recordings on which losses are measured.
        manifest: recordings with their emotions, for the loss of UAR.
        int8: also write the int8 variant.
        overwrite: replace files that exist.
        progress: told of the comparisons.

    Raises:
        RunFolderError: an output is taken, or the file differs from PyTorch.
        ConfigError: features that cannot be exported.
        ManifestError: the manifest cannot be read.
    """
    targets = [out, *([int8_name(out)] if int8 else []), out.with_suffix(".md")]
    check_outputs(targets, overwrite)
    reference = read_network(network)
    model = export_network(reference, network.labels)
    difference = check_export(model, reference, progress)
    made = {"float": model, **({"int8": quantise(model)} if int8 else {})}
    recordings = _read(network, files, manifest)
    losses: dict[str, Loss] = {}
    for name, data in made.items():
        waveforms = told(recordings.waveforms, f"losses of {name}", progress)
        loss = measure_loss(OnnxNetwork(data), reference, waveforms, recordings.true)
        losses |= {} if loss is None else {name: loss}
    contents = [*made.values(), (model_card(network) + _about(out, network, losses)).encode()]
    for target, content in zip(targets, contents, strict=True):
        write_model(target, content)
    written = {target: len(content) for target, content in zip(targets, contents, strict=True)}
    rate = network.config.features.sampling_rate
    return Shipped(written, network.labels, rate, difference, losses, recordings.failures)


def _read(network: NetworkFolder, files: Sequence[str], manifest: str | None) -> Recordings:
    rate = network.config.features.sampling_rate
    waveforms, true, failures = [], [], []
    for file in files:
        try:
            waveforms.append(hear(Source(file, file), rate).waveform)
        except AudioError as error:
            failures.append(str(error))
    if manifest is None:
        return Recordings(waveforms, None, tuple(failures))
    table = read_manifest(manifest).table
    table = table.assign(emotion=table["emotion"].replace(network.config.data.merge))
    table = table[table["emotion"].isin(network.labels)]
    if table.empty:
        known = ", ".join(network.labels)
        raise ManifestError(f"manifest {manifest} holds none of the network's classes {known}; name another, or files")
    for file, start, end, emotion in table[["file", "start", "end", "emotion"]].itertuples(index=False):
        bounds = [None if np.isnan(value) else float(value) for value in (start, end)]
        try:
            waveforms.append(read_audio(file, rate, *bounds))
            true.append(network.labels.index(emotion))
        except AudioError as error:
            failures.append(str(error))
    return Recordings(waveforms, None if files else true, tuple(failures))


def _about(out: Path, network: NetworkFolder, losses: dict[str, Loss]) -> str:
    """What the card of an exported file says besides."""
    rate, classes = network.config.features.sampling_rate, len(network.labels)
    text = (
        f"\n## The file\n\n`{out.name}` takes `waveform` (N, S), float32 from -1 to 1 at {rate} Hz, any N and S, and "
        f"gives `probabilities` (N, {classes}) in the order of its metadata `labels`.\n"
    )
    if losses:
        text += "\n" + "".join(f"- {name}: {loss}\n" for name, loss in losses.items())
    if any(loss.uar is not None for loss in losses.values()):
        text += (
            "\nThese UARs tell what the file loses and nothing else: it may have been trained on these recordings.\n"
        )
    return text
