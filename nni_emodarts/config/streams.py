"""What a network hears: streams of spectral features, or of a pretrained encoder's levels. Times in ms, unless said."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from nni_emodarts.config.sections import CAME_LATER, Name, PositiveFloat, PositiveInt, Section
from nni_emodarts.runtime.plain_data import JsonObject

Contour = Literal["pitch", "energy"]
MOST_SAMPLES = 2**15
"""Samples of a window: two seconds at 16 kHz."""
MOST_STREAMS = 8
TORCHAUDIO = "torchaudio:"
"""What the model of a stream begins with where it is a bundle of torchaudio."""
ENCODER_RATE = 16000
"""Sampling rate in Hz of what pretrained encoders hear."""
FUNCTIONALS = "functionals"
"""What openSMILE's functionals are called where streams have names."""
FunctionalSet = Literal["eGeMAPSv02", "ComParE_2016"]
Shape = tuple[int, int]
"""Of a stream's maps: (C, F), channels and bins; (L, D), levels and features, of a pretrained stream's."""
InputShape = Shape | Mapping[str, Shape]
"""Shape of the maps of one stream; of several, by the stream's name."""
Frames = int | Mapping[str, int]
"""Length T of the maps of one stream, or of each; of several, by the stream's name."""
Each = TypeVar("Each", Shape, int)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST_NAME = 40
_DIGEST = re.compile(r"[0-9a-f]{64}")


class SpectralSettings(Section):
    """Log-mel or MFCC maps. Frequencies are in Hz."""

    kind: Literal["log_mel", "mfcc"] = "log_mel"
    sampling_rate: Annotated[int, Field(ge=1000, le=1_000_000)] = 16000
    window_ms: PositiveFloat = 32.0
    hop_ms: Annotated[float, Field(gt=0, le=60_000)] = 10.0
    mel_bands: Annotated[int, Field(ge=1, le=1024)] = 64
    coefficients: PositiveInt | None = None
    """Number of MFCCs (`kind: mfcc` only); as many as mel bands where absent."""
    f_min: Annotated[float, Field(ge=0)] = 50.0
    f_max: PositiveFloat | None = None
    """Upper edge of the mel bands; half the sampling rate where absent."""
    contours: Annotated[tuple[Contour, ...], Field(max_length=8)] = ()
    """Contours added as further channels."""
    deltas: Annotated[int, Field(ge=0, le=2), CAME_LATER] = 0
    """Slopes of the bins added as further channels: 1, or 2 with the slopes of the slopes."""

    @model_validator(mode="after")
    def _check_spectrum(self) -> Self:
        if self.coefficients is not None and self.kind != "mfcc":
            raise ValueError(
                f"coefficients: {self.coefficients} has no meaning for {self.kind}; remove it or set kind: mfcc"
            )
        if self.coefficients is not None and self.coefficients > self.mel_bands:
            raise ValueError(
                f"coefficients: {self.coefficients} is more than the {self.mel_bands} mel_bands they are computed from"
            )
        if self.f_max is not None and not self.f_min < self.f_max <= self.sampling_rate / 2:
            raise ValueError(
                f"f_max: {self.f_max} must lie above f_min ({self.f_min}) and at most at half the sampling rate "
                f"({self.sampling_rate / 2})"
            )
        samples = self.window_ms * self.sampling_rate / 1000
        if samples > MOST_SAMPLES:
            raise ValueError(
                f"window_ms: {self.window_ms} ms at {self.sampling_rate} Hz are {samples:,.0f} samples, more than "
                f"{MOST_SAMPLES:,}; make it shorter"
            )
        if len(set(self.contours)) < len(self.contours):
            raise ValueError(f"contours: {', '.join(self.contours)} names one twice")
        return self

    @property
    def frequency_bins(self) -> int:
        """Height F of a map."""
        return self.mel_bands if self.kind == "log_mel" else self.coefficients or self.mel_bands

    @property
    def input_shape(self) -> tuple[int, int]:
        """(C, F): channels and frequency bins of a map."""
        return 1 + self.deltas + len(self.contours), self.frequency_bins

    def spectral(self) -> JsonObject:
        """The settings of the maps alone: the arguments of a `FeatureExtractor`."""
        return {name: getattr(self, name) for name in SpectralSettings.model_fields}


class Stream(Section):
    """One of the things that a network hears."""

    name: str
    """Its word in labels of choices: `level_NAME`."""

    @model_validator(mode="after")
    def _check_name(self) -> Self:
        if not _NAME.fullmatch(self.name) or len(self.name) > _LONGEST_NAME:
            raise ValueError(
                f"name: {self.name[:_LONGEST_NAME]!r} must be of small letters, digits and _, begin with a letter and "
                f"have at most {_LONGEST_NAME}; such as {stream_name(self.name)}"
            )
        return self


class SpectralStream(Stream, SpectralSettings):
    """A stream of log-mel or MFCC maps (C, F, T)."""

    kind: Literal["log_mel", "mfcc"]


