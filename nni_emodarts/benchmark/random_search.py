"""Random search: uniformly drawn architectures, each trained for a while, until a budget of CPU seconds is used up."""

from nni_emodarts.benchmark.methods import RANDOM_SEARCH
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import DivergenceError
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.space.draws import draw_architectures
from nni_emodarts.runtime.environment import Stopwatch
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import ARCHITECTURE, CANDIDATE_FOLDERS, ENVIRONMENT, METRICS, RunFolder
from nni_emodarts.search.multi_trial.evaluation import evaluate_candidate
from nni_emodarts.training.trainer import environment_of, pick_device

_STREAM = 1
"""Sets its draws apart from those of random sampling, so that the two say different things."""


def search_at_random(task: FoldTask, budget: float, folder: RunFolder, progress: Progress = silent) -> Architecture:
    """Train random architectures on a fold's training part and take the best on validation (Li & Talwalkar 2019).

    Each is trained by the retrain recipe as a supernet is: for `search.epochs`, at `search.coarseness`, so that a
    budget of one supernet is enough for several candidates. Another one is begun as long as the budget is not
    used up, so that random search spends at least what it is given, and there is always one. The test part is never
    read. Candidates whose figures are in the folder are not trained again. One that diverges is counted, and what it
    took is spent.

    Args:
        task: the fold to search on; its seed is that of each training and, with the fold's number, of the draws.
        budget: CPU seconds.
        folder: where the run's files go.
        progress: called with the CPU seconds that are spent.

    Returns:
        The architecture, also written to the folder.

    Raises:
        DivergenceError: all candidates diverged.
    """
    config, corpus, fold, figure = task.config, task.corpus, task.fold, task.headline.val
    origin = task.origin(strategy=RANDOM_SEARCH, options={"budget_cpu_seconds": budget})
    draws = draw_architectures(
        config.space, corpus.num_outputs, corpus.shapes, [task.seed, fold.index, _STREAM], origin
    )
    coarse, epochs = task.coarser(), config.search.epochs
    found: list[tuple[Architecture, JsonObject]] = []
    failures: list[DivergenceError] = []
    seconds, spent, aim = 0.0, 0.0, max(round(budget), 1)
    progress("random search, CPU seconds", 0, aim)
    for architecture in draws:
        candidate = folder.child(CANDIDATE_FOLDERS, architecture.id)
        watch = Stopwatch()
        shown: dict[str, float] = {}
        try:
            figures = evaluate_candidate(coarse, architecture, candidate, epochs)
            found.append((architecture, figures))
            shown[figure] = figures[figure]
        except DivergenceError as error:
            failures.append(error)
            figures = watch.read()
        seconds, spent = seconds + figures["seconds"], spent + figures["cpu_seconds"]
        progress("random search, CPU seconds", min(round(spent), aim), aim, **shown)
        if spent >= budget:
            break
    if not found:
        raise DivergenceError(f"all {len(failures)} candidates of the random search diverged; the last: {failures[-1]}")
    best, figures = max(found, key=lambda each: each[1][figure])  # between equals the earlier one
    folder.write_json(ENVIRONMENT, environment_of(pick_device(config.device)))
    folder.write_json(ARCHITECTURE, best.to_dict())
    metrics = {
        figure: figures[figure],
        "architecture": best.id,
        "fold": fold.index,
        "seed": task.seed,
        "candidates": len(found) + len(failures),
        "failed": len(failures),
        "epochs": epochs,
        "budget_cpu_seconds": budget,
        "seconds": round(seconds, 3),
        "cpu_seconds": round(spent, 3),
        **config.tracks,
    }
    folder.write_json(METRICS, metrics)
    return best
