"""Single paths of a trained supernet: which are one network, which is the best."""

from collections.abc import Callable, Iterator, Mapping

from nni_emodarts.models.architecture import Sample
from nni_emodarts.search.one_shot.contract import Evaluate

_PATIENCE = 50  # draws for each path that is wanted, after which a space is taken to hold no further one


def distinct(draw: Callable[[], Sample], count: int) -> Iterator[Sample]:
    """Draws that stand for different networks; fewer than `count` where the space holds no more."""
    seen: set[tuple[object, ...]] = set()
    for _ in range(_PATIENCE * count):
        if len(seen) == count:
            return
        sample = draw()
        key = _network(sample)
        if key not in seen:
            seen.add(key)
            yield sample


def best_path(samples: Iterator[Sample], take: Callable[[Sample], None], evaluate: Evaluate) -> Sample:
    """The sample with the best figure; of equal ones the first.

    Args:
        samples: choices by label.
        take: sets the supernet to a sample.
        evaluate: the validation figure of the supernet as it stands.
    """

    def figure(sample: Sample) -> float:
        take(sample)
        return evaluate()

    return max(samples, key=figure)


def _network(sample: Mapping[str, object]) -> tuple[object, ...]:
    """What tells networks apart: the choices, without those of edges that no node takes."""
    unused = {
        f"{label}_{state}"
        for label, chosen in sample.items()
        if isinstance(chosen, list)
        for state in range(_edges(label, sample))
        if state not in chosen
    }
    return tuple((label, str(choice)) for label, choice in sorted(sample.items()) if label not in unused)


def _edges(node: str, sample: Mapping[str, object]) -> int:
    """Number of a node's edges that have a choice."""
    state = 0
    while f"{node}_{state}" in sample:
        state += 1
    return state
