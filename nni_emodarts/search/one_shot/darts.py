"""DARTS as NNI has it, with what it lacks: terms in the loss, remedies against collapse, a stable order of alphas."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn, optim

from nni_emodarts.config.strategy_options import DartsOptions, GradientOptions, GumbelOptions, MixtureOptions
from nni_emodarts.data.batches.batches import Batch
from nni_emodarts.models.architecture import Sample, chooses_what_is_heard, is_edge
from nni_emodarts.models.costs import taken_probabilities
from nni_emodarts.models.space.mixed import (
    SKIP,
    MixedNode,
    MixedOperation,
    derivable_probabilities,
    partial_operation,
    shared_depth,
)
from nni_emodarts.nni_bridge.nas import DARTS, DartsLightningModule, GumbelSoftmax, Hook
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.search.one_shot.contract import AlphaRow, Batches, Evaluate, OneShotSearch
from nni_emodarts.search.one_shot.curvature import dominant_eigenvalue
from nni_emodarts.search.one_shot.entropy import mean_entropy, pair_probabilities
from nni_emodarts.search.one_shot.perturbation import choose_by_perturbation
from nni_emodarts.search.one_shot.second_order import same_surroundings, unrolled_gradients
from nni_emodarts.search.one_shot.terms import BetaDecay, Sharpening, Term, sum_of
from nni_emodarts.search.supernet import accelerate
from nni_emodarts.training.parallel.group import drawn_alike
from nni_emodarts.training.task import EmotionTask


@contextmanager
def without_gradient(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Parameters whose gradients nobody asks for, so that none is computed."""
    held = [parameter for parameter in parameters if parameter.requires_grad]
    for parameter in held:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in held:
            parameter.requires_grad_()


Mixed = list[MixedOperation | MixedNode]
"""Modules of one label, which share their alphas."""


