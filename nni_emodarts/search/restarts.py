"""One-shot searches of a fold from several seeds, of which the one that is best once it is cut down is taken.

A supernet may rest on what its choices leave out. What it is worth without that tells: of two searches of one fold the
one that loses less has, more often than not, found what the other would have found with luck. Averaging over seeds is
what Heed the Noise (Dai et al. 2022, 2202.02078) finds to help every algorithm on small data.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.metrics.decision import discrete
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.run_folder import ALPHAS, ARCHITECTURE, HISTORY, METRICS, RESTART, RunFolder

SearchOnce = Callable[[FoldTask, RunFolder], object]
"""Searches in a folder of its own, or finds there what it has found; leaves its files."""


def restart_tasks(task: FoldTask) -> list[FoldTask]:
    """The searches of a search: the first has its own seed, and is what there would be without others."""
    search = task.config.search.model_copy(update={"restarts": 1})
    once = task.under(task.config.model_copy(update={"search": search}))
    drawn = np.random.SeedSequence([task.seed, task.fold.index]).generate_state(task.config.search.restarts - 1)
    return [replace(once, seed=int(seed)) for seed in (task.seed, *drawn)]


def search_restarts(task: FoldTask, folder: RunFolder, search_once: SearchOnce) -> JsonObject:
    """Search from each seed, and put the files of the one that is taken on top.

    Args:
        task: the fold, whose configuration says how many searches.
        folder: the search's; those of the single ones are `restart_0` and so on in it.
        search_once: a search from one seed.

    Returns:
        The metrics of the one that is taken, with the cost of all, and the figures of all under `restarts`.
    """
    runs = []
    for number, each in enumerate(restart_tasks(task)):
        run = folder.child(RESTART.format(number=number))
        search_once(each, run)
        runs.append(run)
    found = [run.read_json(METRICS) for run in runs]
    place = _best(found, task.headline.val)
    best = runs[place]
    for name in (ALPHAS, HISTORY):
        if best.has(name):
            folder.write_text(name, (best.path / name).read_text())
    folder.write_json(ARCHITECTURE, best.read_json(ARCHITECTURE))
    spent = {key: round(sum(each[key] for each in found), 3) for key in ("seconds", "cpu_seconds")}
    keys = ("seed", "architecture", task.headline.val, discrete(task.headline.val))
    told = [{key: each[key] for key in keys if key in each} for each in found]
    return {**found[place], "seed": task.seed, **spent, "restarts": told}


def _best(found: Sequence[JsonObject], figure: str) -> int:
    """The place of the highest figure after cutting down, or before where nothing is cut down; the first of equals."""
    cut = discrete(figure)
    return int(np.argmax([each[cut if cut in each else figure] for each in found]))
