"""What a benchmark computes: methods x folds x seeds under one configuration."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from nni_emodarts.benchmark.cells import Cell
from nni_emodarts.benchmark.methods import Method
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.training.retrain.elsewhere import Asked


@dataclass(frozen=True)
class Plan:
    """Methods x folds x seeds under one configuration.

    Attributes:
        config: the whole configuration; `search.strategy` gives way to each method's own.
        methods: what to measure.
        folds: folds of the configuration's protocol.
        seeds: seeds of each method and fold.
        asked: corpora that each network is scored on besides.
    """

    config: ExperimentConfig
    methods: Sequence[Method]
    folds: Sequence[int]
    seeds: Sequence[int]
    asked: Asked = field(default_factory=Asked)

    def cells_of(self, method: Method) -> list[Cell]:
        """All cells of a method."""
        return [Cell(method, fold, seed) for seed in self.seeds for fold in self.folds]

    @property
    def cells(self) -> list[Cell]:
        """All cells, method by method."""
        return [cell for method in self.methods for cell in self.cells_of(method)]
