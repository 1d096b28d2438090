"""What random search may spend: the cost of the search that it is compared with."""

from nni_emodarts.benchmark.computing import run_search
from nni_emodarts.benchmark.methods import Method
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.runtime.environment import same_speed
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.training.trainer import environment_of, pick_device


def budget_here(
    task: FoldTask, source: Method, figures: FinishedCell, folder: RunFolder, progress: Progress = silent
) -> float:
    """The budget that a finished cell's search sets: the CPU seconds that it takes on this machine.

    A CPU second of one machine is not that of another: where the cell was computed on another kind of machine, its
    search is done again here, for its cost alone.

    Args:
        task: the cell's fold and seed, under the configuration as its method uses it.
        source: the cell's method.
        figures: what the cell found.
        folder: where a search that is done again goes; where it is finished there, it is not done a third time.
        progress: called after each step of that search.
    """
    here = environment_of(pick_device(task.config.device))
    if same_speed(figures.environment, here):
        return figures.search_cpu_seconds
    _, cost = run_search(task, source, folder, progress)
    return float(round(cost["cpu_seconds"], 1))
