"""ENAS (Pham et al. 2018): a recurrent controller draws paths, and learns from their figures on the second half."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nni_emodarts.config.strategy_options import EnasOptions
from nni_emodarts.models.architecture import Sample
from nni_emodarts.models.space.sampled import SampledNode, SampledOperation
from nni_emodarts.nni_bridge.nas import (
    ENAS,
    Categorical,
    EnasLightningModule,
    Hook,
    ReplayBuffer,
    TuningTrajectoryGenerator,
    default_policy,
)
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.search.one_shot.contract import Batches, Evaluate, Loading
from nni_emodarts.search.one_shot.random_one_shot import PathSearch
from nni_emodarts.search.one_shot.terms import Term
from nni_emodarts.training.finite import check_probabilities, diverging
from nni_emodarts.training.recalibration import batch_statistics
from nni_emodarts.training.task import EmotionTask

_UPDATE = {"batch_size": 32, "repeat": 5}
"""How an update of the controller passes over its paths (proximal policy optimisation, Schulman et al. 2017)."""
_CONTROLLER = "controller"


class _Controller:
    """Makes NNI's policy with an optimiser whose state can be kept.

    NNI's takes the weights as a set, whose order changes from process to process, so that the state would land on
    others after a restart; here they come in the order of the modules.
    """

    def __init__(self, learning_rate: float) -> None:
        self._rate = learning_rate

    def __call__(self, environment: Any) -> Any:
        policy = default_policy(environment)
        policy.optim = torch.optim.Adam(policy.parameters(), self._rate)
        return policy


class PathChoices:
    """The supernet's choices as the controller takes them: one categorical choice a label, a set of inputs as one."""

    def __init__(self, modules: Iterator[Any]) -> None:
        self._options = {str(module.label): module.options for module in modules}

    def simplify(self) -> Sample:
        """Label -> categorical choice over the numbers of its options; NNI calls this."""
        return {label: Categorical(list(range(len(all_)))) for label, all_ in self._options.items()}

    def sample(self, numbers: dict[str, int]) -> Sample:
        """Numbers of options by label -> the supernet's sample."""
        drawn = {label: self._options[label][number] for label, number in numbers.items()}
        return {label: list(option) if isinstance(option, tuple) else option for label, option in drawn.items()}


