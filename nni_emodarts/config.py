"""The whole experiment as typed data.

A configuration is a preset, overlaid by a YAML file, overlaid by `a.b=c` settings, and validated once: every fault is
reported in one message. Classes below this room take plain arguments, never a configuration.
"""

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

import yaml
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from nni_emodarts.errors import ConfigError
from nni_emodarts.sections import CAME_LATER, Fraction, NonNegativeFloat, PositiveFloat, PositiveInt, Section
from nni_emodarts.strategy_options import STRATEGY_OPTIONS, options_for

CnnPrimitive = Literal[
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
    "none",
]
CNN_PRIMITIVES: tuple[CnnPrimitive, ...] = get_args(CnnPrimitive)
"""CNN operations of emoDARTS (Rajapakshe et al. 2024, section III), the set of DARTS (Liu et al. 2019)."""

SEQNN_PRIMITIVES = (
    *(f"lstm_{layers}" for layers in (1, 2, 3, 4)),
    *(f"rnn_{layers}" for layers in (1, 2, 3, 4)),
    *(f"lstm_att_{layers}" for layers in (1, 2)),
    *(f"rnn_att_{layers}" for layers in (1, 2)),
    "skip_connect",
    "none",
)
"""Sequential operations of emoDARTS: k stacked layers, or k bidirectional layers followed by attention."""

SCOPES = {
    "all": SEQNN_PRIMITIVES,
    "lstm": ("lstm_1", "lstm_2", "lstm_3", "lstm_4", "skip_connect", "none"),
    "rnn": ("rnn_1", "rnn_2", "rnn_3", "rnn_4", "skip_connect", "none"),
    "lstm_att": ("lstm_att_1", "lstm_att_2", "skip_connect", "none"),
    "rnn_att": ("rnn_att_1", "rnn_att_2", "skip_connect", "none"),
}
"""Scopes of the sequential part: which family of operations a search may choose from."""

PRESETS = ("paper", "compact", "tiny")
SYNTHETIC = "synthetic"
"""The manifest that stands for the embedded corpus."""
NONE = "none"
"""The operation that exists in the supernet only: no derived network holds it."""

Scope = Literal["all", "lstm", "rnn", "lstm_att", "rnn_att"]
Contour = Literal["pitch", "energy"]


class DataConfig(Section):
    """Which utterances, and how they are divided."""

    manifest: str | None = None
    """Path of the manifest, or `synthetic` for the embedded corpus."""
    protocol: str = "loso"
    """`loso`, `session`, `kfold:K` or `official`."""
    emotions: tuple[str, ...] | None = None
    """The classes to keep, after merging; all of the manifest's where absent."""
    merge: dict[str, str] = Field(default_factory=dict)
    """Emotion of the manifest -> the emotion that it counts as."""
    cache: str | None = None
    """Folder of the feature store; `$EMODARTS_CACHE` or the user's cache folder where absent."""
    workers: Annotated[int, Field(ge=0)] | None = None
    """Processes that extract features; one a core where absent."""
    bad_audio: Literal["refuse", "skip"] = "refuse"
    """Where recordings cannot be used: all are told and nothing runs, or the run goes on without them."""

    @field_validator("manifest", "cache")
    @classmethod
    def _expand(cls, path: str | None) -> str | None:
        return path and os.path.expanduser(path)  # noqa: PTH111 - pathlib's raises where there is no such user


class FeatureConfig(Section):
    """What a network hears. Times are in ms, frequencies in Hz."""

    kind: Literal["log_mel", "mfcc"] = "log_mel"
    sampling_rate: Annotated[int, Field(ge=1000)] = 16000
    window_ms: PositiveFloat = 32.0
    hop_ms: PositiveFloat = 10.0
    mel_bands: PositiveInt = 64
    coefficients: PositiveInt | None = None
    """Number of MFCCs (`kind: mfcc` only); as many as mel bands where absent."""
    f_min: Annotated[float, Field(ge=0)] = 50.0
    f_max: PositiveFloat | None = None
    """Upper edge of the mel bands; half the sampling rate where absent."""
    contours: tuple[Contour, ...] = ()
    """Contours added as further channels."""

    @model_validator(mode="after")
    def _check(self) -> Self:
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
        return 1 + len(self.contours), self.frequency_bins


