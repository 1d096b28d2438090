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
        by_architecture: dict[str, dict[tuple[int, int], Training]] = defaultdict(dict)
        for each in table:
            if each.inner is None and each.error is None and each.test_uar is not None:
                by_architecture[each.architecture][each.fold, each.seed] = each
        counts: dict[tuple[int, int], int] = defaultdict(int)
        for trained in by_architecture.values():
            for key in trained:
                counts[key] += 1
        keys = sorted((key for key, count in counts.items() if count >= _SHARE * len(by_architecture)), key=_by_seed)
        whole = [each for each in by_architecture.values() if all(key in each for key in keys)]
        if len(whole) < _LEAST or len(keys) < 2:
            raise RunFolderError(
                f"the table holds {len(whole)} architectures that were trained on the same {len(keys)} folds and "
                f"seeds; a replay needs {_LEAST} on two at least: make more of it with emodarts table"
            )
        rows = [[each[key] for key in keys] for each in whole]
        return cls(
            tuple(_rebuilt(row[0], space) for row in rows),
            tuple(tuple(map(_replicate, row)) for row in rows),
            np.array([np.mean([each.test_uar or 0.0 for each in row]) for row in rows]),
            np.array([[each.cpu_seconds for each in row] for row in rows]),
            labels,
        )

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


def _by_seed(key: tuple[int, int]) -> tuple[int, int]:
    return key[1], key[0]


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
