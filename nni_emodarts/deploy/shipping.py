"""What `emodarts export` writes: the file, its int8 variant and the model card, and what the files lose."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nni_emodarts.data.dimensions import Wanted
from nni_emodarts.data.features import read_audio
from nni_emodarts.data.manifest import read_manifest
from nni_emodarts.data.outputs import Outputs
from nni_emodarts.deploy.export import SUFFIX, check_export, export_network, int8_name
from nni_emodarts.deploy.folder import NetworkFolder
from nni_emodarts.deploy.listening import Source, hear
from nni_emodarts.deploy.loss import Loss, Shipped, measure_loss
from nni_emodarts.deploy.model_card import model_card
from nni_emodarts.deploy.onnx_network import STATISTICS, VOICE, OnnxNetwork
from nni_emodarts.deploy.quantisation import quantise
from nni_emodarts.deploy.torch_network import read_network
from nni_emodarts.errors import AudioError, ManifestError, RunFolderError
from nni_emodarts.runtime.progress import Progress, counted, silent
from nni_emodarts.runtime.writing import check_output, write_output

Recognise = Callable[[Sequence[np.ndarray]], np.ndarray]
"""N waveforms (S,) -> answers (N, K + D)."""


@dataclass(frozen=True)
class _Recording:
    """A recording to measure losses on.

    Attributes:
        read: gives its waveform (S,).
        emotion: its class, where it is known.
    """

    read: Callable[[], np.ndarray]
    emotion: int | None


def ship(
    network: NetworkFolder,
    out: Path,
    *,
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
        progress: called after each comparison.

    Raises:
        RunFolderError: an output is taken, or the file differs from PyTorch.
        ConfigError: features that cannot be exported.
        ManifestError: the manifest cannot be read.
    """
    targets = [out, *([int8_name(out)] if int8 else []), out.with_suffix(".md")]
    for target in targets:
        check_output(target, overwrite, "model.onnx")
    if out.suffix != SUFFIX:
        raise RunFolderError(f"output {out} must end in {SUFFIX}, by which emodarts predict knows it")
    reference = read_network(network)
    model = export_network(reference, network.labels)
    difference = check_export(model, reference, progress)
    made = {"float": model, **({"int8": quantise(model)} if int8 else {})}
    networks: dict[str, Recognise] = {"PyTorch": reference, **{name: OnnxNetwork(data) for name, data in made.items()}}
    losses, failures = _measure(networks, _recordings(network, files, manifest), network.outputs, progress)
    contents = [
        *made.values(),
        (model_card(network) + _about(out, network, losses, OnnxNetwork(model).longest)).encode(),
    ]
    for target, content in zip(targets, contents, strict=True):
        write_output(target, content)
    written = {target: len(content) for target, content in zip(targets, contents, strict=True)}
    rate = network.sampling_rate
    return Shipped(written, network.labels, network.outputs.dimensions, rate, difference, losses, failures)


def _recordings(network: NetworkFolder, files: Sequence[str], manifest: str | None) -> list[_Recording]:
    rate = network.sampling_rate
    found = [_Recording(partial(_hear, file, rate), None) for file in files]
    if manifest is None:
        return found
    if not network.labels:
        alone = read_manifest(manifest, dimensions=Wanted(network.outputs.dimensions, alone=True)).table
        return [*found, *(_stretch(row, rate, None) for row in alone.itertuples(index=False))]
    table = read_manifest(manifest).table
    table = table.assign(emotion=table["emotion"].replace(network.config.data.merge))
    table = table[table["emotion"].isin(network.labels)]
    if table.empty:
        known = ", ".join(network.labels)
        raise ManifestError(f"manifest {manifest} holds none of the network's classes {known}; name another, or files")
    rows = table.itertuples(index=False)
    return [*found, *(_stretch(row, rate, network.labels.index(row.emotion)) for row in rows)]


def _stretch(row: Any, rate: int, emotion: int | None) -> _Recording:
    """The recording of a row of a manifest."""
    bounds = [None if np.isnan(value) else float(value) for value in (row.start, row.end)]
    return _Recording(partial(read_audio, row.file, rate, *bounds), emotion)


def _hear(file: str, rate: int) -> np.ndarray:
    return hear(Source.of(file), rate).waveform


def _measure(
    networks: Mapping[str, Recognise], recordings: Sequence[_Recording], outputs: Outputs, progress: Progress
) -> tuple[dict[str, Loss], tuple[str, ...]]:
    """Each network's loss against the first, and faults of recordings, which are in memory one at a time."""
    answers: dict[str, list[np.ndarray]] = {name: [] for name in networks}
    true, failures = [], []
    for recording in counted(recordings, "losses", progress):
        try:
            waveform = recording.read()
        except AudioError as error:
            failures.append(str(error))
            continue
        true.append(recording.emotion)
        for name, recognise in networks.items():
            answers[name].append(recognise([waveform])[0])
    if not true:
        return {}, tuple(failures)
    known = [emotion for emotion in true if emotion is not None]
    reference, *others = ((name, np.array(rows)) for name, rows in answers.items())
    judged = known if len(known) == len(true) else None
    return {name: measure_loss(rows, reference[1], judged, outputs) for name, rows in others}, tuple(failures)


def _about(out: Path, network: NetworkFolder, losses: dict[str, Loss], longest: float | None) -> str:
    """What the card of an exported file says besides, with the seconds that it hears at once where they are bounded."""
    sizes = "any N and S" if longest is None else f"any N, S of up to {longest:g} s"
    rate, classes, rated = network.sampling_rate, len(network.labels), network.outputs.dimensions
    given = [f"`probabilities` (N, {classes}) in the order of its metadata `labels`"] if classes else []
    given += [f"`dimensions` (N, {len(rated)}) on the scales of its metadata `dimensions`"] if rated else []
    text = (
        f"\n## The file\n\n`{out.name}` takes `waveform` (N, S), float32 from -1 to 1 at {rate} Hz, {sizes}, and "
        f"gives {' and '.join(given)}.\n"
    )
    if network.config.speaker_adapted:
        inputs, outputs = (", ".join(f"`{name}`" for name in names) for names in (VOICE, STATISTICS))
        text += (
            f"\nThe network is speaker-adapted. {inputs}, (N, R) or (1, R), say how the voice's features are "
            f"normalised; where they are left out, by those of the training speakers. {outputs} are what they are made "
            f"of, for recordings of the voice; `EmotionRecognizer.predict(..., enrolment=[...])` and `emodarts predict "
            f"--enrolment` do so.\n"
        )
    if losses:
        text += "\n" + "".join(f"- {name}: {loss}\n" for name, loss in losses.items())
    if any(loss.uar is not None for loss in losses.values()):
        text += (
            "\nThese UARs tell what the file loses and nothing else: it may have been trained on these recordings.\n"
        )
    return text