class SpaceConfig(Section):
    """The joint space: CNN cells, then SeqNN cells. It says nothing of classes or corpus."""

    cnn_cells: PositiveInt = 4
    cnn_nodes: PositiveInt = 4
    cnn_channels: PositiveInt = 8
    """Channels of the first cell's nodes; each reduction doubles them."""
    cnn_primitives: tuple[CnnPrimitive, ...] = CNN_PRIMITIVES
    reduction_cells: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    """Positions of the cells that halve time and frequency; at 1/3 and 2/3 of the depth where absent."""
    stem_multiplier: PositiveInt = 3
    stem_stride: Literal[1, 2] = 1
    """2 halves time and frequency before the first cell."""
    seqnn_cells: PositiveInt = 4
    seqnn_nodes: PositiveInt = 4
    seqnn_width: PositiveInt = 128
    seqnn_normalization: Annotated[bool, CAME_LATER] = False
    """Whether recurrent operations end in a normalisation of each frame, as convolutions end in one of each channel.
    The paper's do not."""
    seqnn_scope: Scope = "all"
    seqnn_primitives: tuple[str, ...] | None = None
    """A choice of one's own among the scope's operations; all of the scope where absent."""
    pooling: Literal["mean", "attention", "statistics"] = "attention"
    dropout: Fraction = 0.3

    N_CHOSEN: ClassVar[int] = 2
    """Inputs that each node sums."""

    @field_validator("cnn_primitives", "seqnn_primitives")
    @classmethod
    def _order(cls, names: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        """In the paper's order, so that the order of a file makes no other space."""
        known = CNN_PRIMITIVES if info.field_name == "cnn_primitives" else SEQNN_PRIMITIVES
        places = {name: place for place, name in enumerate(known)}
        return names and tuple(sorted(names, key=lambda name: places.get(name, len(places))))

    @model_validator(mode="after")
    def _check(self) -> Self:
        scope = SCOPES[self.seqnn_scope]
        strangers = [name for name in self.seqnn_primitives or () if name not in scope]
        if strangers:
            raise ValueError(
                f"seqnn_primitives: {', '.join(strangers)} not in scope {self.seqnn_scope} ({', '.join(scope)})"
            )
        for key, names in (("cnn_primitives", self.cnn_primitives), ("seqnn_primitives", self.sequence_operations)):
            if len(set(names)) < len(names):
                raise ValueError(f"{key}: an operation is named twice in {', '.join(names)}")
            if not set(names) - {NONE}:
                raise ValueError(f"{key}: needs at least one operation other than none")
        outside = [cell for cell in self.reduction_cells or () if cell >= self.cnn_cells]
        if outside:
            raise ValueError(f"reduction_cells: {outside[0]} is out of range; cells are 0 to {self.cnn_cells - 1}")
        return self

    @property
    def sequence_operations(self) -> tuple[str, ...]:
        """Operations of the SeqNN edges, in the paper's order."""
        return SCOPES[self.seqnn_scope] if self.seqnn_primitives is None else self.seqnn_primitives

    @property
    def reductions(self) -> tuple[int, ...]:
        """Positions of the reduction cells (DARTS: at 1/3 and 2/3 of the depth)."""
        if self.reduction_cells is not None:
            return tuple(sorted(set(self.reduction_cells)))
        return tuple(sorted({self.cnn_cells // 3, 2 * self.cnn_cells // 3}))

    def identity(self) -> dict[str, Any]:
        """What the space means, with every default resolved: equal spaces have equal identities."""
        data = self.meaning()
        del data["seqnn_scope"]
        data["seqnn_primitives"] = list(self.sequence_operations)
        data["reduction_cells"] = list(self.reductions)
        return data


class OptimizerConfig(Section):
    """The optimiser of the weights; its rate falls along a cosine from `learning_rate` to `final_learning_rate`."""

    name: Literal["sgd", "adamw"] = "adamw"
    learning_rate: PositiveFloat = 1e-3
    final_learning_rate: Annotated[float, Field(ge=0)] = 0.0
    warmup_epochs: Annotated[float, Field(ge=0)] = 0.0
    momentum: Fraction = 0.9
    """Momentum of sgd."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    gradient_clip: PositiveFloat = 5.0
    """Bound on the gradient's norm."""


class SearchConfig(Section):
    """The search phase."""

    strategy: str = "darts"
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of the strategy."""
    epochs: PositiveInt = 50
    epoch_steps: PositiveInt | None = None
    """Steps of an epoch at most; of a larger corpus each epoch then sees another part. No bound where absent."""
    batch_size: Annotated[int, Field(ge=2)] = 16
    coarseness: PositiveInt = 1
    """So many neighbouring frames and bins, of MFCCs coefficients, become their mean before a supernet hears them;
    networks are retrained on all. Trials of a multi-trial search are trained on all as well."""
    optimizer: OptimizerConfig = OptimizerConfig()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.strategy not in STRATEGY_OPTIONS:
            raise ValueError(f"strategy: {self.strategy!r} is unknown{nearest(self.strategy, STRATEGY_OPTIONS)}")
        try:
            self.strategy_options()
        except ValidationError as error:
            faults = [describe_fault(fault, STRATEGY_OPTIONS[self.strategy]) for fault in error.errors()]
            raise ValueError(f"options of {self.strategy}: {'; '.join(faults)}") from None
        return self

    def strategy_options(self) -> Section:
        """The strategy's options, typed.

        A warm-up leaves at least one epoch, since a search whose choices never learn would end with a random network.
        """
        options = STRATEGY_OPTIONS[self.strategy].model_validate(self.options)
        if getattr(options, "warmup_epochs", 0) < self.epochs:
            return options
        return options.model_copy(update={"warmup_epochs": self.epochs - 1})


class SpecAugmentConfig(Section):
    """Masked stretches of time and frequency (Park et al. 2019), as shares of an utterance's length and of the bins."""

    time_masks: Annotated[int, Field(ge=0)] = 2
    time_share: Fraction = 0.1
    frequency_masks: Annotated[int, Field(ge=0)] = 2
    frequency_share: Fraction = 0.15


class PerturbationConfig(Section):
    """Random changes of the voice, made of the features of each training utterance each time it is heard."""

    tempo: Fraction = 0.0
    """Largest change of its speed, as a share: 0.15 makes it last from 1 / 1.15 to 1.15 times as long."""
    level: Annotated[NonNegativeFloat, CAME_LATER] = 0.0
    """Largest change of its loudness, in deviations of the features: 0.5 is 9 dB of EMO-DB's log-mel features."""
    pitch: Fraction = 0.0
    """Largest shift along the frequency axis, as a share of the bins: pitch and formants rise or fall together."""
    noise: NonNegativeFloat = 0.0
    """Largest deviation of the noise that is added, in deviations of the features."""


class RetrainConfig(Section):
    """The retrain phase: the recipe that every network is measured with."""

    epochs: PositiveInt = 60
    epoch_steps: PositiveInt | None = None
    """Steps of an epoch at most, as in the search."""
    patience: PositiveInt | None = None
    """Epochs without a better validation UAR after which training stops; never where absent."""
    batch_size: Annotated[int, Field(ge=2)] = 16
    optimizer: OptimizerConfig = OptimizerConfig()
    drop_path: Fraction = 0.1
    """Chance that an edge other than a skip connection is dropped for a sample, reached at the last epoch."""
    label_smoothing: Fraction = 0.1
    focal: NonNegativeFloat = 0.0
    """gamma of the focal loss (Lin et al. 2017): sure answers count less; 0 is cross entropy."""
    class_weights: bool = True
    """Weigh classes inversely to their frequency, as UAR does."""
    mixup: NonNegativeFloat = 0.0
    """alpha of mixup (Zhang et al. 2018): utterances of a batch are mixed in pairs by shares of Beta(alpha, alpha)."""
    averaging: Fraction = 0.0
    """Decay of the moving average of the weights that is validated, tested and kept; 0 keeps the weights themselves."""
    width: PositiveFloat = 1.0
    """The network's channels and its sequence's width, as a multiple of those that were searched."""
    keep: Literal["best", "last"] = "best"
    """Which epoch is kept: the best on validation, or the last."""
    refit: bool = False
    """Train anew on training and validation speakers, for as many epochs as validation chose, before the test."""
    excerpt: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Smallest share of a training utterance that is heard, in a stretch that is drawn anew each time; 1 hears all."""
    perturbation: PerturbationConfig = PerturbationConfig()
    spec_augment: SpecAugmentConfig = SpecAugmentConfig()

    @property
    def needs_validation(self) -> bool:
        """Whether the network that is kept depends on a training that was validated."""
        return not self.refit or self.keep == "best" or self.patience is not None


class ExperimentConfig(Section):
    """Everything that decides a run's figures, and the device that computes them."""

    preset: str | None = None
    data: DataConfig = DataConfig()
    features: FeatureConfig = FeatureConfig()
    space: SpaceConfig = SpaceConfig()
    search: SearchConfig = SearchConfig()
    retrain: RetrainConfig = RetrainConfig()
    device: Literal["auto", "cpu", "gpu"] = "auto"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.features.kind == "mfcc":
            voice = self.retrain.perturbation
            for name, value, does in (
                ("pitch", voice.pitch, "shifts along the frequency axis, which MFCCs do not have"),
                ("level", voice.level, "moves all bins alike, but of MFCCs the loudness moves the first alone"),
            ):
                if value:
                    raise ValueError(
                        f"retrain.perturbation.{name}: {value} {does}; set it to 0, or features.kind to log_mel"
                    )
        return self

    def to_yaml(self) -> str:
        """The configuration as YAML that `load_config` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def nearest(name: str, known: Iterable[str]) -> str:
    """A tail for a message: the nearest known names, then all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=2)
    hint = f"; did you mean {' or '.join(close)}?" if close else ";"
    return f"{hint} known: {', '.join(known)}"


def load_config(
    preset: str | None = None,
    file: str | Path | None = None,
    settings: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> ExperimentConfig:
    """Assemble and validate a configuration; its paths are relative to the current folder, and become absolute.

    Args:
        preset: name of a preset (`paper`, `compact`, `tiny`). Where absent, the one that `file` names, else `compact`.
        file: a YAML file of the same sections, laid over the preset.
        settings: `section.key=value` texts, laid over both; values are read as YAML.
        options: `section.key` -> value, laid over all; values are taken as they are, None stands for not given.

    Raises:
        ConfigError: an unknown preset, an unreadable file, or faults in the data, all of them in one message.
    """
    overlay = _read_yaml(Path(file)) if file is not None else {}
    name = preset or overlay.get("preset") or "compact"
    own = {**overlay, "preset": name}
    for setting in settings:
        own = _merge(own, _parse_setting(setting))
    for key, value in (options or {}).items():
        if value is not None:
            own = _merge(own, _nest(key.split("."), value))
    return located(validate(_merge(_fit_strategy(read_preset(name), own), own)))


def located(config: ExperimentConfig) -> ExperimentConfig:
    """The configuration with absolute paths, so that a run can be gone on with, and its corpus found, from anywhere.

    A link stays one, since recordings are named relative to it.
    """
    data = config.data
    manifest = data.manifest if data.manifest in (None, SYNTHETIC) else str(Path(str(data.manifest)).absolute())
    cache = data.cache and str(Path(data.cache).absolute())
    return config.model_copy(update={"data": data.model_copy(update={"manifest": manifest, "cache": cache})})


def lay_over(config: ExperimentConfig, settings: Sequence[str]) -> ExperimentConfig:
    """A configuration with `section.key=value` texts laid over it.

    Raises:
        ConfigError: as `load_config` does.
    """
    data: dict[str, Any] = config.model_dump(mode="json")
    for setting in settings:
        data = _merge(data, _parse_setting(setting))
    return located(validate(data))


def _fit_strategy(preset: dict[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The preset without those options that the strategy named on top of it does not take."""
    searched = own.get("search")
    strategy = searched.get("strategy") if isinstance(searched, Mapping) else None
    if not isinstance(strategy, str) or strategy not in STRATEGY_OPTIONS:
        return preset
    options = options_for(strategy, preset["search"]["options"])
    return {**preset, "search": {**preset["search"], "options": options}}


def validate(data: Mapping[str, Any]) -> ExperimentConfig:
    """Typed configuration of plain data; every fault in one `ConfigError`."""
    try:
        return ExperimentConfig.model_validate(data)
    except ValidationError as error:
        faults = [describe_fault(fault) for fault in error.errors()]
        head = "the configuration has a fault" if len(faults) == 1 else f"the configuration has {len(faults)} faults"
        raise ConfigError("\n".join([f"{head}:", *(f"  {fault}" for fault in faults)])) from None


def read_preset(name: str) -> dict[str, Any]:
    """The sections of a preset as plain data."""
    if name not in PRESETS:
        raise ConfigError(f"preset {name!r} is unknown{nearest(str(name), PRESETS)}")
    text = (resources.files("nni_emodarts.search_spaces") / f"{name}.yml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def load_preset(name: str) -> dict[str, Any]:
    """Arguments of `EmoDartsSpace` that a preset stands for, all but `num_classes`."""
    config = load_config(name)
    return {**config.space.identity(), "input_shape": config.features.input_shape}


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"configuration {path}: {error.strerror or error}; name an existing YAML file") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date such as 2001-99-99, or no UTF-8
        raise ConfigError(f"configuration {path} is no YAML: {' '.join(str(error).split())}") from None
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise ConfigError(
            f"configuration {path} must hold sections ({', '.join(ExperimentConfig.model_fields)}), "
            f"not a {type(data).__name__}"
        )
    return data


def _parse_setting(setting: str) -> dict[str, Any]:
    key, sign, text = setting.partition("=")
    parts = key.strip().split(".")
    if not sign or not all(parts):
        raise ConfigError(f"setting {setting!r} must read section.key=value, for example search.epochs=10")
    try:
        value: Any = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError(f"setting {setting!r}: the value is no YAML; put it in quotes") from None
    return _nest(parts, value)


def _nest(parts: Sequence[str], value: Any) -> dict[str, Any]:
    for part in reversed(parts):
        value = {part: value}
    return dict(value)


def _merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in overlay.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def describe_fault(fault: Any, root: type[Section] | None = None) -> str:
    """A fault of a `ValidationError` in words: where, what, what is allowed.

    Args:
        fault: of the error's `errors()`.
        root: the section that was validated; the whole configuration where absent.
    """
    location = [str(part) for part in fault["loc"]]
    name = ".".join(location)
    if fault["type"] == "extra_forbidden":
        return f"{name}: unknown key{nearest(location[-1], _keys_at(location[:-1], root))}"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "value_error":
        return f"{name}.{message}" if name else message
    return f"{name}: {fault['input']!r} is not allowed: {message[0].lower()}{message[1:]}"


def _keys_at(location: Sequence[str], root: type[Section] | None) -> list[str]:
    section: Any = root or ExperimentConfig
    for part in location:
        field = section.model_fields.get(part)
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, Section)):
            return []
        section = field.annotation
    return list(section.model_fields)