class DartsSearch(OneShotSearch, DartsLightningModule):  # type: ignore[misc]
    """First-order DARTS (Liu et al. 2019): a step of the alphas on one half of the data, a step of the weights on the
    other.

    Built on NNI's module, whose alphas come in an order that changes from process to process, so that an optimiser's
    state would land on others after a restart; here they come in the order of the modules.
    """

    def __init__(self, task: EmotionTask, options: GradientOptions, gradient_clip: float, terms: list[Term]) -> None:
        super().__init__(
            task,
            arc_learning_rate=options.alpha_learning_rate,
            gradient_clip_val=gradient_clip,
            warmup_epochs=options.warmup_epochs,
        )
        self._terms = terms
        self._level_rate = options.level_learning_rate

    def configure_architecture_optimizers(self) -> optim.Optimizer:
        """NNI's Adam, under which alphas that choose what is heard may have a rate of their own."""
        return torch.optim.Adam(self.alpha_groups(), self.arc_learning_rate, betas=(0.5, 0.999), weight_decay=1e-3)

    def alpha_groups(self) -> list[JsonObject]:
        """The alphas as groups for an optimiser, by their learning rate."""
        alphas = self.arch_parameters()
        if self._level_rate is None:
            return [{"params": alphas}]
        choices = self.by_label(MixedOperation).items()
        own = {found[0]._arch_alpha for label, found in choices if chooses_what_is_heard(label)}
        groups: list[JsonObject] = [{"params": [alpha for alpha in alphas if alpha not in own]}]
        heard = [alpha for alpha in alphas if alpha in own]
        return [*groups, {"params": heard, "lr": self._level_rate}] if heard else groups

    def training_step(self, batch: Batches, batch_idx: int) -> Tensor:
        """One step of the alphas, after the warm-up, then one of the weights."""
        if self.is_warm:
            self.architecture_step(batch["train"], batch["val"], batch_idx)
        self.resample()
        with without_gradient(self.arch_parameters()):
            loss: Tensor = self.training_module.training_step(batch["train"], batch_idx)
            self.advance_optimization(loss, batch_idx, self.gradient_clip_val)
        self.advance_lr_schedulers(batch_idx)
        return loss

    def architecture_step(self, train_batch: Batch, val_batch: Batch, batch_idx: int) -> None:
        """A step of the alphas down the validation loss and the terms."""
        optimizer = self.architecture_optimizers()
        self.resample()
        optimizer.zero_grad()
        with without_gradient(self.weights()):
            loss = self.training_module.training_step(val_batch, batch_idx) + sum_of(self._terms, self)
            self.manual_backward(loss)
        optimizer.step()

    def weights(self) -> list[nn.Parameter]:
        """What the other half of the data trains: all parameters but the alphas."""
        alphas = set(self.arch_parameters())
        return [parameter for parameter in self.model.parameters() if parameter not in alphas]

    def arch_parameters(self) -> list[nn.Parameter]:
        """The alphas, each once, in the order of the modules."""
        found = [alpha for module in self.supernet_modules() for alpha in module.arch_parameters()]
        return list(dict.fromkeys(found))

    def edge_alphas(self) -> dict[str, Tensor]:
        """Alphas (O,) of each edge's operations, by label."""
        choices = self.by_label(MixedOperation).items()
        return {label: found[0]._arch_alpha for label, found in choices if is_edge(label)}

    def operation_probabilities(self) -> dict[str, Tensor]:
        """Softmax (O,) over the operations of each edge, and over the candidates outside the cells, by label."""
        return {label: torch.softmax(found[0]._arch_alpha, 0) for label, found in self.by_label(MixedOperation).items()}

    def taken_probabilities(self) -> dict[str, Tensor]:
        """Chance (I,) that a node takes each input, by label: two drawn one after the other by softmax(alpha)."""
        nodes = self.by_label(MixedNode).items()
        return {label: taken_probabilities(torch.softmax(found[0]._arch_alpha, 0)) for label, found in nodes}

    def progress(self) -> float:
        """Share of the epochs that the current one completes, in (0, 1]."""
        return float((self.trainer.current_epoch + 1) / self.trainer.max_epochs)

    def alpha_rows(self) -> list[AlphaRow]:
        """Every alpha: rows of label, choice, alpha, probability. Chosen inputs are numbers of states."""
        rows = []
        for label, found in sorted({**self.by_label(MixedOperation), **self.by_label(MixedNode)}.items()):
            alpha = found[0]._arch_alpha.detach().cpu()
            choices = getattr(found[0], "names", range(len(alpha)))
            rows += [
                {"label": label, "choice": choice, "alpha": float(value), "probability": float(share)}
                for choice, value, share in zip(choices, alpha, torch.softmax(alpha, 0), strict=True)
            ]
        return rows

    def choice_probabilities(self) -> dict[str, Tensor]:
        """Chance (O,) of all that each choice may come to, by label: operations, candidates, pairs of inputs.

        `none` is no outcome: an edge that settled on it would be derived with another operation, and that undecided.
        """
        nodes = {label: found[0]._arch_alpha for label, found in self.by_label(MixedNode).items()}
        pairs = {label: pair_probabilities(torch.softmax(alpha, 0)) for label, alpha in nodes.items()}
        return {**self._derivable_probabilities(), **pairs}

    def _derivable_probabilities(self) -> dict[str, Tensor]:
        edges = {label: found[0] for label, found in self.by_label(MixedOperation).items()}
        return {label: derivable_probabilities(edge.names, edge._arch_alpha) for label, edge in edges.items()}

    def discretize(self, choices: Sample) -> None:
        """Set the weights of all that was not chosen to zero."""
        edges, nodes = self.by_label(MixedOperation), self.by_label(MixedNode)
        for label, choice in choices.items():
            for module in nodes[label] if isinstance(choice, list) else edges[label]:
                module.keep(choice)

    @torch.no_grad()
    def figures(self) -> dict[str, float]:
        """Skip connections of the derived cells, and how undecided the choices are: entropy from 0 to 1."""
        entropy = float(mean_entropy(self.choice_probabilities().values()))
        return {"skips": float(sum(self.count_skips().values())), "entropy": entropy}

    def count_skips(self) -> dict[str, int]:
        """Skip connections on the chosen edges of each derived cell, by kind of cell."""
        choices = self.export()
        counts: dict[str, int] = {}
        for label, chosen in choices.items():
            if isinstance(chosen, list):
                kind = label.rpartition("_")[0]
                skips = sum(choices[f"{label}_{state}"] == SKIP for state in chosen)
                counts[kind] = counts.get(kind, 0) + skips
        return counts

    def by_label(self, kind: type[MixedOperation] | type[MixedNode]) -> dict[str, Mixed]:
        """Supernet modules of a kind, by label; those of one label share their alphas."""
        found: dict[str, Mixed] = {}
        for module in self.supernet_modules():
            if isinstance(module, kind):
                found.setdefault(str(module.label), []).append(module)  # NNI's own kind of text otherwise
        return found


