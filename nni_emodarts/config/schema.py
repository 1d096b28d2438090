"""The sections of a configuration: fields, defaults, units and bounds."""

from typing import Annotated, ClassVar, Literal, Self, get_args

import yaml
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from nni_emodarts.config.augmentation import PerturbationConfig, SpecAugmentConfig
from nni_emodarts.config.data import DataConfig
from nni_emodarts.config.estimate import EstimateConfig
from nni_emodarts.config.faults import describe_fault, nearest
from nni_emodarts.config.objective import ObjectiveConfig
from nni_emodarts.config.primitives import CNN_PRIMITIVES, NONE, SCOPES, SEQNN_PRIMITIVES, CnnPrimitive, Scope
from nni_emodarts.config.sections import (
    CAME_LATER,
    Fraction,
    Name,
    NonNegativeFloat,
    Pairs,
    PositiveFloat,
    PositiveInt,
    Section,
)
from nni_emodarts.config.strategies import STRATEGIES, refuse_unmeasured
from nni_emodarts.config.strategy_options import StrategyOptions
from nni_emodarts.config.streams import (
    ENCODER_RATE,
    FUNCTIONALS,
    MOST_STREAMS,
    AnyStream,
    FunctionalSet,
    HeardStream,
    PretrainedStream,
    SpectralSettings,
    SpectralStream,
    check_one_rate,
)
from nni_emodarts.runtime.plain_data import JsonObject

_SHOWN = 10
"""Faults of options that a message lists before it only counts."""

# A file may ask for any size: what is beyond these bounds is refused before anything of it is built.
MOST_CLASSES = 1000
"""Classes that a network may tell apart."""
MOST_CHANNELS = 8192
"""Of the last cell's nodes, and of a sequence."""
Cells = Annotated[int, Field(ge=1, le=64)]
Nodes = Annotated[int, Field(ge=1, le=16)]
Channels = Annotated[int, Field(ge=1, le=MOST_CHANNELS)]
Pooling = Literal["mean", "attention", "statistics", "maximum"]


class FeatureConfig(SpectralSettings):
    """What a network hears: `streams`, or the one stream that the single settings mean. Times are in ms."""

    streams: Annotated[tuple[AnyStream, ...], Field(max_length=MOST_STREAMS), CAME_LATER] = ()
    """What is heard instead of the maps that the other settings mean."""
    functionals: Annotated[FunctionalSet | None, CAME_LATER] = None
    """openSMILE functionals of the utterance, joined to what pooling leaves."""
    normalization: Annotated[Literal["corpus", "speaker"], CAME_LATER] = "corpus"
    """Mean and deviation of each feature: of all training speakers, or of other recordings of the same speaker, which
    is a track of its own."""
    unfit_speakers: Annotated[Literal["refuse", "allow"], CAME_LATER] = "refuse"
    """Where too many training speakers show one emotion, or have too few recordings, for `normalization: speaker`."""
    neutral: Annotated[str | None, CAME_LATER] = None
    """The emotion that enrolment by neutral speech is measured with; the one that is called so where absent."""

    @model_validator(mode="after")
    def _check_streams(self) -> Self:
        names = [stream.name for stream in self.streams]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"streams: two are called {twice[0]}; give each a name of its own")
        if FUNCTIONALS in names:
            raise ValueError(f"streams: one is called {FUNCTIONALS}, as openSMILE's features are; call it otherwise")
        check_one_rate(self.heard, None if self.functionals is None else ENCODER_RATE)
        return self

    @property
    def heard(self) -> tuple[SpectralStream | PretrainedStream, ...]:
        """The streams, one at least: of the single settings it is called as their kind."""
        return self.streams or (SpectralStream(name=self.kind, **self.spectral()),)

    @property
    def pretrained(self) -> tuple[PretrainedStream, ...]:
        """Those streams that are of a pretrained encoder."""
        return tuple(stream for stream in self.streams if isinstance(stream, PretrainedStream))

    @property
    def hears(self) -> tuple[HeardStream, ...]:
        """The streams as a space knows them; none of a single spectral one, which leaves nothing to choose."""
        if not self.pretrained and len(self.heard) == 1:
            return ()
        levels = {stream.name: stream.levels or () for stream in self.pretrained}
        return tuple(
            HeardStream(name=stream.name, kind=stream.kind, levels=levels.get(stream.name, ())) for stream in self.heard
        )


