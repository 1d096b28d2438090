"""The joint space of emoDARTS as an NNI model space."""

from collections.abc import Mapping

import numpy as np
from pydantic import ValidationError
from torch import Tensor, nn

from nni_emodarts.config import SpaceConfig, describe_fault
from nni_emodarts.errors import ConfigError
from nni_emodarts.models.architecture import Architecture, Sample, derivable, edge_label, node_label, nodes
from nni_emodarts.models.costs.table import architecture_cost, operation_costs
from nni_emodarts.models.nn.bridge import Bridge
from nni_emodarts.models.nn.convolution import Stem
from nni_emodarts.models.nn.dropout import Dropout
from nni_emodarts.models.nn.masking import strided, without_padding
from nni_emodarts.models.nn.temporal_pooling import POOLINGS
from nni_emodarts.models.space.cells import CnnCell, SeqnnCell
from nni_emodarts.models.space.mixed import MixedNode, MixedOperation
from nni_emodarts.nni_bridge.nas import DARTS, Hook, Memo, ModelSpace, Strategy, current_model, model_context

LARGEST_NETWORK = 200_000_000
"""Parameters of a network, 800 MB: far beyond what a corpus of speech can train, and what a file may ask for."""
LARGEST_SPACE = 1_000_000_000
"""Parameters of all candidates of a space together."""