class CuredDartsSearch(DartsSearch):
    """DARTS with the known remedies against its collapse to skip connections, each as its paper has it."""

    def __init__(self, task: EmotionTask, options: DartsOptions, gradient_clip: float, terms: list[Term]) -> None:
        remedies: list[Term] = [BetaDecay(options.beta_decay)] if options.beta_decay else []
        remedies += [Sharpening(options.sharpening)] if options.sharpening else []
        super().__init__(task, options, gradient_clip, [*terms, *remedies])
        self._options = options

    def on_train_epoch_start(self) -> None:
        """Dropout on skip connections falls linearly to zero."""
        super().on_train_epoch_start()
        left = 1 - self.trainer.current_epoch / max(self.trainer.max_epochs - 1, 1)
        self._drop_skips(self._options.skip_dropout * left)

    def _drop_skips(self, rate: float) -> None:
        for found in self.by_label(MixedOperation).values():
            for edge in found:
                edge.skip_dropout = rate

    def training_step(self, batch: Batches, batch_idx: int) -> Tensor:
        """A step; the last validation batch is kept for the eigenvalue."""
        self._val_batch = batch["val"]
        return super().training_step(batch, batch_idx)

    def figures(self) -> dict[str, float]:
        """What is recorded each epoch, the dominant eigenvalue on request."""
        found = super().figures()
        if self._options.eigenvalue:
            found["eigenvalue"] = self._eigenvalue()
        return found

    def _eigenvalue(self) -> float:
        alphas = self.arch_parameters()
        wanted = [alpha.requires_grad for alpha in alphas]
        for alpha in alphas:
            alpha.requires_grad_()
        with torch.enable_grad(), same_surroundings(self.model) as same:
            loss = same(lambda: self.training_module.training_step(self._val_batch, 0))
            value = dominant_eigenvalue(loss, alphas)
        for alpha, want in zip(alphas, wanted, strict=True):
            alpha.requires_grad_(want)
        return value

    def should_stop(self) -> bool:
        """DARTS+ (Liang et al. 2019): stop as soon as a derived cell holds so many skip connections.

        What the alphas were before they learnt says nothing.
        """
        limit = self._options.max_skips
        return limit is not None and self.is_warm and max(self.count_skips().values()) >= limit

    def choose(self, evaluate: Evaluate, tune: Callable[[int], None], seed: int) -> Sample:
        """The derived architecture, by alpha or by perturbation, which trains the supernet further.

        No skip connection is dropped then, also where the search stopped before the dropout had fallen to zero.
        """
        self._drop_skips(0.0)
        if self._options.selection == "alpha":
            return super().choose(evaluate, tune, seed)
        modules = {**self.by_label(MixedOperation), **self.by_label(MixedNode)}
        return choose_by_perturbation(modules, evaluate, lambda: tune(self._options.tuning_steps), seed)


