"""What can be said of a front end without loading its weights: its shape, size, licence and identity."""

import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from nni_emodarts.config import PretrainedStream, SpectralStream
from nni_emodarts.config.streams import ENCODER_RATE
from nni_emodarts.data.front_ends.catalogue import FRONT_ENDS
from nni_emodarts.data.front_ends.families import TORCHAUDIO_FAMILY
from nni_emodarts.data.front_ends.fetching import have_source
from nni_emodarts.data.front_ends.sources import Source, sized
from nni_emodarts.errors import FrontEndError
from nni_emodarts.runtime.plain_data import JsonObject

SAMPLING_RATE = ENCODER_RATE
"""Of every encoder, in Hz."""
FRAME = 320
"""Samples from one frame of an encoder to the next."""
FRAME_MS = 1000 * FRAME / SAMPLING_RATE
_LONGEST_HEADER = 2**26
_UNSTATED = "not stated"
_LICENCE = re.compile(r"^licen[sc]e:\s*[\"']?([\w.+-]{1,80})", re.MULTILINE)
_OTHERS = ("decoder.", "proj_out.", "lm_head.", "quantizer.", "project_", "classifier.")
"""What names of tensors hold that are no part of an encoder."""


@dataclass(frozen=True)
class FrontEndFacts:
    """A front end as a stream hears with it.

    Attributes:
        name: the stream's.
        model: what the stream calls its encoder.
        family: the encoder's kind.
        levels: hidden states that are kept, as the model numbers them.
        depth: number of all layers: the last level there is.
        features: width D of a level.
        hop_ms: from one kept frame to the next.
        padding: seconds of silence behind each recording.
        parameters: number of parameters of the whole encoder; None where its file does not say.
        licence: of the weights, where the model states it.
        revision: the commit at Hugging Face, where it is from there.
        digest: SHA-256 of the weights.
        files: where the weights are.
    """

    name: str
    model: str
    family: str
    levels: tuple[int, ...]
    depth: int
    features: int
    hop_ms: float
    padding: float
    parameters: int | None
    licence: str
    revision: str | None
    digest: str
    files: tuple[str, ...]

    @property
    def sampling_rate(self) -> int:
        """Of the waveforms that it hears, in Hz."""
        return SAMPLING_RATE

    @property
    def input_shape(self) -> tuple[int, int]:
        """(L, D) of its maps."""
        return len(self.levels), self.features

    @property
    def frames_averaged(self) -> int:
        """Frames of the encoder whose mean is one frame that is kept."""
        return round(self.hop_ms / FRAME_MS)

    def provenance(self) -> JsonObject:
        """What a run and a model card say of it."""
        return {
            "stream": self.name,
            "model": self.model,
            "kind": self.family,
            "revision": self.revision,
            "digest": self.digest,
            "licence": self.licence,
            "parameters": self.parameters,
            "levels": list(self.levels),
            "layers": self.depth,
            "features": self.features,
            "hop_ms": self.hop_ms,
            "padding": self.padding,
        }


def front_end_facts(stream: PretrainedStream) -> FrontEndFacts:
    """What a stream's front end is; its weights are fetched where they are not on this machine, and not loaded.

    Raises:
        FrontEndError: they cannot be had, or the stream asks for what the model does not have.
    """
    return facts_of(stream, have_source(stream))


def facts_of(stream: PretrainedStream, source: Source) -> FrontEndFacts:
    """What the front end of a stream is, by its source."""
    depth, features = sized(source)
    levels = tuple(range(depth + 1)) if stream.levels is None else stream.levels
    if levels[-1] > depth:
        raise FrontEndError(
            f"features.streams: {stream.name} asks for level {levels[-1]} of {stream.model}, whose levels are 0 to "
            f"{depth}; name those"
        )
    frames = stream.hop_ms / FRAME_MS
    if frames < 1 or not frames.is_integer():
        raise FrontEndError(
            f"features.streams: {stream.name} has a hop_ms of {stream.hop_ms:g}, no multiple of the {FRAME_MS:g} ms of "
            f"{stream.model}; set {max(1, round(frames)) * FRAME_MS:g}"
        )
    return FrontEndFacts(
        stream.name,
        stream.model,
        source.family.name,
        levels,
        depth,
        features,
        stream.hop_ms,
        source.family.padding if stream.padding is None else stream.padding,
        _parameters(source),
        _licence(source),
        source.revision,
        source.digest,
        tuple(map(str, source.files)),
    )


def stream_shape(stream: SpectralStream | PretrainedStream) -> tuple[int, int]:
    """`input_shape` of a stream: (C, F) of a spectral one, (L, D) of a pretrained one."""
    return stream.input_shape if isinstance(stream, SpectralStream) else front_end_facts(stream).input_shape


def stream_rate(stream: SpectralStream | PretrainedStream) -> int:
    """Sampling rate in Hz of the waveforms that a stream hears."""
    return stream.sampling_rate if isinstance(stream, SpectralStream) else SAMPLING_RATE


def _licence(source: Source) -> str:
    """What is known of a name, else what the model's own page says in its folder."""
    if source.model in FRONT_ENDS:
        return FRONT_ENDS[source.model].licence
    page = source.files[0].parent / "README.md"
    if source.config and page.is_file():
        with page.open(encoding="utf-8", errors="replace") as file:
            found = _LICENCE.search(file.read(2**16))
        if found:
            return found[1]
    return _UNSTATED


def _parameters(source: Source) -> int | None:
    if source.family.name == TORCHAUDIO_FAMILY:
        return round(FRONT_ENDS[source.model].parameters * 1e6)
    headers = [_header(source, file) for file in source.files if file.suffix == ".safetensors"]
    if not headers:
        return round(FRONT_ENDS[source.model].parameters * 1e6) if source.model in FRONT_ENDS else None
    shapes = {name: entry.get("shape", ()) for header in headers for name, entry in header.items()}
    return sum(_product(shape) for name, shape in shapes.items() if not any(other in name for other in _OTHERS))


def _product(shape: object) -> int:
    total = 1
    for size in shape if isinstance(shape, list) else ():
        total *= int(size)
    return total


def _header(source: Source, file: Path) -> dict[str, JsonObject]:
    """Names and shapes of the tensors of a safetensors file."""
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            data = json.loads(stream.read(min(length, _LONGEST_HEADER)))
        return {name: entry for name, entry in data.items() if name != "__metadata__" and isinstance(entry, dict)}
    except (ValueError, AttributeError, struct.error, RecursionError) as error:
        raise FrontEndError(
            f"front end {source.model}: {file} is damaged ({str(error)[:100]}); fetch it again"
        ) from None
