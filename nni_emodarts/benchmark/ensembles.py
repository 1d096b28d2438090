"""What a cell measures of a search besides the architecture that it took: its ensemble, and who learnt from that."""

from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.progress import Progress
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.ensemble.candidates import read_pools
from nni_emodarts.search.ensemble.fold import distil_fold, ensemble_fold

Designs = tuple[Architecture, ...]
"""What the networks of a cell are built from."""


def answering_together(task: FoldTask, searched: RunFolder, folder: RunFolder, progress: Progress) -> Designs:
    """Candidates of a search that answer together.

    Args:
        task: the fold and the seed.
        searched: folder of the search.
        folder: where the cell's files go.
        progress: called after each step.
    """
    (pool,) = read_pools([searched])
    members = ensemble_fold(task, pool, folder, progress)["members"]
    known = {each.architecture.id: each.architecture for each in pool.candidates}
    return tuple(known[name] for name in members)


def distilled(task: FoldTask, searched: RunFolder, folder: RunFolder, progress: Progress) -> Designs:
    """One network, of the architecture that the search took, that learns from its ensemble; arguments as above."""
    (pool,) = read_pools([searched])
    distil_fold(task, pool, folder, progress)
    return (pool.chosen,)
