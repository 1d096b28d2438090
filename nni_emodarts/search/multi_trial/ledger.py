"""What stands between a strategy and the training: every architecture is trained once, and booked under its own id."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nni_emodarts.models.architecture import Architecture
from nni_emodarts.nni_bridge.nas import (
    ExecutionEngine,
    FinalMetricEvent,
    IntermediateMetricEvent,
    ModelEvent,
    ModelEventType,
    ModelStatus,
    TrainingEndEvent,
)
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject
from nni_emodarts.search.multi_trial.space import ChoiceSpace

logger = logging.getLogger(__name__)

PATIENCE = 1000
"""Proposals in a row that bring nothing new, after which a strategy is not asked any more."""
_POLL = 0.5  # seconds


@dataclass
class Entry:
    """A candidate that was accepted.

    Attributes:
        number: its place among the strategy's proposals, from 0; None before it came, where an earlier run trained it.
        architecture: what is trained.
        score: what it is chosen by, the higher the better: its validation UAR, or what `search.estimate` says; None
            while it trains, and where it failed.
        error: why it failed.
        ended: whether it was trained or failed.
        models: the strategy's objects that wait for it.
    """

    number: int | None
    architecture: Architecture
    score: float | None = None
    error: str | None = None
    ended: bool = False
    models: list[ChoiceSpace] = field(default_factory=list)


class Ledger(ExecutionEngine):  # type: ignore[misc]
    """Passes each new architecture on to an engine that trains it, and answers known ones itself.

    - An architecture that was trained before, in this run or in one that was cut off, is answered with its figure: it
      is neither trained nor counted again.
    - One that is not accepted is never trained and does not count.
    - Figures may be objects of which `default` is the one to choose by; NNI's strategies take numbers only.

    Events come from the engine's thread, proposals from the strategy's.
    """

    def __init__(
        self,
        engine: Any,
        most: int,
        concurrency: int = 1,
        accepts: Callable[[Architecture], bool] = lambda architecture: True,
        known: Mapping[str, tuple[Architecture, float]] | None = None,
        on_start: Callable[[Entry], None] = lambda entry: None,
        on_end: Callable[[Entry], None] = lambda entry: None,
    ) -> None:
        """Open the ledger.

        Args:
            engine: trains candidates; besides NNI's interface, it explains why one failed.
            most: different candidates in all, known ones included.
            concurrency: trainings at once.
            accepts: whether an architecture may be trained.
            known: architectures by id that an earlier run trained, with their scores.
            on_start: called with each candidate before it is trained.
            on_end: called with each candidate that was trained or failed.
        """
        super().__init__()
        self._engine = engine
        self._most = most
        self._concurrency = concurrency
        self._accepts = accepts
        self._on_start, self._on_end = on_start, on_end
        self.entries: dict[str, Entry] = {
            name: Entry(None, architecture, score, ended=True) for name, (architecture, score) in (known or {}).items()
        }
        self.rejected: set[str] = set()
        self._proposed = 0
        self._seen: list[ChoiceSpace] = []
        self._in_vain = 0
        self._running: dict[ChoiceSpace, str] = {}
        self._figures: dict[str, float] = {}
        self._lock = threading.RLock()
        self._broken: BaseException | None = None
        for kind, callback in self._callbacks_of_engine():
            engine.register_model_event_callback(kind, callback)

    @property
    def given_up(self) -> bool:
        """Whether the strategy brought nothing new for too long."""
        return self._in_vain >= PATIENCE

    def submit_models(self, *models: ChoiceSpace) -> None:
        """Book proposals; a strategy calls this."""
        for model in models:
            self._seen.append(model)
            self._propose(model)

    def train_further(self, model: ChoiceSpace) -> None:
        """Have a candidate that was trained on some replicates trained on more, as soon as a worker is free.

        Its score is another one when `wait_models` returns, and None where that training failed.

        Args:
            model: the candidate, which says on how many.
        """
        while not self.idle_worker_available():
            self._check()
            self._engine.budget_available()  # raises where the training is gone for good
            time.sleep(_POLL)
        name = model.architecture.id
        with self._lock:
            entry = self.entries[name]
            entry.score, entry.ended = None, False
            self._figures.pop(name, None)
            self._running[model] = name
        self._engine.submit_models(model)

    def idle_worker_available(self) -> bool:
        """Whether another candidate may be trained at once."""
        return len(self._running) < self._concurrency and self._engine.idle_worker_available()

    def budget_available(self) -> bool:
        """Whether more candidates are wanted."""
        self._check()
        return len(self.entries) < self._most and not self.given_up and self._engine.budget_available()

    def list_models(self, status: ModelStatus = None) -> Iterable[ChoiceSpace]:
        """What the strategy proposed."""
        return [model for model in self._seen if status is None or model.status == status]

    def wait_models(self, *models: ChoiceSpace) -> None:
        """Wait until all that were accepted are trained."""
        while self._running:
            self._check()
            self._engine.budget_available()  # raises where the training is gone for good
            time.sleep(_POLL)

    def shutdown(self) -> None:
        """Close the engine."""
        for kind, callback in self._callbacks_of_engine():
            self._engine.unregister_model_event_callback(kind, callback)
        self._engine.shutdown()

    def state_dict(self) -> JsonObject:
        """Nothing: the search's folder holds what a resumed search needs."""
        return {}

    def load_state_dict(self, state_dict: JsonObject) -> None:
        """Nothing to load."""

    def _callbacks_of_engine(self) -> list[tuple[ModelEventType, Callable[[ModelEvent], None]]]:
        return [
            (ModelEventType.IntermediateMetric, self._on_intermediate),
            (ModelEventType.FinalMetric, self._on_final),
            (ModelEventType.TrainingEnd, self._on_training_end),
        ]

    def _propose(self, model: ChoiceSpace) -> None:
        architecture = model.architecture
        with self._lock:
            proposed = self._proposed
            entry = self._book(model, architecture)
            new = entry is not None and self._running.get(model) == architecture.id
            known = entry is not None and entry.ended  # one that ends from here on answers its waiting models itself
            # One that an earlier run trained is new to this run's strategy, which repeats what that run's had proposed.
            self._in_vain = 0 if self._proposed > proposed else self._in_vain + 1
        if entry is None:
            self._end(model, ModelStatus.Invalid)
        elif new:
            self._on_start(entry)
            self._engine.submit_models(model)
        elif known:
            self._answer(model, entry)

    def _book(self, model: ChoiceSpace, architecture: Architecture) -> Entry | None:
        """The entry of a proposal, a new one where it is the first; None where the architecture is not accepted."""
        entry = self.entries.get(architecture.id)
        if entry is None:
            if architecture.id in self.rejected or not self._accepts(architecture):
                self.rejected.add(architecture.id)
                return None
            entry = self.entries[architecture.id] = Entry(None, architecture)
            self._running[model] = architecture.id
        if entry.number is None:
            entry.number, self._proposed = self._proposed, self._proposed + 1
        if not entry.ended:
            entry.models.append(model)
            model.status = ModelStatus.Training
        return entry

    def _on_intermediate(self, event: ModelEvent) -> None:
        event.prevent_default()
        if event.model in self._running:
            self.dispatch_model_event(IntermediateMetricEvent(event.model, _number(event.metric)))

    def _on_final(self, event: ModelEvent) -> None:
        event.prevent_default()
        name = self._running.get(event.model)
        if name is not None:
            self._figures[name] = _number(event.metric)

    def _check(self) -> None:
        """Raise what failed in the engine's thread, where nobody would hear of it."""
        if self._broken is not None:
            raise self._broken

    def _on_training_end(self, event: ModelEvent) -> None:
        event.prevent_default()
        try:
            self._book_end(event)
        except BaseException as error:
            self._broken = error
            raise

    def _book_end(self, event: ModelEvent) -> None:
        name = self._running.get(event.model)
        if name is None:
            return
        with self._lock:
            entry = self.entries[name]
            entry.ended = True
            if event.status == ModelStatus.Trained:
                entry.score = self._figures.get(name)
            if entry.score is None:
                entry.error = self._engine.explain(event.model)
            models, entry.models = entry.models, []
        self._on_end(entry)
        for model in models:
            self._answer(model, entry)
        # A worker counts as idle only now: with one trial at a time, a strategy knows its figure when it goes on.
        del self._running[event.model]

    def _answer(self, model: ChoiceSpace, entry: Entry) -> None:
        if entry.score is None:
            self._end(model, ModelStatus.Failed)
            return
        self.dispatch_model_event(FinalMetricEvent(model, entry.score))
        self._end(model, ModelStatus.Trained)

    def _end(self, model: ChoiceSpace, status: ModelStatus) -> None:
        self.dispatch_model_event(TrainingEndEvent(model, status))


def _number(metric: float | JsonMapping) -> float:
    return float(metric["default"] if isinstance(metric, Mapping) else metric)