class EmoDartsSpace(ModelSpace):  # type: ignore[misc]
    """CNN cells, a bridge that keeps the time axis, SeqNN cells, masked temporal pooling, a classifier.

    Rajapakshe et al. 2024 (emoDARTS), with recurrence over time instead of over the batch. Per cell of n nodes the
    space holds prod_{i=2}^{n+1} (i over 2) * |O|^2 choices: in the paper's preset 180 * 7^8 for each of the two CNN
    cells and 180 * 13^8 for the SeqNN cell, about 2 * 10^29 networks.

    Under NNI's `model_context` it builds one network of the space, without any unused parameter; `build_model` does so.
    """

    def __init__(self, num_classes: int, input_shape: tuple[int, int], **options: object) -> None:
        """Build the space.

        Args:
            num_classes: number of classes K.
            input_shape: (C, F), channels and frequency bins of the maps.
            **options: the fields of `SpaceConfig`; the paper's values where absent.

        Raises:
            ConfigError: an option that is unknown, or anything that is out of bounds.
        """
        super().__init__()
        self.description = _describe(options)
        self.num_classes = num_classes
        self.input_shape = (int(input_shape[0]), int(input_shape[1]))
        if num_classes < 2:
            raise ConfigError(f"num_classes: {num_classes} must be at least 2")
        if min(self.input_shape) < 1:
            raise ConfigError(f"input_shape: {self.input_shape} must be at least one channel and one frequency bin")
        space = self.description
        if current_model() is None:
            _refuse_large_space(space, self.input_shape, num_classes)
        frozen = current_model() is not None
        channels, bins = self.input_shape
        stem_channels = space.cnn_channels * space.stem_multiplier
        self.stem = Stem(channels, stem_channels, space.stem_stride, affine=frozen)
        self.cnn_cells = nn.ModuleList()
        width, before, last, after_reduction = space.cnn_channels, stem_channels, stem_channels, False
        bins = -(-bins // space.stem_stride)
        for position in range(space.cnn_cells):
            reduction = position in space.reductions
            if reduction:
                width, bins = 2 * width, -(-bins // 2)
            cell = CnnCell(
                (before, last), width, space.cnn_nodes, space.cnn_primitives, reduction, after_reduction, affine=frozen
            )
            self.cnn_cells.append(cell)
            before, last, after_reduction = last, cell.out_channels, reduction
        self.bridge = Bridge(last, bins, space.seqnn_width)
        self.seqnn_cells = nn.ModuleList(
            SeqnnCell(space.seqnn_width, space.seqnn_nodes, space.sequence_operations, space.seqnn_normalization)
            for _ in range(space.seqnn_cells)
        )
        self.dropout = Dropout(space.dropout)
        self.pooling = POOLINGS[space.pooling](space.seqnn_width)
        self.classifier = nn.Linear(self.pooling.out_width, num_classes)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T), lengths (N,) in frames -> logits (N, K); what lies behind a length has no say."""
        features, lengths = self._convolve(maps, lengths)
        sequence = self.bridge(features, lengths)
        before, last = sequence, sequence
        for cell in self.seqnn_cells:
            before, last = last, self.dropout(cell(before, last, lengths))
        out: Tensor = self.classifier(self.pooling(last, lengths))
        return out

    def _convolve(self, maps: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        stem = self.stem(without_padding(maps, lengths), lengths)
        lengths = strided(lengths, self.description.stem_stride)
        before, last, lengths_before = stem, stem, lengths
        for position, cell in enumerate(self.cnn_cells):
            lengths_out = strided(lengths, 2 if position in self.description.reductions else 1)
            out = self.dropout(cell(before, last, lengths_before, lengths, lengths_out))
            before, last, lengths_before, lengths = last, out, lengths, lengths_out
        return last, lengths

    def freeze(self, sample: Mapping[str, object]) -> "EmoDartsSpace":
        """The network that a sample stands for, newly initialised.

        Raises:
            ArchitectureError: labels or choices that the space does not have.
        """
        return build_model(Architecture.from_choices(self.description, sample, self.num_classes, self.input_shape))

    def random(self, memo: Memo | None = None, random_state: np.random.RandomState | None = None) -> "EmoDartsSpace":
        """A network drawn uniformly from the space, without `none`; `memo` receives its sample. NNI calls this."""
        generator = random_state or np.random.RandomState()
        sample = {**_draw(self.description, generator), **(memo or {})}
        if memo is not None:
            memo.update(sample)
        return self.freeze(sample)

    def extra_oneshot_hooks(self, strategy: Strategy) -> list[Hook]:
        """The space's own supernet modules, in front of NNI's; NNI calls this when a strategy mutates the space."""
        if hasattr(strategy, "supernet_hooks"):
            return list(strategy.supernet_hooks())
        if isinstance(strategy, DARTS):
            return [MixedOperation.mutate, MixedNode.mutate]
        return []


def build_model(
    architecture: Architecture, num_classes: int | None = None, input_shape: tuple[int, int] | None = None
) -> EmoDartsSpace:
    """The network of an architecture, newly initialised: model(maps (N, C, F, T), lengths (N,)) -> logits (N, K).

    Args:
        architecture: what a search chose.
        num_classes: number of classes K; the architecture's own where absent.
        input_shape: (C, F) of the maps; the architecture's own where absent.

    Raises:
        ConfigError: it has more than `LARGEST_NETWORK` parameters; nothing is built then.
    """
    shape, classes = input_shape or architecture.input_shape, num_classes or architecture.num_classes
    _refuse_large(architecture_cost(architecture, "parameters", 1, classes, shape), LARGEST_NETWORK, "this network")
    with model_context(architecture.sample()):
        return EmoDartsSpace(classes, shape, **architecture.space.identity())


def _refuse_large_space(space: SpaceConfig, input_shape: tuple[int, int], num_classes: int) -> None:
    costs = operation_costs(space, input_shape, num_classes, "parameters", 1)
    candidates = costs.fixed + sum(sum(edge.values()) for edge in costs.edges.values())
    _refuse_large(candidates, LARGEST_SPACE, "the candidates of this space")


def _refuse_large(parameters: float, most: int, what: str) -> None:
    if parameters > most:
        raise ConfigError(
            f"{what} would have {parameters:,.0f} parameters, more than {most:,}; choose fewer cells or nodes, or a "
            f"smaller space.cnn_channels, space.seqnn_width or retrain.width"
        )


def random_architecture(
    space: SpaceConfig, num_classes: int, input_shape: tuple[int, int], seed: int | list[int]
) -> Architecture:
    """An architecture drawn uniformly from the space; `none` is never drawn. A seed may be several numbers."""
    choices = _draw(space, np.random.RandomState(seed))
    return Architecture.from_choices(space, choices, num_classes, input_shape, {"strategy": "random", "seed": seed})


def _draw(space: SpaceConfig, generator: np.random.RandomState) -> Sample:
    """A choice for every label, also of edges that no node takes."""
    choices: Sample = {}
    for kind, node in nodes(space):
        choices[node_label(kind, node)] = sorted(generator.permutation(node)[: space.N_CHOSEN].tolist())
        operations = derivable(space, kind)
        for state in range(node):
            choices[edge_label(kind, node, state)] = operations[generator.randint(len(operations))]
    return choices


def _describe(options: Mapping[str, object]) -> SpaceConfig:
    try:
        return SpaceConfig.model_validate(dict(options))
    except ValidationError as error:
        faults = "; ".join(describe_fault(item, SpaceConfig) for item in error.errors())
        raise ConfigError(f"options of the space: {faults}") from None