class PretrainedStream(Stream):
    """A stream of a pretrained encoder's levels: maps (L, D, T)."""

    kind: Literal["pretrained"] = "pretrained"
    model: Annotated[str, Field(min_length=1, max_length=4096)]
    """`torchaudio:BUNDLE`, a name at Hugging Face such as `openai/whisper-base`, or a folder in that layout."""
    revision: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Commit, tag or branch of a name at Hugging Face; its newest one where absent. A run notes the commit."""
    digest: str | None = None
    """SHA-256 of the weights. A run notes it, and then refuses others; any where absent."""
    levels: Annotated[tuple[Annotated[int, Field(ge=0, le=1000)], ...], Field(min_length=1, max_length=200)] | None = (
        None
    )
    """Hidden states that are kept, as the model numbers them: 0 is what the first layer hears, the last is the output
    of the last one. All where absent."""
    hop_ms: Annotated[float, Field(gt=0, le=60_000)] = 80.0
    """From one frame to the next: a multiple of the model's own, whose frames are averaged."""
    padding: Annotated[float, Field(ge=0, le=30)] | None = None
    """Seconds of silence behind each recording, heard and not kept; where absent, what the kind of model wants: 2 of
    Whisper, 0 of others."""

    @field_validator("levels")
    @classmethod
    def _order(cls, levels: tuple[int, ...] | None) -> tuple[int, ...] | None:
        return levels and tuple(sorted(levels))

    @model_validator(mode="after")
    def _check_model(self) -> Self:
        if self.levels is not None and len(set(self.levels)) < len(self.levels):
            raise ValueError(f"levels: {list(self.levels)} names a level twice; name each once")
        if self.digest is not None and not _DIGEST.fullmatch(self.digest):
            raise ValueError(
                f"digest: {self.digest[:80]!r} must be the 64 hexadecimal digits of a SHA-256; leave it out"
            )
        return self

    def meaning(self) -> JsonObject:
        """The stream as plain data; where the digest of its weights is known, wherever they come from."""
        data = super().meaning()
        if self.digest is not None:
            del data["model"], data["revision"]
        return data


class HeardStream(Section):
    """A stream as a space knows it."""

    name: Name
    kind: Literal["log_mel", "mfcc", "pretrained"]
    levels: Annotated[tuple[Annotated[int, Field(ge=0, le=1000)], ...], Field(max_length=200)] = ()
    """Of a pretrained stream, those that are chosen from; none where the model has not been looked into yet."""

    @property
    def is_pretrained(self) -> bool:
        """Whether it is of a pretrained encoder's levels, which have no frequency axis."""
        return self.kind == "pretrained"

    def places(self, levels: Sequence[int]) -> range:
        """Where levels, neighbours of each other, lie among its own."""
        first = self.levels.index(levels[0])
        return range(first, first + len(levels))


def _kind(data: object) -> str | None:
    """Which section the data of a stream, or a stream itself, is of."""
    kind = data.get("kind") if isinstance(data, dict) else getattr(data, "kind", None)
    return {"log_mel": "spectral", "mfcc": "spectral", "pretrained": "pretrained"}.get(str(kind))


AnyStream = Annotated[
    Annotated[SpectralStream, Tag("spectral")] | Annotated[PretrainedStream, Tag("pretrained")],
    Discriminator(
        _kind,
        custom_error_type="stream_kind",
        custom_error_message="A stream needs a kind: log_mel, mfcc or pretrained",
    ),
]


def check_one_rate(streams: Iterable[SpectralStream | PretrainedStream], also: int | None = None) -> None:
    """Streams hear one waveform, of one sampling rate.

    Args:
        streams: the streams.
        also: a rate in Hz that they must have for something else.

    Raises:
        ValueError: they have several.
    """
    rates = {
        stream.name: stream.sampling_rate if isinstance(stream, SpectralStream) else ENCODER_RATE for stream in streams
    }
    if also is not None:
        rates[FUNCTIONALS] = also
    if len(set(rates.values())) > 1:
        listed = ", ".join(f"{name} {rate} Hz" for name, rate in rates.items())
        wanted = ENCODER_RATE if ENCODER_RATE in rates.values() else next(iter(rates.values()))
        raise ValueError(
            f"streams: they hear one waveform, and are of several sampling rates ({listed}); set sampling_rate of each "
            f"spectral one to {wanted}"
        )


def of_stream(values: Each | Mapping[str, Each], name: str) -> Each:
    """The value of a stream, of those by name, or of the one that holds for whatever is heard."""
    return values[name] if isinstance(values, Mapping) else values


def stream_name(model: str) -> str:
    """A name for a stream of a model: the last part of the model's own, in small letters."""
    last = re.split(r"[/:]", model.rstrip("/"))[-1].lower()
    name = re.sub(r"[^a-z0-9]+", "_", last).strip("_")[:_LONGEST_NAME].rstrip("_")
    return name if _NAME.fullmatch(name) else f"stream_{name}"[:_LONGEST_NAME].rstrip("_")


def located_model(model: str) -> str:
    """A model whose folder, where it is one, has its absolute path."""
    if model.startswith(TORCHAUDIO):
        return model
    path = Path(model).expanduser() if model.startswith("~/") else Path(model)
    is_path = path.is_absolute() or model.startswith(("./", "../")) or path.is_dir()
    return str(path.absolute()) if is_path else model


def front_end_streams(model: str) -> list[JsonObject]:
    """`features.streams` as `--front-end MODEL` means it: one stream of all levels of the model."""
    return [{"name": stream_name(model), "kind": "pretrained", "model": located_model(model)}]
