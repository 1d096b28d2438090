"""Each one-shot strategy finds a planted architecture.

Of three columns of noise, the class says whether the sum of the second and third is far from zero. One combination of
the network's three choices alone can represent that: the sum of these two, squared, and not given to other samples.
There are 3 * 2 * 2 = 12 architectures, so that chance finds the planted one in 1 of 12 searches, and `enas`, which
compares two, in 1 of 6. With the sign of the alphas' gradient, or of the reward, turned round, no threshold is met.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nni_emodarts.config.strategies import STRATEGIES, Strategy, of_family
from nni_emodarts.data.batches import Batch
from nni_emodarts.metrics.scores import uar
from nni_emodarts.nni_bridge.nas import (
    InputChoice,
    LayerChoice,
    Lightning,
    ModelSpace,
    RawFormatModelSpace,
)
from nni_emodarts.search.one_shot import InlineEngine, make_strategy
from nni_emodarts.training.task import EmotionTask
from nni_emodarts.training.trainer import make_trainer, quiet

PLANTED = {"first": "square", "second": "pass", "inputs": [1, 2]}
SEEDS = 20
EPOCHS, STEPS, SIZE, RATE = 4, 18, 64, 0.1
LEAST = {
    "darts": 17,
    "darts_second_order": 17,
    "gumbel_darts": 13,
    "proxyless": 12,
    "random_one_shot": 14,
    "enas": 11,
}
"""Searches of 20 that find it; chance reaches 11 with a probability below 0.0001 for any of them. Seen when this was
written: 20, 20, 17, 15, 18, 15."""
OPTIONS: dict[str, dict[str, Any]] = {
    "darts": {"alpha_learning_rate": 0.05},
    "darts_second_order": {"alpha_learning_rate": 0.05},
    "gumbel_darts": {"alpha_learning_rate": 0.1},
    "proxyless": {"alpha_learning_rate": 0.1},
    "random_one_shot": {"samples": 12},
    "enas": {"samples": 2, "paths_per_update": 6, "controller_learning_rate": 0.01},
}


class Square(nn.Module):
    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        return inputs.square()


class Pass(nn.Module):
    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        return inputs


class Mix(nn.Module):
    """Gives each sample what belongs to another."""

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        return inputs.roll(1, 0)


class Planted(ModelSpace):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.inputs = InputChoice(3, n_chosen=2, label="inputs")
        self.first = LayerChoice({"straight": Pass(), "square": Square()}, label="first")
        self.second = LayerChoice({"pass": Pass(), "mix": Mix()}, label="second")
        self.out = nn.Linear(1, 2)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        summed = self.inputs([maps[:, column : column + 1] for column in range(3)])
        out: Tensor = self.out(self.second(self.first(summed, lengths), lengths))
        return out

    def extra_oneshot_hooks(self, strategy: Any) -> list[Callable[..., Any]]:
        return list(strategy.supernet_hooks())


def batch(generator: torch.Generator, size: int = SIZE) -> Batch:
    """Three columns of noise; the class is whether the sum of the second and third is far from zero."""
    maps = torch.randn(size, 3, generator=generator)
    labels = ((maps[:, 1] + maps[:, 2]).abs() > 1).long()
    return Batch(maps, torch.ones(size).long(), labels, torch.arange(size))


class Stream:
    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return STEPS

    def __iter__(self) -> Iterator[Batch]:
        for _ in range(STEPS):
            yield batch(self._generator)


def found(name: str, seed: int) -> dict[str, Any]:
    """What a search with this seed chooses."""
    torch.manual_seed(seed)
    task = EmotionTask(torch.ones(2), EPOCHS * STEPS, learning_rate=RATE, weight_decay=0.0)
    strategy = make_strategy(name, STRATEGIES[name].options.model_validate(OPTIONS[name]), 5.0, [])
    with quiet():
        trainer = make_trainer(torch.device("cpu"), EPOCHS, [], gradient_clip=None)
        evaluator = Lightning(task, trainer, train_dataloaders=Stream(seed), val_dataloaders=Stream(1000 + seed))
        strategy(RawFormatModelSpace.from_model(Planted(), evaluator), InlineEngine())
    search = strategy.oneshot_module
    search.set_model(strategy.supernet)
    held_out = batch(torch.Generator().manual_seed(2000 + seed), 256)

    @torch.no_grad()
    def evaluate() -> float:
        search.model.eval()
        return uar(held_out.labels.numpy(), search.model(held_out.maps, held_out.lengths).argmax(1).numpy(), 2)

    choices: dict[str, Any] = search.choose(evaluate, lambda steps: None, seed)
    return choices


def where_installed(strategy: Strategy) -> Any:
    return pytest.param(strategy.name, marks=pytest.mark.skipif(not strategy.installed, reason="needs its extra"))


@pytest.mark.parametrize("strategy", [where_installed(strategy) for strategy in of_family("one-shot")])
def test_the_planted_architecture_is_found(strategy: str) -> None:
    hits = (1 for seed in range(SEEDS) if found(strategy, seed) == PLANTED)
    assert sum(islice(hits, LEAST[strategy])) == LEAST[strategy], "no more searches than it takes"