class SecondOrderSearch(CuredDartsSearch):
    """DARTS with the unrolled gradient (Liu et al. 2019, eq. 7 and 8), which NNI lacks.

    The inner step is plain gradient descent at the weights' current learning rate, whatever their optimiser.
    """

    def architecture_step(self, train_batch: Batch, val_batch: Batch, batch_idx: int) -> None:
        """A step of the alphas down the unrolled gradient."""
        optimizer = self.architecture_optimizers()
        task, alphas = self.training_module, self.arch_parameters()
        weights = [weight for weight in self.weights() if weight.requires_grad]
        with same_surroundings(self.model) as same:
            gradients = unrolled_gradients(
                same(lambda: task.training_step(train_batch, batch_idx)),
                same(lambda: task.training_step(val_batch, batch_idx) + sum_of(self._terms, self)),
                weights,
                alphas,
                rate=self._weight_rate(),
            )
        for alpha, gradient in zip(alphas, gradients, strict=True):
            alpha.grad = gradient.detach()
        optimizer.step()

    def _weight_rate(self) -> float:
        optimizers = self.optimizers()
        of_weights = next(one for one in optimizers if not getattr(one, "is_arch_optimizer", False))
        return float(of_weights.param_groups[0]["lr"])


class GumbelNoise(GumbelSoftmax):  # type: ignore[misc]
    """Gumbel-softmax in training; in evaluation plain softmax, so that a figure is no draw."""

    def forward(self, inputs: Tensor) -> Tensor:
        """alphas (O,) -> weights (O,)."""
        if not self.training:
            return torch.softmax(inputs, self.dim)
        with drawn_alike():
            out: Tensor = super().forward(inputs)
        return out


class GumbelSearch(DartsSearch):
    """DARTS with Gumbel-softmax weights, cooled linearly towards one choice (SNAS, Xie et al. 2019).

    NNI exports probabilities as one noisy draw; here probabilities and the export come from the alphas alone.
    """

    def __init__(self, task: EmotionTask, options: GumbelOptions, gradient_clip: float, terms: list[Term]) -> None:
        super().__init__(task, options, gradient_clip, terms)
        self._temperatures = options.temperature, options.final_temperature

    def on_train_epoch_start(self) -> None:
        """The temperature of the epoch."""
        super().on_train_epoch_start()
        first, last = self._temperatures
        share = self.trainer.current_epoch / max(self.trainer.max_epochs - 1, 1)
        for module in self.modules():
            if isinstance(module, GumbelSoftmax):
                module.tau = first + share * (last - first)


class Darts(DARTS):  # type: ignore[misc]
    """NNI's DARTS strategy with a search of this package inside."""

    search: type[DartsSearch] = CuredDartsSearch

    def __init__(self, options: MixtureOptions, gradient_clip: float, terms: list[Term]) -> None:
        super().__init__(arc_learning_rate=options.alpha_learning_rate, warmup_epochs=options.warmup_epochs)
        self._options = options
        self._gradient_clip = gradient_clip
        self._terms = terms

    def configure_oneshot_module(self, training_module: EmotionTask) -> DartsSearch:
        """NNI's hook: the module that searches."""
        return self.search(training_module, self._options, self._gradient_clip, self._terms)

    def supernet_hooks(self) -> Iterator[Hook]:
        """Hooks that turn the space's choices into supernet modules."""
        if self._options.accelerated:
            yield accelerate(self._options.recompute)
        if self._options.shared_depth:
            yield shared_depth
        parts = self._options.partial_channels
        yield MixedOperation.mutate if parts == 1 else partial_operation(parts).mutate
        yield MixedNode.mutate


class DartsSecondOrder(Darts):
    """DARTS with the unrolled gradient."""

    search = SecondOrderSearch


class GumbelDarts(Darts):
    """DARTS with Gumbel-softmax weights."""

    search = GumbelSearch

    def configure_softmax(self) -> nn.Module:
        """NNI's hook: what turns alphas into weights."""
        return GumbelNoise()
