"""A space of 12 networks with one planted, and searches of it.

Of three columns of noise, the class says whether the sum of the second and third is far from zero. One combination of
the network's three choices alone can represent that: the sum of these two, squared, and not given to other samples.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from nni_emodarts.config.strategies import STRATEGIES
from nni_emodarts.data.batches import Batch
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
EPOCHS, STEPS, SIZE, RATE = 4, 18, 64, 0.1


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
    """Batches; the classes of each are given to others of its samples where they are shuffled."""

    def __init__(self, seed: int, shuffled: bool = False) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._shuffled = shuffled

    def __len__(self) -> int:
        return STEPS

    def __iter__(self) -> Iterator[Batch]:
        for _ in range(STEPS):
            drawn = batch(self._generator)
            order = torch.randperm(SIZE, generator=self._generator) if self._shuffled else torch.arange(SIZE)
            yield Batch(drawn.maps, drawn.lengths, drawn.labels[order], drawn.rows)


def searched(name: str, options: dict[str, Any], seed: int, shuffled: bool = False, epochs: int = EPOCHS) -> Any:
    """NNI's module of a search with this seed, once its supernet is trained."""
    torch.manual_seed(seed)
    task = EmotionTask(torch.ones(2), epochs * STEPS, learning_rate=RATE, weight_decay=0.0)
    strategy = make_strategy(name, STRATEGIES[name].options.model_validate(options), 5.0, [])
    with quiet():
        trainer = make_trainer(torch.device("cpu"), epochs, [], gradient_clip=None)
        streams = Stream(seed, shuffled), Stream(1000 + seed, shuffled)
        evaluator = Lightning(task, trainer, train_dataloaders=streams[0], val_dataloaders=streams[1])
        strategy(RawFormatModelSpace.from_model(Planted(), evaluator), InlineEngine())
    search = strategy.oneshot_module
    search.set_model(strategy.supernet)
    return search


@torch.no_grad()
def answers(search: Any, held_out: Batch) -> Any:
    """(n,) classes that a supernet answers as it stands."""
    search.model.eval()
    return search.model(held_out.maps, held_out.lengths).argmax(1).numpy()