class EnasSearch(PathSearch, EnasLightningModule):  # type: ignore[misc]
    """A step of the weights of a drawn path on the first half; the figure of another path on the second half.

    What is mended of NNI's module, besides its refusal of two chosen inputs and its loader, which fails on Lightning
    2.1 and later: setting the network makes a new controller, also after training, just before the export; the export
    is one draw; updates go on with the same paths until the next reward comes; the reward must be a logged metric of
    the evaluator, and is computed with dropout; the weights' schedule also advances at rewards; the controller's
    optimiser is in no checkpoint. The paper lets weights and controller learn in phases; here they take turns.

    The controller learns after `paths_per_update` paths, and at the end of an epoch from the rest, so that a checkpoint
    needs to hold no path.
    """

    def __init__(self, task: EmotionTask, options: EnasOptions, gradient_clip: float) -> None:
        super().__init__(
            task,
            batches_per_update=options.paths_per_update,
            policy_fn=_Controller(options.controller_learning_rate),
            update_kwargs=_UPDATE,
            warmup_epochs=options.warmup_epochs,
            reward_metric_name="unused",
        )
        self._samples = options.samples
        self._gradient_clip = gradient_clip
        self._rewards: list[float] = []
        self._choices: PathChoices | None = None
        self._optimizer_state: JsonObject | None = None

    def set_model(self, model: Any) -> None:
        """Take the supernet; a controller is made for the first one only."""
        self.training_module.set_model(model)
        if self._choices is not None:
            return
        self._choices = PathChoices(self.supernet_modules())
        self._generator = TuningTrajectoryGenerator(self._choices, self.policy_fn)
        self._policy = self._generator.policy
        self._forget()

    def resample(self) -> Sample:
        """A path that the controller draws."""
        with torch.no_grad():
            numbers = self.generator.next_sample()
        sample = self._choices.sample(numbers)  # type: ignore[union-attr]
        self.take(sample)
        return sample

    def training_step(self, batch: Batches, batch_idx: int) -> Tensor:
        """One step of the weights, and, after the warm-up, one path for the controller."""
        self.policy.eval()
        self.resample()
        loss: Tensor = self.training_module.training_step(batch["train"], batch_idx)
        self.advance_optimization(loss, batch_idx, self._gradient_clip)
        self.advance_lr_schedulers(batch_idx)
        if self.is_warm:
            with diverging(f"in epoch {self.trainer.current_epoch + 1}, step {batch_idx + 1}"):
                self._try_path(batch["val"])
            if self._paths == self.batches_per_update or self.trainer.is_last_batch:
                self._learn()
        return loss

    def on_train_epoch_start(self) -> None:
        """The epoch's rewards begin."""
        super().on_train_epoch_start()
        self._rewards = []

    def figures(self) -> dict[str, float]:
        """The epoch's mean reward; none during the warm-up."""
        return {"reward": float(np.mean(self._rewards)) if self._rewards else float("nan")}

    def choose(self, evaluate: Evaluate, tune: Callable[[int], None], seed: int) -> Sample:
        """The best on validation of different paths that the trained controller draws."""
        self.policy.eval()
        return self.best_of(self._samples, evaluate, seed)

    def on_save_checkpoint(self, checkpoint: JsonObject) -> None:
        """Add the state of the controller's optimiser; its weights are the module's own."""
        checkpoint[_CONTROLLER] = self.policy.optim.state_dict()

    def on_load_checkpoint(self, checkpoint: JsonObject) -> None:
        """Take the state of the controller's optimiser, for when its weights are where they will be trained."""
        self._optimizer_state = checkpoint[_CONTROLLER]

    def on_train_start(self) -> None:
        """Everything is on its device now."""
        super().on_train_start()
        if self._optimizer_state is not None:
            self.policy.optim.load_state_dict(self._optimizer_state)
            self._optimizer_state = None

    @torch.no_grad()
    def _try_path(self, batch: Any) -> None:
        """Draw a path, and note its figure on a batch, with the statistics of the batch and without dropout."""
        self.policy.train()
        self.resample()
        with batch_statistics(self.model):
            outputs = self.training_module(batch.maps, batch.lengths)
        answers = outputs.cpu().numpy()
        check_probabilities(answers)
        reward = self.training_module.truth(batch.labels, batch.rows).score(answers)
        self._rewards.append(reward)
        self._replay_buffer.update(self.generator.send_reward(reward))
        self._paths += 1

    def _learn(self) -> None:
        self.policy.train()
        self.policy.update(0, self._replay_buffer, **self.update_kwargs)
        self._forget()

    def _forget(self) -> None:
        """Start to gather paths anew."""
        self._replay_buffer = ReplayBuffer(self.generator.expected_trajectory_length * self.batches_per_update)
        self._paths = 0


class Enas(ENAS):  # type: ignore[misc]
    """NNI's strategy with this package's search inside."""

    def __init__(self, options: EnasOptions, gradient_clip: float, terms: list[Term]) -> None:
        super().__init__()
        self._options = options
        self._gradient_clip = gradient_clip

    def mutate_model(self, model: Any) -> Any:
        """NNI's hook, without its refusal of two chosen inputs."""
        return super(ENAS, self).mutate_model(model)

    def configure_oneshot_module(self, training_module: EmotionTask) -> EnasSearch:
        """NNI's hook: the module that searches."""
        return EnasSearch(training_module, self._options, self._gradient_clip)

    def train_dataloader(self, train_dataloader_fn: Loading, val_dataloader_fn: Loading) -> Any:
        """NNI's hook: a batch of each half at each step, as DARTS has it; NNI's own loader fails on Lightning 2.1."""
        return {"train": train_dataloader_fn(), "val": val_dataloader_fn()}

    def supernet_hooks(self) -> Iterator[Hook]:
        """Hooks that turn the space's choices into supernet modules."""
        yield SampledOperation.mutate
        yield SampledNode.mutate
