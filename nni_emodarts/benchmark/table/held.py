"""What a table knows of its architectures, as a search comes to know it: figures by replicate, costs, the truth."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from nni_emodarts.benchmark.table.records import Table, Training
from nni_emodarts.config import SpaceConfig
from nni_emodarts.config.estimate import EstimateConfig
from nni_emodarts.errors import ArchitectureError, RunFolderError
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.search.multi_trial.replicates import Estimate, Replicate, estimate

_SHARE = 0.5
"""Of the architectures that a fold and seed must have been trained of to count as a replicate."""
_LEAST = 4


@dataclass(frozen=True, eq=False)
class Held:
    """Architectures that were trained on all of the same replicates.

    Attributes:
        architectures: by number.
        replicates: (n, R) each training as a search keeps it; a replicate is a fold and a seed of the table.
        truth: (n,) test UAR, averaged over folds and seeds.
        seconds: (n, R) CPU seconds of each training.
        labels: numbers of the classes of the manifest's rows; None where they are not known, and UAR is all there is.
    """

    architectures: tuple[Architecture, ...]
    replicates: tuple[tuple[Replicate, ...], ...]
    truth: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64] | None = None

    @classmethod
    def of(cls, table: Table, space: SpaceConfig, labels: npt.NDArray[np.int64] | None = None) -> "Held":
        """What a table knows by its folds' own validation parts.

        Its replicates are the folds and seeds that at least half of the architectures were trained on; the
        architectures are those that were trained on all of them. What diverged on one of them is left out.

        Args:
            table: the table; lines of inner splits, which have no test figures, are not read.
            space: the space that it was drawn from.
            labels: numbers of the classes of the manifest's rows, where they are known.

        Raises:
            RunFolderError: it is of another space, or holds too little.
        """
        tested = [each for each in table if each.inner is None and each.error is None and each.test_uar is not None]
        keys, rows = _on_the_same(tested)
        if len(rows) < _LEAST or len(keys) < 2:
            raise RunFolderError(
                f"the table holds {len(rows)} architectures that were trained on the same {len(keys)} folds and "
                f"seeds; a replay needs {_LEAST} on two at least: make more of it with emodarts table"
            )
        return cls(*_known(rows, space), _truth(rows), _seconds(rows), labels)

    @classmethod
    def nested(
        cls, table: Table, space: SpaceConfig, labels: npt.NDArray[np.int64] | None = None
    ) -> tuple["Held", ...]:
        """What a table knows of its folds as searches inside them come to know them, an entry for each fold.

        Replicates are inner splits of a fold's training speakers, and seeds; the truth is the test UAR of that fold,
        averaged over seeds. Folds of which too few architectures were trained so are left out.

        Args: as for `of`.
        """
        found = []
        for fold in sorted({each.fold for each in table if each.inner is not None}):
            own = [each for each in table if each.fold == fold and each.error is None]
            tested: dict[str, list[Training]] = defaultdict(list)
            for each in own:
                if each.inner is None and each.test_uar is not None:
                    tested[each.architecture].append(each)
            keys, rows = _on_the_same([each for each in own if each.inner is not None and each.architecture in tested])
            if len(rows) >= _LEAST and len(keys) >= 2:
                truth = _truth([tested[row[0].architecture] for row in rows])
                found.append(cls(*_known(rows, space), truth, _seconds(rows), labels))
        return tuple(found)

    def __len__(self) -> int:
        return len(self.architectures)

    @property
    def count(self) -> int:
        """Replicates R."""
        return len(self.replicates[0])

    @property
    def figures(self) -> npt.NDArray[np.float64]:
        """(n, R) validation UAR."""
        return np.array([[each.val_uar for each in row] for row in self.replicates])

    def estimate(self, number: int, chosen: Sequence[int], how: EstimateConfig) -> Estimate:
        """What a search would make of some replicates of an architecture.

        Args:
            number: of the architecture.
            chosen: numbers of the replicates.
            how: which figure.
        """
        key = number, tuple(chosen), how.figure
        if key not in self._estimates:
            labels = np.empty(0, dtype=np.int64) if self.labels is None else self.labels
            self._estimates[key] = estimate([self.replicates[number][each] for each in chosen], labels, how)
        return self._estimates[key]

    @cached_property
    def _estimates(self) -> dict[tuple[int, tuple[int, ...], str], Estimate]:
        return {}


_Key = tuple[int, int, int]
"""What stands for a replicate: seed, fold, inner split."""


def _on_the_same(trainings: Sequence[Training]) -> tuple[list[_Key], list[list[Training]]]:
    """Replicates that at least half of the architectures have, in order, and their trainings of those that have all."""
    by_architecture: dict[str, dict[_Key, Training]] = defaultdict(dict)
    counts: dict[_Key, int] = defaultdict(int)
    for each in trainings:
        key = each.seed, each.fold, each.inner or 0
        by_architecture[each.architecture][key] = each
        counts[key] += 1
    keys = sorted(key for key, count in counts.items() if count >= _SHARE * len(by_architecture))
    whole = [each for each in by_architecture.values() if all(key in each for key in keys)]
    return keys, [[each[key] for key in keys] for each in whole]


def _known(
    rows: Sequence[Sequence[Training]], space: SpaceConfig
) -> tuple[tuple[Architecture, ...], tuple[tuple[Replicate, ...], ...]]:
    """Architectures, and the trainings of each as a search keeps them."""
    return tuple(_rebuilt(row[0], space) for row in rows), tuple(tuple(map(_replicate, row)) for row in rows)


def _truth(rows: Sequence[Sequence[Training]]) -> npt.NDArray[np.float64]:
    return np.array([np.mean([each.test_uar or 0.0 for each in row]) for row in rows])


def _seconds(rows: Sequence[Sequence[Training]]) -> npt.NDArray[np.float64]:
    return np.array([[each.cpu_seconds for each in row] for row in rows])


def _replicate(training: Training) -> Replicate:
    return Replicate(
        seed=training.seed,
        val_uar=training.kept or 0.0,
        best_epoch=training.best_epoch or 0,
        rows=training.rows or "",
        logits=training.logits or "",
        parameters=training.parameters,
        seconds=training.seconds,
        cpu_seconds=training.cpu_seconds,
    )


def _rebuilt(training: Training, space: SpaceConfig) -> Architecture:
    try:
        made = Architecture.from_choices(space, training.choices, 2, (1, 1))
    except ArchitectureError as error:
        reason = str(error)
    else:
        if made.id == training.architecture:
            return made
        reason = f"its choices are {made.id} in this space"
    raise RunFolderError(
        f"the table's architecture {training.architecture} is none of the space ({reason}); name the preset or "
        f"configuration that the table was made with"
    )
