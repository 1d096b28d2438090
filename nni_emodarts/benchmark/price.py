"""What random search may spend: the cost of the search that it is compared with."""

from collections.abc import Mapping
from typing import Any

from nni_emodarts.benchmark.cells import Cell, settled
from nni_emodarts.benchmark.computing import run_search
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.runtime.environment import same_speed
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.training.trainer import environment_of, pick_device


def price_here(
    config: ExperimentConfig,
    corpus: Corpus,
    payer: Cell,
    figures: Mapping[str, Any],
    folder: RunFolder,
    progress: Progress = silent,
) -> float:
    """CPU seconds that a finished cell's search takes on this machine.

    A CPU second of one machine is not that of another: where the cell was computed on another kind of machine, its
    search is done again here, for its cost alone.

    Args:
        config: the whole configuration.
        corpus: manifest and features.
        payer: the cell.
        figures: what it found.
        folder: where a search that is done again goes; where it is finished there, it is not done a third time.
        progress: told of that search.
    """
    here = environment_of(pick_device(config.device))
    if same_speed(figures["environment"], here):
        return float(figures["search_cpu_seconds"])
    fold = corpus.fold(payer.fold)
    _, cost = run_search(settled(config, payer.method), corpus, payer, fold, folder, progress)
    return float(round(cost["cpu_seconds"], 1))
