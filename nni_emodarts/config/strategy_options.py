"""The options that each search strategy takes, with their defaults and bounds."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nni_emodarts.config.sections import CAME_LATER, Fraction, NonNegativeFloat, PositiveFloat, PositiveInt, Section

CostMetric = Literal["parameters", "flops", "latency"]


class CostPenalty(Section):
    """A share of the loss that grows with the expected cost of the derived network."""

    metric: CostMetric = "parameters"
    weight: NonNegativeFloat = 0.0
    """Loss added for a network as costly as the mean of the space; 0 leaves cost out."""


class CostLimit(Section):
    """A bound that no candidate may exceed."""

    metric: CostMetric = "parameters"
    limit: PositiveFloat
    """Parameters, FLOPs for one second of audio, or ms for one second of audio."""


class StrategyOptions(Section):
    """Base of all options. Its properties are what a search asks of any strategy: one without an option has it off."""

    @property
    def penalty(self) -> CostPenalty:
        """What the loss of the alphas counts of the derived network's cost."""
        return CostPenalty()

    @property
    def channel_parts(self) -> int:
        """K where one of K channels passes the operations of a supernet; 1 lets all pass."""
        return 1

    @property
    def normalizes_recurrence(self) -> bool:
        """Whether recurrent candidates end in a normalisation while they compete."""
        return False

    def within(self, epochs: int) -> Self:
        """The options as a search of so many epochs takes them."""
        return self


class GradientOptions(StrategyOptions):
    """What every strategy that moves alphas by gradient takes."""

    alpha_learning_rate: PositiveFloat = 3e-4
    level_learning_rate: Annotated[PositiveFloat | None, CAME_LATER] = None
    """Of the alphas that choose what is heard, levels and streams; `alpha_learning_rate` where absent."""
    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    """Epochs that train the weights alone before alphas move."""
    cost: CostPenalty = CostPenalty()

    @property
    def penalty(self) -> CostPenalty:
        """What the loss of the alphas counts of the derived network's cost."""
        return self.cost

    def within(self, epochs: int) -> Self:
        """With a warm-up that leaves at least one epoch to the alphas."""
        return self.model_copy(update={"warmup_epochs": min(self.warmup_epochs, epochs - 1)})


class MixtureOptions(GradientOptions):
    """What every strategy takes that computes all candidates of an edge and sums them."""

    accelerated: bool = True
    """Compute what candidates and edges have in common once. The mathematics stays the same."""
    recompute: bool = False
    """Of the accelerated supernet: compute what edges hold inside again in the backward pass, rather than keep it. Less
    memory, the same numbers."""
    shared_depth: bool = False
    """Stacked recurrences share layers in the supernet: one of k layers is the beginning of one of k + 1."""
    partial_channels: PositiveInt = 1
    """K of PC-DARTS (Xu et al. 2020): one of K channels passes the operations, the others pass by."""
    normalized_recurrence: bool = False
    """Recurrent candidates end in a normalisation of each frame while they compete, as convolutions end in one of each
    channel: else the loudest of a sum wins. The derived network's do not."""

    @property
    def channel_parts(self) -> int:
        """K where one of K channels passes the operations; 1 lets all pass."""
        return self.partial_channels

    @property
    def normalizes_recurrence(self) -> bool:
        """Whether recurrent candidates end in a normalisation while they compete."""
        return self.normalized_recurrence

    @model_validator(mode="after")
    def _check_recompute(self) -> Self:
        if self.recompute and not self.accelerated:
            raise ValueError("recompute is of the accelerated supernet; leave accelerated true, or recompute false")
        return self


class DartsOptions(MixtureOptions):
    """Options of `darts` (Liu et al. 2019, first order), with known remedies against collapse, each off by default."""

    beta_decay: NonNegativeFloat = 0.0
    """Weight of the regulariser of beta-DARTS (Ye et al. 2022), reached linearly at the last epoch."""
    sharpening: Annotated[NonNegativeFloat, CAME_LATER] = 0.0
    """Weight of the choices' mean entropy in the loss of the alphas, reached linearly at the last epoch (DA2S, Tian et
    al. 2021)."""
    skip_dropout: Fraction = 0.0
    """Dropout on skip connections at the start, falling linearly to 0 (P-DARTS, Chen et al. 2019)."""
    max_skips: PositiveInt | None = None
    """Skip connections in any one derived cell at which the search stops (DARTS+, Liang et al. 2019)."""
    selection: Literal["alpha", "perturbation"] = "alpha"
    """How operations are picked at the end: by alpha, or by what their removal costs (DARTS-PT, Wang et al. 2021)."""
    tuning_steps: Annotated[int, Field(ge=0)] = 10
    """Training steps of the supernet between two decisions of `selection: perturbation`."""
    eigenvalue: bool = False
    """Record the dominant eigenvalue of the validation loss in alpha after each epoch (Zela et al. 2020)."""


class SecondOrderOptions(DartsOptions):
    """Options of `darts_second_order`."""


class GumbelOptions(MixtureOptions):
    """Options of `gumbel_darts` (SNAS, Xie et al. 2019; FBNet, Wu et al. 2019)."""

    temperature: PositiveFloat = 1.0
    final_temperature: PositiveFloat = 0.33


