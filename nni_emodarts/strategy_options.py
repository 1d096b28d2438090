"""Names of the search strategies, and the options that each takes."""

from typing import Annotated, Literal

from pydantic import Field

from nni_emodarts.sections import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt, Section

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


class GradientOptions(Section):
    """What every strategy that moves alphas by gradient takes."""

    alpha_learning_rate: PositiveFloat = 3e-4
    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    """Epochs that train the weights alone before alphas move."""
    cost: CostPenalty = CostPenalty()


class DartsOptions(GradientOptions):
    """Options of `darts` (Liu et al. 2019, first order), with known cures against collapse, each off by default."""

    beta_decay: NonNegativeFloat = 0.0
    """Weight of the regulariser of beta-DARTS (Ye et al. 2022), reached linearly at the last epoch."""
    partial_channels: PositiveInt = 1
    """K of PC-DARTS (Xu et al. 2020): one of K channels passes the operations, the others pass by."""
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


class GumbelOptions(GradientOptions):
    """Options of `gumbel_darts` (SNAS, Xie et al. 2019; FBNet, Wu et al. 2019)."""

    temperature: PositiveFloat = 1.0
    final_temperature: PositiveFloat = 0.33


class ProxylessOptions(GradientOptions):
    """Options of `proxyless` (Cai et al. 2019)."""


class RandomOneShotOptions(Section):
    """Options of `random_one_shot` (SPOS, Guo et al. 2020)."""

    samples: PositiveInt = 50
    """Architectures compared on validation with shared weights."""


class EnasOptions(Section):
    """Options of `enas` (Pham et al. 2018)."""

    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    samples: PositiveInt = 20
    """Architectures drawn from the trained controller and compared on validation."""


class TrialOptions(Section):
    """What every strategy takes that trains its candidates as trials of NNI."""

    candidates: PositiveInt = 8
    concurrency: PositiveInt = 2
    """Trials at once; the processor's threads are divided among them."""
    epochs: PositiveInt | None = None
    """Epochs of each candidate; a third of the retrain recipe's where absent."""
    max_cost: CostLimit | None = None
    """Candidates above it are never trained."""


class RandomOptions(TrialOptions):
    """Options of `random`: candidates drawn evenly from the space."""


class GridOptions(TrialOptions):
    """Options of `grid`: every architecture of a small space, in order or shuffled."""

    shuffle: bool = True


class EvolutionOptions(TrialOptions):
    """Options of `evolution` (regularised evolution, Real et al. 2019)."""

    population_size: PositiveInt = 4
    sample_size: PositiveInt = 2
    mutation_probability: Annotated[float, Field(gt=0, le=1)] = 0.1


class TpeOptions(TrialOptions):
    """Options of `tpe` (Bergstra et al. 2011)."""


class PolicyRlOptions(TrialOptions):
    """Options of `policy_rl` (Zoph & Le 2017)."""


ONE_SHOT: dict[str, type[Section]] = {
    "darts": DartsOptions,
    "darts_second_order": SecondOrderOptions,
    "gumbel_darts": GumbelOptions,
    "proxyless": ProxylessOptions,
    "random_one_shot": RandomOneShotOptions,
    "enas": EnasOptions,
}
"""Strategies that train one supernet."""

MULTI_TRIAL: dict[str, type[TrialOptions]] = {
    "random": RandomOptions,
    "grid": GridOptions,
    "evolution": EvolutionOptions,
    "tpe": TpeOptions,
    "policy_rl": PolicyRlOptions,
}
"""Strategies that train each candidate by itself, as a trial of NNI."""

STRATEGY_OPTIONS: dict[str, type[Section]] = {**ONE_SHOT, **MULTI_TRIAL}
"""Every strategy and its options."""
