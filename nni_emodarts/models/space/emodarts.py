"""The joint space of emoDARTS as an NNI model space."""

from collections.abc import Mapping

import numpy as np
from pydantic import ValidationError
from torch import Tensor, nn

from nni_emodarts.config import InputShape, SpaceConfig, describe_fault
from nni_emodarts.data.batches import Maps
from nni_emodarts.errors import ConfigError
from nni_emodarts.models.architecture import (
    POOLING,
    Architecture,
    Sample,
    derivable,
    edge_label,
    layer_choices,
    node_label,
    nodes,
)
from nni_emodarts.models.costs.table import architecture_cost, operation_costs
from nni_emodarts.models.nn.dropout import Dropout
from nni_emodarts.models.nn.functionals import JoinedFunctionals, without_functionals
from nni_emodarts.models.nn.temporal_pooling import POOLINGS, PooledClassifier
from nni_emodarts.models.shapes import functionals_joined, heard_shape, plain_shape, shape_fault
from nni_emodarts.models.space.cells import SeqnnCell
from nni_emodarts.models.space.mixed import MixedNode, MixedOperation
from nni_emodarts.models.space.paths import layer_choice
from nni_emodarts.models.space.streams import HearsStreams
from nni_emodarts.nni_bridge.nas import DARTS, Hook, Memo, ModelSpace, Strategy, current_model, model_context

LARGEST_NETWORK = 200_000_000
"""Parameters of a network, 800 MB: far beyond what a corpus of speech can train, and what a file may ask for."""
LARGEST_SPACE = 1_000_000_000
"""Parameters of all candidates of a space together."""


