"""A run: an architecture over folds and seeds, pooled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nni_emodarts.config import (
    ExperimentConfig,
    check_retraining_together,
    is_further_machine,
    refuse_other_settings,
)
from nni_emodarts.data.ccc_utterances import few_utterances
from nni_emodarts.data.corpus import load_corpus, load_manifest
from nni_emodarts.data.extraction import extract_in_jobs, heard_in_jobs
from nni_emodarts.data.fold_choice import FoldChoice
from nni_emodarts.data.fold_task import FoldTask, fold_tasks
from nni_emodarts.data.front_ends.pinning import pinned
from nni_emodarts.data.other_corpora import Terms
from nni_emodarts.data.overlap import changed_since, refuse_overlap, unheard
from nni_emodarts.data.protocols import make_folds
from nni_emodarts.data.speaker_overlap import settle_overlap
from nni_emodarts.data.unfit import checked_folds
from nni_emodarts.errors import RunFolderError
from nni_emodarts.launching import LAUNCHED, Launch, Launcher
from nni_emodarts.metrics.distributions import table_figures
from nni_emodarts.metrics.enrolment import enrolment_figures
from nni_emodarts.metrics.headline import validation_keys
from nni_emodarts.metrics.pooled import pooled_figures
from nni_emodarts.metrics.scores import pool as pool_predictions
from nni_emodarts.metrics.tracks import tracks_of
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.digests import digests_of, read_predictions, read_undecided
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import (
    ARCHITECTURE,
    CONFIG,
    FINAL,
    METRICS,
    MODEL_CARD,
    PREDICTIONS,
    RETRAINING,
    UNDECIDED,
    RunFolder,
)
from nni_emodarts.training.parallel.machines import check_meeting, first_machine
from nni_emodarts.training.parallel.start import check_devices
from nni_emodarts.training.retrain.designs import settle_space
from nni_emodarts.training.retrain.elsewhere import Asked, Elsewhere, pool_elsewhere
from nni_emodarts.training.retrain.final import renew_estimate
from nni_emodarts.training.retrain.further import take_part_in_retraining
from nni_emodarts.training.retrain.launched import InJobs, InProcess
from nni_emodarts.training.trainer import pick_device

_OTHERS_THAN_SEARCHED = (
    "recordings were replaced, mended or skipped since the architecture was searched: its networks learn from others "
    "than its search saw"
)


@dataclass(frozen=True)
class Retrained:
    """What a retraining left.

    Attributes:
        pooled: figures of the test predictions, pooled over the folds, as in the folder's metrics.json.
        skipped: number of recordings that it went without.
        described: whether the folder holds a network to ship whose card was asked for, now or earlier.
    """

    pooled: JsonObject
    skipped: int
    described: bool


def run_retrain(
    config: ExperimentConfig,
    architecture: Architecture,
    out: str | Path,
    *,
    folds: FoldChoice | None = None,
    seeds: Sequence[int] = (1,),
    final: bool = False,
    same_space: bool = False,
    only_unheard: bool = False,
    allow_overlap: bool = False,
    asked: Asked = Asked(),  # noqa: B008 - it does not change
    searched_on: JsonMapping | None = None,
    resume: bool = False,
    overwrite: bool = False,
    launch: Launch | None = None,
    progress: Progress = silent,
    note: Callable[[str], None] = lambda text: None,
) -> Retrained:
    """Retrain an architecture over folds and seeds of the corpus that a configuration names.

    Args:
        config: the whole configuration; its space gives way to the architecture's.
        architecture: what to train.
        out: the output folder; empty or absent, unless the run in it goes on or is replaced.
        folds: folds of the configuration's protocol; all of them where absent.
        seeds: seeds of each fold.
        final: as for `retrain`.
        same_space: refuse a configuration of another space instead.
        only_unheard: leave out the folds whose test speakers the search saw, where any other is left.
        allow_overlap: as for `retrain`.
        asked: corpora that each network is scored on besides.
        searched_on: what the search's folder says of its corpus (`corpus.json`), where it is known.
        resume: go on with the run in the folder.
        overwrite: replace the run in the folder.
        launch: jobs that extract features and train networks; this process where absent.
        progress: called after each step of a long job.
        note: called with what a person should know before networks are trained.

    Raises:
        EmodartsError: as for `settle_space`, `load_corpus` and `retrain`; or the folder is taken.
    """
    check_retraining_together(config, in_jobs=launch is not None)
    config = settle_space(pinned(config, architecture.heard), architecture, explicit=same_space)
    if is_further_machine(config):
        return _further(config, architecture, out, progress)
    manifest = load_manifest(config)
    for each in manifest.notes:
        note(each)
    config = settle_overlap(config, manifest)
    for each in few_utterances(config, manifest, checked_folds(config, manifest, folds)):  # before recordings are read
        note(each)
    RunFolder.check(out, resume, overwrite)
    check_meeting(config)
    extract_in_jobs(config, manifest, launch, progress, note, heard=architecture.heard)
    corpus = load_corpus(heard_in_jobs(config, launch), manifest, progress, architecture.heard)
    if changed_since(architecture.origin, searched_on or {}, corpus):
        note(_OTHERS_THAN_SEARCHED)
    wanted = [fold.index for fold in make_folds(corpus.manifest, corpus.protocol, folds)]
    if only_unheard:
        wanted = _unheard(wanted, unheard(architecture.origin, corpus, wanted), note)
    elsewhere = asked.load(config, Terms.of(corpus.manifest), progress, note, launch)
    tasks = fold_tasks(config, corpus, wanted, seeds)
    again = "the same command with --resume"
    launcher = None if launch is None else Launcher(launch, Path(out) / LAUNCHED, note, again)
    if launcher is not None:
        launcher.settle()
    folder = RunFolder.claim(out, resume, overwrite)
    with first_machine(config):
        pooled = retrain(
            tasks, architecture, folder,
            final=final, allow_overlap=allow_overlap, elsewhere=elsewhere, launcher=launcher, progress=progress,
        )  # fmt: skip
    return Retrained(pooled, len(corpus.skipped), final or folder.has(f"{FINAL}/{MODEL_CARD}"))


def _further(config: ExperimentConfig, architecture: Architecture, out: str | Path, progress: Progress) -> Retrained:
    """What was left, on a machine that took part."""
    skipped = take_part_in_retraining(config, architecture, progress)
    return Retrained(RunFolder(out).read_json(METRICS), skipped, described=False)


def _unheard(folds: list[int], unheard: list[int], note: Callable[[str], None]) -> list[int]:
    """The folds to score on; where none is left all are tried, and refused by name."""
    if not unheard or unheard == folds:
        return folds
    note(
        f"fold{'s' if len(unheard) > 1 else ''} {', '.join(map(str, unheard))} of {len(folds)}: the architecture's "
        f"search heard test speakers of the others"
    )
    return unheard


def retrain(
    tasks: Sequence[FoldTask],
    architecture: Architecture,
    folder: RunFolder,
    *,
    final: bool = False,
    allow_overlap: bool = False,
    elsewhere: Elsewhere = Elsewhere(),  # noqa: B008 - it does not change
    launcher: Launcher | None = None,
    progress: Progress = silent,
) -> JsonObject:
    """Retrain an architecture over folds and seeds, and pool the test predictions.

    Finished folds and seeds in the folder are kept, so that a run that was cut off goes on where it stopped, and later
    calls add seeds or folds: all of them are pooled as soon as each seed has the same folds.

    Args:
        tasks: each fold with each seed, of one corpus under one configuration, as `fold_tasks` gives them.
        architecture: what to train.
        folder: where the run's files go.
        final: also train the network to ship: on all speakers, for the median of the folds' best epochs.
        allow_overlap: score on speakers that the search saw, and mark the figures.
        elsewhere: corpora that each network is scored on besides.
        launcher: the jobs that train the networks; this process where absent.
        progress: called after each epoch.

    Returns:
        The pooled figures, as in the folder's metrics.json.

    Raises:
        LaunchError: jobs did not do all of their share; what is finished stays.
        OverlapError: the search saw test speakers, and `allow_overlap` is not set.
        RunFolderError: the folder holds a run of other settings, or of other recordings, or another process writes to
            it.
    """
    first = tasks[0]
    if not allow_overlap:
        refuse_overlap({task.fold.index: task.overlap(architecture.origin) for task in tasks})
        elsewhere.refuse_shared(tasks, architecture.origin)
    how: InProcess | InJobs
    if launcher is None:
        # what is not there is refused while an earlier run is still there
        pick_device(first.config.device)
        check_devices(first.config)
        how = InProcess(architecture, elsewhere, progress)
    else:
        how = InJobs(architecture, elsewhere, progress, launcher)
    with folder.held():
        return _retrain(tasks, folder, how, final)


def _retrain(tasks: Sequence[FoldTask], folder: RunFolder, how: InProcess | InJobs, final: bool) -> JsonObject:
    """Train what is missing and pool all of it, as the one writer of the folder."""
    first, elsewhere = tasks[0], how.elsewhere
    folder.begin(RETRAINING)
    first.note_corpus(folder)  # first, since it is the sign of a run
    start_run(folder, first.config, how.architecture)
    wanted = [task for task in tasks if not _cell(folder, task).has(METRICS)]
    elsewhere.refuse_without([cell for task in tasks if (cell := _cell(folder, task)).has(METRICS)])
    elsewhere.refuse_other_scales([folder.cell(*key) for key in folder.cells(METRICS)])
    how.train(wanted, folder)
    cells = _together(folder, tasks)
    pooled = pool(folder, cells)
    if folder.has(f"{FINAL}/{METRICS}"):
        renew_estimate(folder)
    elif final:
        seed = cells[0].read_json(METRICS)["seed"]
        how.train_final(FoldTask.of_all(first.config, first.corpus, seed), folder, cells)
    return pooled


def _cell(folder: RunFolder, task: FoldTask) -> RunFolder:
    return folder.cell(task.fold.index, task.seed)


def _together(folder: RunFolder, tasks: Sequence[FoldTask]) -> list[RunFolder]:
    """Folders to pool: with those that earlier calls left, where all folds and seeds are complete together."""
    there = folder.cells(METRICS)
    folds, seeds = sorted({fold for fold, _ in there}), sorted({seed for _, seed in there})
    everything = [(fold, seed) for fold in folds for seed in seeds]
    if set(there) == set(everything):
        return [folder.cell(*each) for each in everything]
    return [_cell(folder, task) for task in tasks]


def start_run(folder: RunFolder, config: ExperimentConfig, architecture: Architecture) -> None:
    """Note the settings of a run, or check that a run that goes on has the same.

    Raises:
        RunFolderError: they differ.
    """
    if folder.has(ARCHITECTURE) and folder.has(CONFIG):
        if Architecture.load(folder.path / ARCHITECTURE).id != architecture.id:
            raise RunFolderError(f"output folder {folder.path} holds a run of another architecture; {folder.remedy}")
        refuse_other_settings(folder, config)
    folder.write_text(CONFIG, config.to_yaml())
    folder.write_json(ARCHITECTURE, architecture.to_dict())


def pool(folder: RunFolder, cells: Sequence[RunFolder]) -> JsonObject:
    """Pool the test predictions of a run's folds and seeds, and write the table and its figures on top."""
    figures = [cell.read_json(METRICS) for cell in cells]
    table, undecided = pool_predictions(map(read_predictions, cells)), [*map(read_undecided, cells)]
    pooled: JsonObject = pooled_figures(table, figures[0]["classes"], undecided)
    for key in validation_keys(figures):
        validated = [each[key] for each in figures if each[key] is not None]
        pooled[key] = float(np.mean(validated)) if len(validated) == len(figures) else None
    pooled["parameters"] = figures[0]["parameters"]
    pooled |= {**tracks_of(figures), **enrolment_figures(table, figures[0]["classes"])}
    pooled |= table_figures([table, *undecided], figures[0]["classes"])
    for key in ("seconds", "cpu_seconds"):
        pooled[key] = sum(each[key] for each in figures)
    overlap = sorted({speaker for each in figures for speaker in each.get("overlap", ())})
    if overlap:
        pooled["overlap"] = overlap
    pooled |= pool_elsewhere(folder, cells, figures[0]["classes"])
    folder.write_csv(PREDICTIONS, table)
    if there := [each for each in undecided if each is not None]:
        folder.write_csv(UNDECIDED, pool_predictions(there))
    folder.write_json(METRICS, {**pooled, **digests_of(folder, [PREDICTIONS, UNDECIDED])})
    return pooled
