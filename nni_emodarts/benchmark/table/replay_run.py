"""A replay from a table's file to its figures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nni_emodarts.benchmark.table.held import Held
from nni_emodarts.benchmark.table.records import Table, read_table
from nni_emodarts.benchmark.table.replay import Grounds, Replayed, replay
from nni_emodarts.benchmark.table.surrogate import Surrogate
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import load_manifest
from nni_emodarts.data.front_ends.pinning import with_levels
from nni_emodarts.errors import RunFolderError
from nni_emodarts.metrics.logits import decode_logits, decode_rows
from nni_emodarts.metrics.scores import uar
from nni_emodarts.runtime.progress import Progress, silent

_ROUNDING = 1e-4
"""Of a validation UAR in a table."""


def replay_table(
    file: Path,
    config: ExperimentConfig,
    *,
    budgets: Sequence[int] = (24, 48, 96),
    searches: int = 200,
    proposing: bool = True,
    progress: Progress = silent,
) -> Replayed:
    """Replay searches on a table.

    Args:
        file: the table.
        config: what it was made with. Where it names the manifest, losses at a temperature are replayed as well, for
            which the true classes must be known.
        budgets: in trainings of a search.
        searches: of each way to search.
        proposing: also replay strategies that propose, on a surrogate.
        progress: called after each way.

    Raises:
        RunFolderError: there is no such table, it holds too little, or it is of another space or manifest.
    """
    table, config = read_table(file), with_levels(config)
    labels = None if config.data.manifest is None else _labels(table, config)
    held = Held.of(table, config.space, labels)
    surrogate = Surrogate(held, config.space) if proposing else None
    grounds = Grounds(held, Held.nested(table, config.space, labels), surrogate)
    return replay(grounds, budgets, searches, progress)


def _labels(table: Table, config: ExperimentConfig) -> npt.NDArray[np.int64]:
    """Numbers of the classes of the manifest's rows, checked by a figure of the table."""
    manifest = load_manifest(config)
    known = next((each for each in table if each.rows and each.logits), None)
    if known is not None and known.rows and known.logits:
        rows, answers = decode_rows(known.rows), decode_logits(known.logits)
        fits = rows.max() < len(manifest) and answers.shape[1] == len(manifest.classes)
        figure = uar(manifest.labels[rows], answers.argmax(1), answers.shape[1]) if fits else -1.0
        if abs(figure - (known.kept or 0.0)) > _ROUNDING:
            raise RunFolderError(
                f"manifest {config.data.manifest} is not the one of the table: by its classes the validation UAR of "
                f"{known.key} is another; name the table's manifest and emotions, or none"
            )
    return manifest.labels
