"""Small spaces, and networks that are drawn from them."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import nn

from nni_emodarts.config import SpaceConfig
from nni_emodarts.models.architecture import Architecture, candidates, edge_label, node_label, nodes
from nni_emodarts.models.space import random_architecture

SMALL = SpaceConfig(
    cnn_cells=2, cnn_nodes=1, cnn_channels=3, reduction_cells=(1,),
    cnn_primitives=("skip_connect", "sep_conv_3x3", "none"),
    seqnn_cells=2, seqnn_nodes=2, seqnn_width=5, seqnn_primitives=("lstm_1", "skip_connect", "none"),
)  # fmt: skip
"""4 normal cells, 4 reduction cells, 4 * 3 * 4 SeqNN cells: 768 networks."""
SHAPE = (2, 7)
FRAMES = 9


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def some_space(seed: int) -> SpaceConfig:
    """Sizes and reductions of all sorts, odd ones and consecutive reductions among them."""
    draw = np.random.RandomState(seed)
    cells = int(draw.randint(1, 6))
    return SpaceConfig(
        cnn_cells=cells,
        cnn_nodes=int(draw.randint(1, 4)),
        cnn_channels=int(draw.choice([1, 2, 3, 5])),
        reduction_cells=tuple(np.flatnonzero(draw.rand(cells) < 0.6).tolist()),
        stem_multiplier=int(draw.randint(1, 4)),
        stem_stride=int(draw.randint(1, 3)),
        seqnn_cells=int(draw.randint(1, 4)),
        seqnn_nodes=int(draw.randint(1, 4)),
        seqnn_width=int(draw.choice([1, 4, 7])),
        pooling=str(draw.choice(["mean", "attention", "statistics"])),
    )


def some_architecture(seed: int) -> Architecture:
    draw = np.random.RandomState(100 + seed)
    shape = (int(draw.randint(1, 4)), int(draw.randint(1, 24)))
    return random_architecture(some_space(seed), int(draw.randint(2, 9)), shape, seed)


def every_network(space: SpaceConfig) -> Iterator[Architecture]:
    options: dict[str, list[Any]] = {}
    for kind, node in nodes(space):
        options[node_label(kind, node)] = list(itertools.combinations(range(node), 2))
        for state in range(node):
            names = [name for name in candidates(space, kind) if name != "none"]
            options[edge_label(kind, node, state)] = names
    seen = set()
    for chosen in itertools.product(*options.values()):
        made = Architecture.from_choices(space, dict(zip(options, chosen, strict=True)), 3, SHAPE)
        if made.id not in seen:
            seen.add(made.id)
            yield made
