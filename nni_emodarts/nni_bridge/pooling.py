"""What the trials of an experiment found, pooled."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from nni_emodarts.errors import ExperimentError
from nni_emodarts.nni_bridge.candidates import candidates_of
from nni_emodarts.runtime.digests import read_predictions, read_undecided
from nni_emodarts.runtime.experiment_folder import find_experiment
from nni_emodarts.runtime.layout import finished_runs
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.run_folder import METRICS, PREDICTIONS, SKIPPED, RunFolder, refuse_different_corpora


def trial_folders(name: str | Path) -> list[Path]:
    """Folders of the trials of an experiment id, an experiment's folder, or a run folder.

    Raises:
        ExperimentError: there are none.
    """
    path = Path(name)
    experiment = None if path.exists() else find_experiment(str(name))
    found = [run.path for run in finished_runs(experiment or path)]
    if found:
        return found
    if experiment is None:
        raise ExperimentError(f"{name}: no finished trial there; name an NNI experiment's id or a folder of runs")
    raise ExperimentError(f"experiment {name} {_why_empty(experiment)}")


def _why_empty(experiment: Path) -> str:
    candidates = candidates_of(experiment)
    if candidates is None:
        return f"in {experiment} has no finished trial yet"
    return f"trained the candidates of a search, which have no test figures; the search is in {candidates.parent}"


def pool_trials(folders: Sequence[Path]) -> JsonObject:
    """Pool the test predictions of trials, one a fold and seed.

    Raises:
        ExperimentError: no trial has test predictions, two have the same fold and seed, they skipped different
            recordings, or are of two tracks.
        RunFolderError: they are of several corpora or protocols.
    """
    from nni_emodarts.metrics.distributions import table_figures
    from nni_emodarts.metrics.enrolment import enrolment_figures
    from nni_emodarts.metrics.pooled import pooled_figures
    from nni_emodarts.metrics.scores import pool
    from nni_emodarts.metrics.tracks import tracks_of

    scored = _scored(folders)
    if not scored:
        raise ExperimentError(
            "no trial has test predictions; trials whose architecture a tuner chose are chosen by validation alone: "
            "retrain the best one with emodarts retrain"
        )
    figures = [run.read_json(METRICS) for run in scored]
    _refuse_different_skips(scored)
    refuse_different_corpora("these trials", scored)
    try:
        table, classes = pool(map(read_predictions, scored)), figures[0]["classes"]
        undecided = [*map(read_undecided, scored)]
        pooled = {**pooled_figures(table, classes, undecided), **tracks_of(figures)}
        pooled |= {
            **enrolment_figures(table, classes),
            **table_figures([table, *undecided], classes),
        }
    except ValueError as error:
        raise ExperimentError(f"these trials cannot be pooled: {error}") from None
    overlap = sorted({speaker for each in figures for speaker in each.get("overlap", ())})
    return {**pooled, **({"overlap": overlap} if overlap else {})}


def absent_points(folders: Iterable[Path], wanted: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Folds and seeds that `pool_trials` of these folders lacks.

    Args:
        folders: of trials.
        wanted: folds and seeds.
    """
    figures = [run.read_json(METRICS) for run in _scored(folders)]
    there = {(each["fold"], each["seed"]) for each in figures}
    return [point for point in wanted if point not in there]


def _scored(folders: Iterable[Path]) -> list[RunFolder]:
    runs = [RunFolder(folder) for folder in folders]
    return [run for run in runs if run.has(PREDICTIONS) and run.holds_network()]


def _refuse_different_skips(scored: Sequence[RunFolder]) -> None:
    skipped = [frozenset(run.read_csv(SKIPPED)["file"]) if run.has(SKIPPED) else frozenset() for run in scored]
    if len(set(skipped)) > 1:
        odd = sorted(frozenset.union(*skipped) - frozenset.intersection(*skipped))
        raise ExperimentError(
            f"not all trials skipped {odd[0]} ({SKIPPED} in their folders), so that their folds differ; run them again "
            "now that the recordings stay as they are"
        )
