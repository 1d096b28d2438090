"""The joint space as NNI's multi-trial strategies take it: flat choices, no network."""

import copy
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

from nni_emodarts.config import InputShape, SpaceConfig
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.flat_space import architecture_at, count_architectures, flat_choices, flat_sample
from nni_emodarts.nni_bridge.nas import Categorical, ExecutableModelSpace, ModelStatus
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject

_SHUFFLED_WHOLE = 100_000  # architectures up to which their order is drawn at once


class ChoiceSpace(ExecutableModelSpace):  # type: ignore[misc]
    """The space that a strategy draws candidates from, and, frozen, a candidate.

    Of a candidate `replicates` says how many trainings its figure is to be made of, where that is not the same for all.

    It stands in for NNI's SimplifiedModelSpace of an EmoDartsSpace, with which

    - TPE fails (`as_legacy_dict` of a choice of two inputs is not implemented) and PolicyBasedRL raises ValueError:
      here two inputs are one categorical choice such as `0+2`;
    - `none` is drawn, which no derived network may hold: here it is no choice;
    - GridSearch counts networks as different that differ only in edges that no node takes, and shuffles no more than
      each hundred of them, which all share nearly every choice: here `grid` passes over networks, in an order drawn
      over the whole space.
    """

    def __init__(
        self, space: SpaceConfig, num_classes: int, input_shape: InputShape, shuffle_seed: int | None = None
    ) -> None:
        """Describe the space.

        Args:
            space: the joint space.
            num_classes: number of classes K.
            input_shape: of the maps.
            shuffle_seed: seed of the order of `grid`; in the space's own order where absent.
        """
        super().__init__()
        self.evaluator = None
        self.sample: JsonObject | None = None
        self.replicates: int | None = None
        self._architecture: Architecture | None = None
        self._space = space
        self._shape = num_classes, input_shape
        self._shuffle_seed = shuffle_seed
        self._choices = {label: Categorical(list(values), label=label) for label, values in flat_choices(space).items()}

    @property
    def space(self) -> SpaceConfig:
        """The joint space."""
        return self._space

    @property
    def architecture(self) -> Architecture:
        """The candidate's architecture."""
        if self._architecture is None:
            self._architecture = Architecture.from_choices(self._space, self.sample or {}, *self._shape)
        return self._architecture

    def leaf_mutables(self, is_leaf: Callable[[Any], bool]) -> Iterable[Any]:
        """Every choice; NNI calls this."""
        yield from self._choices.values()

    def check_contains(self, sample: JsonMapping) -> Any:
        """What is wrong with a sample, if anything; NNI calls this."""
        faults = (choice.check_contains(sample) for choice in self._choices.values())
        return next((fault for fault in faults if fault is not None), None)

    def freeze(self, sample: JsonMapping) -> Self:
        """The candidate that a sample stands for; NNI calls this."""
        self.validate(sample)
        candidate = copy.copy(self)
        ExecutableModelSpace.__init__(candidate, ModelStatus.Frozen)
        candidate.sample, candidate._architecture = dict(sample), None
        return candidate

    def candidate(self, architecture: Architecture, replicates: int) -> Self:
        """The candidate that an architecture is, to be trained on so many replicates."""
        rest = {label: choice.values[0] for label, choice in self._choices.items()}  # of edges that no node takes
        candidate = self.freeze({**rest, **flat_sample(architecture)})
        candidate.replicates = replicates
        return candidate

    def grid(self, memo: JsonObject | None = None, granularity: int | None = None) -> Iterable[Self]:
        """Every architecture once; NNI calls this."""
        for index in _order(count_architectures(self._space), self._shuffle_seed):
            yield self.freeze(architecture_at(self._space, index))


def _order(count: int, seed: int | None) -> Iterator[int]:
    """Numbers below `count`, each once: in order, or drawn uniformly."""
    if seed is None:
        yield from range(count)
        return
    generator = random.Random(seed)  # noqa: S311 - no secret
    if count <= _SHUFFLED_WHOLE:
        yield from generator.sample(range(count), count)
        return
    seen: set[int] = set()
    while len(seen) < count:
        index = generator.randrange(count)
        if index not in seen:
            seen.add(index)
            yield index