class ProxylessOptions(GradientOptions):
    """Options of `proxyless` (Cai et al. 2019)."""


class RandomOneShotOptions(StrategyOptions):
    """Options of `random_one_shot` (SPOS, Guo et al. 2020)."""

    samples: PositiveInt = 50
    """Architectures compared on validation with shared weights."""


class EnasOptions(StrategyOptions):
    """Options of `enas` (Pham et al. 2018)."""

    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    """Epochs that train the weights on the untrained controller's paths before it learns."""
    paths_per_update: PositiveInt = 20
    """Paths between two updates of the controller; at the end of an epoch it learns from those that are left."""
    controller_learning_rate: PositiveFloat = 3e-3
    samples: PositiveInt = 20
    """Architectures drawn from the trained controller and compared on validation."""

    def within(self, epochs: int) -> Self:
        """With a warm-up that leaves at least one epoch to the controller."""
        return self.model_copy(update={"warmup_epochs": min(self.warmup_epochs, epochs - 1)})


class TrialOptions(StrategyOptions):
    """What every strategy takes that trains its candidates as trials of NNI."""

    candidates: PositiveInt = 8
    """Different architectures that are trained."""
    concurrency: PositiveInt = 2
    """Trials at once; the processor's threads are divided among them."""
    epochs: PositiveInt | None = None
    """Epochs of each candidate; a third of the retrain recipe's where absent."""
    max_cost: CostLimit | None = None
    """Candidates above it are never trained."""


class RandomOptions(TrialOptions):
    """Options of `random`: candidates drawn uniformly from the space."""


class GridOptions(TrialOptions):
    """Options of `grid`: every architecture of a small space, in order or shuffled."""

    shuffle: bool = True
    """Whether the order is drawn over the whole space; else the space's own, which must then be small enough."""


class EvolutionOptions(TrialOptions):
    """Options of `evolution` (regularised evolution, Real et al. 2019)."""

    population_size: PositiveInt | None = None
    """Candidates that stay in the population, the first of them random; half of all where absent."""
    sample_size: PositiveInt | None = None
    """Individuals of which the best becomes a parent; half of the population where absent."""
    mutation_probability: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Chance that a choice is drawn anew."""

    @property
    def population(self) -> int:
        """Size of the population."""
        return self.population_size or max(1, self.candidates // 2)

    @property
    def parents(self) -> int:
        """Individuals of which the best becomes a parent."""
        return self.sample_size or max(1, self.population // 2)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.population_size is not None and self.population_size >= self.candidates:
            raise ValueError(_all_random("population_size", self.population_size, self.candidates))
        if self.parents > self.population:
            raise ValueError(f"sample_size: {self.parents} is more than the population of {self.population}")
        return self


class TpeOptions(TrialOptions):
    """Options of `tpe` (Bergstra et al. 2011)."""

    startup: Annotated[int, Field(ge=2)] | None = None
    """Candidates that are drawn uniformly before the estimator chooses, which compares good ones with others: two at
    least, half of all where absent."""

    @property
    def random_start(self) -> int:
        """Candidates that are drawn uniformly."""
        return self.startup or max(2, self.candidates // 2)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.startup is not None and self.startup >= self.candidates:
            raise ValueError(_all_random("startup", self.startup, self.candidates))
        return self


class LocalOptions(TrialOptions):
    """Options of `local` (White et al. 2021)."""

    startup: PositiveInt | None = None
    """Candidates that are drawn uniformly before the best of them is mutated; a quarter of all where absent."""

    @property
    def random_start(self) -> int:
        """Candidates that are drawn uniformly."""
        return self.startup or max(1, self.candidates // 4)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.startup is not None and self.startup >= self.candidates:
            raise ValueError(_all_random("startup", self.startup, self.candidates))
        return self


class PredictorOptions(TrialOptions):
    """Options of `predictor`: a model of the figures of choices proposes what to train."""

    startup: Annotated[int, Field(ge=2)] | None = None
    """Candidates that are drawn uniformly before there is a model, two at least; a quarter of all where absent."""

    @property
    def random_start(self) -> int:
        """Candidates that are drawn uniformly."""
        return self.startup or max(2, self.candidates // 4)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.startup is not None and self.startup >= self.candidates:
            raise ValueError(_all_random("startup", self.startup, self.candidates))
        return self


class PolicyRlOptions(TrialOptions):
    """Options of `policy_rl` (Zoph & Le 2017, with proximal policy optimisation)."""

    samples_per_update: PositiveInt | None = None
    """Candidates between two updates of the policy; a quarter of all where absent."""
    learning_rate: PositiveFloat = 1e-3
    """Learning rate of the policy; NNI's own 1e-4 is made for thousands of candidates."""

    @property
    def per_update(self) -> int:
        """Candidates between two updates."""
        return self.samples_per_update or max(1, self.candidates // 4)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.samples_per_update is not None and self.samples_per_update >= self.candidates:
            raise ValueError(_all_random("samples_per_update", self.samples_per_update, self.candidates))
        return self


def _all_random(name: str, value: int, candidates: int) -> str:
    return f"{name}: {value} is not less than candidates ({candidates}), so that every candidate would be random"