class EmoDartsSpace(HearsStreams, ModelSpace):  # type: ignore[misc]
    """CNN cells, a bridge that keeps the time axis, SeqNN cells, masked temporal pooling, a classifier.

    Rajapakshe et al. 2024 (emoDARTS), with recurrence over time instead of over the batch. Per cell of n nodes the
    space holds prod_{i=2}^{n+1} (i over 2) * |O|^2 choices: in the paper's preset 180 * 7^8 for each of the two CNN
    cells and 180 * 13^8 for the SeqNN cell, about 2 * 10^29 networks.

    A pretrained stream adds a choice of its level, several streams one of what is heard, and `poolings` one of them.

    Under NNI's `model_context` it builds one network of the space, without any unused parameter; `build_model` does so.
    """

    def __init__(self, num_classes: int, input_shape: InputShape, **options: object) -> None:
        """Build the space.

        Args:
            num_classes: number of outputs: classes K, and dimensions D where they are learnt.
            input_shape: (C, F), channels and frequency bins of the maps; (L, D), levels and features, of those of a
                pretrained stream; of several streams, name -> its shape.
            **options: the fields of `SpaceConfig`; the paper's values where absent.

        Raises:
            ConfigError: an option that is unknown, or anything that is out of bounds.
        """
        super().__init__()
        self.description = _describe(options)
        self.num_classes = num_classes
        self.input_shape = plain_shape(input_shape)
        if num_classes < 1:
            raise ConfigError(f"num_classes: {num_classes} must be at least 1")
        space = self.description
        fault = shape_fault(space, self.input_shape)
        if fault is not None and (current_model() is None or len(space.hears) < 2):
            raise ConfigError(fault)
        if current_model() is None:
            _refuse_large_space(space, self.input_shape, num_classes)
        self.build_streams(space, heard_shape(space, self.input_shape), num_classes)
        self.seqnn_cells = nn.ModuleList(
            SeqnnCell(space.seqnn_width, space.seqnn_nodes, space.sequence_operations, space.seqnn_normalization)
            for _ in range(space.seqnn_cells)
        )
        self.dropout = Dropout(space.dropout)
        self._build_head(space)

    def _build_head(self, space: SpaceConfig) -> None:
        """What stands behind the cells. Poolings that are chosen from each have a classifier of their own."""
        width, classes = space.seqnn_width, self.num_classes
        if space.poolings:
            self.head = layer_choice(space.poolings, lambda name: PooledClassifier(name, width, classes), POOLING)
        else:
            self.pooling = POOLINGS[space.pooling](width)
            self.classifier = nn.Linear(self.pooling.out_width, classes)
        if space.functionals is not None:
            self.functionals = JoinedFunctionals(functionals_joined(space, self.input_shape), classes)

    def forward(self, maps: Maps, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T), lengths (N,) in frames -> logits (N, K); what lies behind a length has no say.

        A space of a pretrained stream takes maps (N, L, D, T), a network of it also (N, 1, D, T) of its level alone.
        A space of several streams takes the maps of each and lengths (N, streams); a network of it those that it hears,
        or, where that is one, its maps and lengths (N,). Functionals come last, as maps (N, 1, R, 1) of length 1.
        """
        joined: Tensor | None = None
        if self.description.functionals is not None:
            maps, lengths, joined = without_functionals(maps, lengths)
        sequence, lengths, shortcut = self.hear(maps, lengths, self.dropout)
        before, last = sequence, sequence
        for cell in self.seqnn_cells:
            before, last = last, self.dropout(cell(before, last, lengths))
        if self.description.poolings:
            logits: Tensor = self.head(last, lengths)
        else:
            logits = self.classifier(self.pooling(last, lengths))
        logits = logits if shortcut is None else (logits + shortcut) / 2
        return logits if joined is None else logits + self.functionals(self.dropout(joined))

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
    architecture: Architecture, num_classes: int | None = None, input_shape: InputShape | None = None
) -> EmoDartsSpace:
    """The network of an architecture, newly initialised: model(maps (N, C, F, T), lengths (N,)) -> logits (N, K).

    Args:
        architecture: what a search chose.
        num_classes: number of outputs: classes K, and dimensions D where they are learnt; the architecture's own where
            absent.
        input_shape: of the maps that it hears; the architecture's own where absent.

    Raises:
        ConfigError: it has more than `LARGEST_NETWORK` parameters; nothing is built then.
    """
    shape, classes = input_shape or architecture.input_shape, num_classes or architecture.num_classes
    _refuse_large(architecture_cost(architecture, "parameters", 1, classes, shape), LARGEST_NETWORK, "this network")
    with model_context(architecture.sample()):
        return EmoDartsSpace(classes, shape, **architecture.space.identity())


def _refuse_large_space(space: SpaceConfig, input_shape: InputShape, num_classes: int) -> None:
    every = [stream.name for stream in space.hears]
    costs = operation_costs(space, input_shape, num_classes, "parameters", 1, every)
    choices = (*costs.edges.values(), *costs.layers.values())
    candidates = costs.fixed + sum(sum(options.values()) for options in choices)
    _refuse_large(candidates, LARGEST_SPACE, "the candidates of this space")


def _refuse_large(parameters: float, most: int, what: str) -> None:
    if parameters > most:
        raise ConfigError(
            f"{what} would have {parameters:,.0f} parameters, more than {most:,}; choose fewer cells or nodes, or a "
            f"smaller space.cnn_channels, space.seqnn_width or retrain.width"
        )


def random_architecture(
    space: SpaceConfig, num_classes: int, input_shape: InputShape, seed: int | list[int]
) -> Architecture:
    """An architecture drawn uniformly from the space; `none` is never drawn. A seed may be several numbers."""
    choices = _draw(space, np.random.RandomState(seed))
    return Architecture.from_choices(space, choices, num_classes, input_shape, {"strategy": "random", "seed": seed})


def _draw(space: SpaceConfig, generator: np.random.RandomState) -> Sample:
    """A choice for every label, also of edges that no node takes."""
    choices: Sample = {
        label: options[generator.randint(len(options))] for label, options in layer_choices(space).items()
    }
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
