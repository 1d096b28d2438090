"""Single path one-shot (SPOS, Guo et al. 2020): weights trained on uniformly drawn paths, then the best of many."""

from collections.abc import Callable, Collection, Iterator
from itertools import chain, cycle, repeat

import torch
from torch import Tensor
from torch.optim import Optimizer

from nni_emodarts.config.strategy_options import RandomOneShotOptions
from nni_emodarts.data.batches.batches import Batch
from nni_emodarts.models.architecture import Sample
from nni_emodarts.models.space.sampled import SampledNode, SampledOperation
from nni_emodarts.nni_bridge.nas import Hook, RandomSamplingLightningModule
from nni_emodarts.nni_bridge.nas import RandomOneShot as NniRandomOneShot
from nni_emodarts.search.one_shot.contract import Evaluate, Loading, OneShotSearch
from nni_emodarts.search.one_shot.paths import best_path, distinct
from nni_emodarts.search.one_shot.terms import Term
from nni_emodarts.training.parallel.group import drawn_alike
from nni_emodarts.training.task import EmotionTask

_PROBES = 4
"""Paths, the same ones in each epoch, whose mean figure stands for the supernet."""


class PathSearch(OneShotSearch):
    """What searches by single paths without alphas share; a mix-in for NNI's one-shot modules."""

    recalibrates = True

    resample: Callable[[], Sample]
    supernet_modules: Callable[[], Iterator[SampledOperation | SampledNode]]

    def take(self, sample: Sample) -> None:
        """Set the supernet to a path."""
        for module in self.supernet_modules():
            module.resample(memo=sample)

    def validate(self, evaluate: Evaluate) -> float:
        """Mean validation figure of a few paths, which are the same in each epoch where draws do not change."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            figures = []
            for _ in range(_PROBES):
                self.resample()
                figures.append(evaluate())
        return sum(figures) / len(figures)

    def best_of(self, samples: int, evaluate: Evaluate, seed: int) -> Sample:
        """The best on validation of so many different paths."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            found = list(distinct(self.resample, samples))
        return dict(best_path(iter(found), self.take, evaluate))


class RandomSearch(PathSearch, RandomSamplingLightningModule):  # type: ignore[misc]
    """Weights of a uniformly drawn path at each step.

    Of NNI's module: it exports any path, and draws from a generator that nothing seeds. It leaves clipping to the
    trainer, which must have none for every other strategy; so the bound on the gradient's norm is set here.
    """

    def __init__(self, task: EmotionTask, options: RandomOneShotOptions, gradient_clip: float) -> None:
        super().__init__(task)
        self._samples = options.samples
        self._gradient_clip = gradient_clip

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of a path; Lightning steps the weights."""
        with drawn_alike():
            self.resample()
        loss: Tensor = self.training_module.training_step(batch, batch_idx)
        return loss

    def configure_gradient_clipping(self, optimizer: Optimizer, *_: object, **__: object) -> None:
        """Bound the norm; Lightning calls this before each step."""
        self.clip_gradients(optimizer, self._gradient_clip, "norm")

    def choose(self, evaluate: Evaluate, tune: Callable[[int], None], seed: int) -> Sample:
        """The best on validation of different uniformly drawn paths, with the shared weights."""
        return self.best_of(self._samples, evaluate, seed)


class Alternating:
    """Batches of two loaders in turn, as many as the longer one has; a loader at its end begins anew."""

    def __init__(self, *loaders: Collection[Batch]) -> None:
        self._loaders = loaders

    def __len__(self) -> int:
        return max(len(loader) for loader in self._loaders)

    def __iter__(self) -> Iterator[Batch]:
        streams = [chain.from_iterable(repeat(loader)) for loader in self._loaders]
        for _, stream in zip(range(len(self)), cycle(streams), strict=False):
            yield next(stream)


class RandomOneShot(NniRandomOneShot):  # type: ignore[misc]
    """NNI's strategy with this package's search inside. There are no alphas, so both halves train the weights."""

    def __init__(self, options: RandomOneShotOptions, gradient_clip: float, terms: list[Term]) -> None:
        super().__init__()
        self._options = options
        self._gradient_clip = gradient_clip

    def configure_oneshot_module(self, training_module: EmotionTask) -> RandomSearch:
        """NNI's hook: the module that searches."""
        return RandomSearch(training_module, self._options, self._gradient_clip)

    def train_dataloader(self, train_dataloader_fn: Loading, val_dataloader_fn: Loading) -> Alternating:
        """NNI's hook: batches of both halves in turn."""
        return Alternating(train_dataloader_fn(), val_dataloader_fn())

    def val_dataloader(self, train_dataloader_fn: Loading, val_dataloader_fn: Loading) -> None:
        """NNI's hook: nothing, since the search measures the validation part itself."""

    def supernet_hooks(self) -> Iterator[Hook]:
        """Hooks that turn the space's choices into supernet modules."""
        yield SampledOperation.mutate
        yield SampledNode.mutate
