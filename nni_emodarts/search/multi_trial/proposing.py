"""Strategies that propose one candidate after another: what asks and tells, and NNI's strategy around it."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from nni_emodarts.config import SpaceConfig
from nni_emodarts.models.flat_space import flat_choices, meant
from nni_emodarts.nni_bridge.nas import ExecutionEngine, ModelEventType, Strategy, TrainingEndEvent
from nni_emodarts.search.multi_trial.space import ChoiceSpace

FlatChoices = Mapping[str, str]
"""Label -> choice, as `models.flat_space` has them."""
Network = tuple[tuple[str, str], ...]
"""The choices that matter, as something that can be looked up: equal networks have equal ones."""


class Proposer(Protocol):
    """Proposes candidates, and hears how good they were. It trains nothing, and knows of no NNI."""

    def ask(self) -> FlatChoices:
        """The next candidate: one that was not asked before, as long as one is found."""
        ...

    def tell(self, choices: FlatChoices, score: float) -> None:
        """How good a candidate was, the higher the better."""
        ...


class Proposing(Strategy):  # type: ignore[misc]
    """NNI's strategy of a proposer: a candidate for each worker that is free, until the budget is spent.

    Events come from the engine's thread. One that fails is not told.
    """

    def __init__(self, make: Callable[[SpaceConfig], Proposer]) -> None:
        """Set who proposes: space -> proposer."""
        super().__init__()
        self._make = make
        self._proposer: Proposer
        self._lock = threading.Lock()

    def _initialize(self, model_space: ChoiceSpace, engine: ExecutionEngine) -> ChoiceSpace:
        self._proposer = self._make(model_space.space)
        engine.register_model_event_callback(ModelEventType.TrainingEnd, self._on_end)
        return model_space

    def _cleanup(self) -> None:
        self.engine.unregister_model_event_callback(ModelEventType.TrainingEnd, self._on_end)

    def _run(self) -> None:
        while self.wait_for_resource():
            with self._lock:
                choices = self._proposer.ask()
            self.engine.submit_models(self.model_space.freeze(dict(choices)))

    def _on_end(self, event: TrainingEndEvent) -> None:
        if event.model.metric is not None and event.model.sample is not None:
            with self._lock:
                self._proposer.tell(event.model.sample, float(event.model.metric))


class Draws:
    """Random networks of a space, and random neighbours of one."""

    def __init__(self, space: SpaceConfig, seed: int) -> None:
        """Set where is drawn from.

        Args:
            space: the joint space.
            seed: of all draws.
        """
        self.space = space
        self.rng = np.random.default_rng(seed)
        self._choices = flat_choices(space)

    def uniform(self) -> FlatChoices:
        """Any network, each choice with the same chance."""
        return {label: self._any(values) for label, values in self._choices.items()}

    def neighbour(self, choices: FlatChoices) -> FlatChoices:
        """A network that differs in one choice that matters; where a node then takes other edges, in theirs too."""
        labels = [label for label in meant(self.space, choices) if len(self._choices[label]) > 1]
        if not labels:
            return choices
        label = self._any(labels)
        changed = {**choices, label: self._any([value for value in self._choices[label] if value != choices[label]])}
        before = meant(self.space, choices)
        for taken in meant(self.space, changed):
            if taken not in before:
                changed[taken] = self._any(self._choices[taken])
        return changed

    def network(self, choices: FlatChoices) -> Network:
        """The choices that matter."""
        return tuple(meant(self.space, choices).items())

    def _any(self, values: Sequence[str]) -> str:
        return values[int(self.rng.integers(len(values)))]