class SpaceConfig(Section):
    """The joint space: CNN cells, then SeqNN cells. It says nothing of classes or corpus."""

    cnn_cells: Cells = 4
    cnn_nodes: Nodes = 4
    cnn_channels: Channels = 8
    """Channels of the first cell's nodes; each reduction doubles them."""
    cnn_primitives: Annotated[tuple[CnnPrimitive, ...], Field(max_length=64)] = CNN_PRIMITIVES
    reduction_cells: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=64)] | None = None
    """Positions of the cells that halve time and frequency; at 1/3 and 2/3 of the depth where absent."""
    stem_multiplier: Annotated[int, Field(ge=1, le=64)] = 3
    stem_stride: Literal[1, 2] = 1
    """2 halves time and frequency before the first cell; a pretrained stream is as coarse as its `hop_ms` says."""
    seqnn_cells: Cells = 4
    seqnn_nodes: Nodes = 4
    seqnn_width: Channels = 128
    seqnn_normalization: Annotated[bool, CAME_LATER] = False
    """Whether recurrent operations end in a normalisation of each frame, as convolutions end in one of each channel.
    The paper's do not."""
    seqnn_scope: Scope = "all"
    seqnn_primitives: Annotated[tuple[Name, ...], Field(max_length=64)] | None = None
    """A choice of one's own among the scope's operations; all of the scope where absent."""
    pooling: Pooling = "attention"
    poolings: Annotated[tuple[Pooling, ...], Field(max_length=16), CAME_LATER] = ()
    """Poolings to choose from, in place of `pooling`."""
    dropout: Fraction = 0.3
    hears: Annotated[tuple[HeardStream, ...], Field(max_length=MOST_STREAMS), CAME_LATER] = ()
    """What is heard, where that is more than one stream of spectral maps. It follows from `features.streams`."""
    joined_levels: Annotated[int, Field(ge=1, le=200), CAME_LATER] = 1
    """So many neighbouring levels of a pretrained encoder may be heard side by side, besides single ones."""
    shortcut: Annotated[bool, CAME_LATER] = False
    """Whether a linear classifier of what is heard answers beside the cells: their outputs are averaged."""
    functionals: Annotated[FunctionalSet | None, CAME_LATER] = None
    """Those that are joined. They follow from `features.functionals`."""
    fixed: Annotated[Pairs, Field(max_length=64), CAME_LATER] = ()
    """Choices outside the cells that are made beforehand: label -> candidate, such as `level_NAME: "3"`. They narrow
    what is searched, and are no part of what the space is: its architectures are those of the whole space."""

    N_CHOSEN: ClassVar[int] = 2
    """Inputs that each node sums."""

    @field_validator("cnn_primitives", "seqnn_primitives", "poolings")
    @classmethod
    def _order(cls, names: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        """In the paper's order, so that the order of a file makes no other space."""
        orders = {"cnn_primitives": CNN_PRIMITIVES, "seqnn_primitives": SEQNN_PRIMITIVES, "poolings": get_args(Pooling)}
        known = orders[str(info.field_name)]
        places = {name: place for place, name in enumerate(known)}
        return names and tuple(sorted(names, key=lambda name: places.get(name, len(places))))

    @model_validator(mode="after")
    def _check(self) -> Self:
        scope = SCOPES[self.seqnn_scope]
        others = [name for name in self.seqnn_primitives or () if name not in scope]
        if others:
            raise ValueError(
                f"seqnn_primitives: {', '.join(others)} not in scope {self.seqnn_scope} ({', '.join(scope)})"
            )
        if len(set(self.poolings)) < len(self.poolings):
            raise ValueError(f"poolings: one is named twice in {', '.join(self.poolings)}")
        for key, names in (("cnn_primitives", self.cnn_primitives), ("seqnn_primitives", self.sequence_operations)):
            if len(set(names)) < len(names):
                raise ValueError(f"{key}: an operation is named twice in {', '.join(names)}")
            if not set(names) - {NONE}:
                raise ValueError(f"{key}: needs at least one operation other than none")
        outside = [cell for cell in self.reduction_cells or () if cell >= self.cnn_cells]
        if outside:
            raise ValueError(f"reduction_cells: {outside[0]} is out of range; cells are 0 to {self.cnn_cells - 1}")
        widest = self.cnn_channels * 2 ** len(self.reductions)
        if widest > MOST_CHANNELS:
            raise ValueError(
                f"cnn_channels: {self.cnn_channels} channels, doubled by each of {len(self.reductions)} reductions, "
                f"become {widest}, more than {MOST_CHANNELS}; make them fewer"
            )
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

    def identity(self) -> JsonObject:
        """What the space means, with every default resolved: equal spaces have equal identities."""
        data = self.meaning()
        data.pop("fixed", None)
        del data["seqnn_scope"]
        data["seqnn_primitives"] = list(self.sequence_operations)
        data["reduction_cells"] = list(self.reductions)
        if self.poolings:
            del data["pooling"]
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

    strategy: Name = "darts"
    options: JsonObject = Field(default_factory=dict)
    """Options of the strategy."""
    epochs: PositiveInt = 50
    epoch_steps: PositiveInt | None = None
    """Steps of an epoch at most; of a larger corpus each epoch then sees another part. No bound where absent."""
    batch_size: Annotated[int, Field(ge=2)] = 16
    coarseness: PositiveInt = 1
    """So many neighbouring frames and bins, of MFCCs coefficients, become their mean before a supernet hears them;
    networks are retrained on all. Trials of a multi-trial search are trained on all as well."""
    optimizer: OptimizerConfig = OptimizerConfig()
    restarts: Annotated[int, Field(ge=1, le=100), CAME_LATER] = 1
    """So many one-shot searches from seeds of their own, of which the one that is best once cut down is taken."""
    level: Annotated[Literal["searched", "probed"], CAME_LATER] = "searched"
    """How the level of a pretrained stream is chosen: with all else, or first, by probes of the training speakers."""
    estimate: Annotated[EstimateConfig | None, CAME_LATER] = None
    """How a candidate is measured that is trained by itself; once, on the fold's own validation part, where absent."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.strategy not in STRATEGIES:
            raise ValueError(f"strategy: {self.strategy!r} is unknown{nearest(self.strategy, STRATEGIES)}")
        try:
            self.strategy_options()
        except ValidationError as error:
            found = error.errors()
            faults = [describe_fault(fault, STRATEGIES[self.strategy].options) for fault in found[:_SHOWN]]
            more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
            raise ValueError(f"options of {self.strategy}: {'; '.join([*faults, *more])}") from None
        if self.estimate is not None:
            refuse_unmeasured(self.strategy)
        if self.restarts > 1 and STRATEGIES[self.strategy].family == "multi-trial":
            raise ValueError(
                f"restarts: {self.restarts} supernets, and {self.strategy} trains none; leave it out, and measure "
                f"candidates several times by search.estimate"
            )
        return self

    def strategy_options(self) -> StrategyOptions:
        """The strategy's options, typed.

        A warm-up leaves at least one epoch, since a search whose choices never learn would end with a random network.
        """
        return STRATEGIES[self.strategy].options.model_validate(self.options).within(self.epochs)


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
    targets: Annotated[Literal["majority", "votes"], CAME_LATER] = "majority"
    """What networks learn from, in searches too: each utterance's emotion, or the distribution of annotators' votes,
    then of utterances without a majority as well."""
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
    objective: Annotated[ObjectiveConfig, CAME_LATER] = ObjectiveConfig()
    device: Literal["auto", "cpu", "gpu"] = "auto"
    devices: Annotated[PositiveInt, CAME_LATER] = 1
    """Devices of a machine that train one network together, a process each."""
    nodes: Annotated[PositiveInt, CAME_LATER] = 1
    """Machines that train one network together, each with so many devices."""

    @model_validator(mode="after")
    def _learn(self) -> Self:
        if not self.data.learns_dimensions and self.objective != ObjectiveConfig():
            raise ValueError("objective: is of dimensions, which data.task emotion does not learn; leave it out")
        if self.data.learns_dimensions and self.search.estimate is not None and self.search.estimate.figure == "loss":
            raise ValueError(
                "search.estimate.figure: loss is of emotions alone; set it to uar, which is the headline here"
            )
        return self

    @model_validator(mode="after")
    def _hear(self) -> Self:
        """The space hears what the features give."""
        heard = {"hears": self.features.hears, "functionals": self.features.functionals}
        if any(getattr(self.space, name) != value for name, value in heard.items()):
            object.__setattr__(self, "space", self.space.model_copy(update=heard))
        return self

    @model_validator(mode="after")
    def _check_targets(self) -> Self:
        if self.retrain.targets == "votes" and not self.data.learns_classes:
            raise ValueError("retrain.targets: votes are for classes, which data.task dimensions does not learn")
        return self

    @model_validator(mode="after")
    def _check(self) -> Self:
        voice = self.retrain.perturbation
        for kind, name, value, does in (
            ("mfcc", "pitch", voice.pitch, "shifts along the frequency axis, which MFCCs do not have"),
            ("mfcc", "level", voice.level, "moves all bins alike, but of MFCCs the loudness moves the first alone"),
            ("pretrained", "pitch", voice.pitch, "shifts along the frequency axis, which a pretrained stream lacks"),
            ("pretrained", "level", voice.level, "moves bins of a spectrum; a pretrained stream has none"),
        ):
            if value and any(stream.kind == kind for stream in self.features.heard):
                remedy = ", or features.kind to log_mel" if kind == "mfcc" else ""
                raise ValueError(f"retrain.perturbation.{name}: {value} {does}; set it to 0{remedy}")
        return self

    @property
    def processes(self) -> int:
        """Processes that train one network together."""
        return self.devices * self.nodes

    @property
    def track(self) -> Literal["scratch", "pretrained"]:
        """Which figures are comparable: of networks that learn from scratch, or that may hear a pretrained encoder."""
        return "pretrained" if self.features.pretrained else "scratch"

    @property
    def speaker_adapted(self) -> bool:
        """Whether unlabelled recordings of a test speaker are used."""
        return self.features.normalization == "speaker"

    @property
    def speaker_dependent(self) -> bool:
        """Whether test speakers may be learnt from, too."""
        return self.data.speaker_overlap == "allow"

    @property
    def tracks(self) -> JsonObject:
        """What every file of its figures says of them, since figures of two tracks are never compared."""
        task = {"task": self.data.task} if self.data.learns_dimensions else {}
        dependent = {"speaker_dependent": True} if self.speaker_dependent else {}
        return {"track": self.track, "speaker_adapted": self.speaker_adapted, **dependent, **task}

    def hearing(self, streams: tuple[SpectralStream | PretrainedStream, ...]) -> Self:
        """The configuration with these streams in place of its own."""
        features = self.features.model_copy(update={"streams": streams})
        space = self.space.model_copy(update={"hears": features.hears})
        return self.model_copy(update={"features": features, "space": space})

    def meaning(self) -> JsonObject:
        """The settings as plain data; of devices and nodes their product decides, not who has which."""
        data = super().meaning()
        for name in ("devices", "nodes"):
            data.pop(name, None)
        return data | ({"processes": self.processes} if self.processes > 1 else {})

    def to_yaml(self) -> str:
        """The configuration as YAML that `load_config` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)
