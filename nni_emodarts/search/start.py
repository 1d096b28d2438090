"""A search from its configuration to its output folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nni_emodarts.config import ExperimentConfig, check_search_together, is_further_machine, refuse_other_settings
from nni_emodarts.data.ccc_utterances import few_utterances
from nni_emodarts.data.corpus import load_corpus, load_manifest
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.front_ends.pinning import pinned
from nni_emodarts.data.speaker_overlap import settle_overlap
from nni_emodarts.data.unfit import checked_folds
from nni_emodarts.metrics.decision import warn_undecided
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.plain_data import JsonMapping
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import (
    ARCHITECTURE,
    CANDIDATE_FOLDERS,
    CHECKPOINT,
    CORPUS,
    METRICS,
    RunFolder,
    refuse_other,
)


@dataclass(frozen=True)
class Searched:
    """What a search found.

    Attributes:
        architecture: the architecture.
        metrics: what the folder's metrics.json holds.
        skipped: number of recordings that it went without.
        earlier: whether it had finished earlier, so that nothing was computed.
    """

    architecture: Architecture
    metrics: JsonMapping
    skipped: int = 0
    earlier: bool = False


def run_search(
    config: ExperimentConfig,
    out: str | Path,
    *,
    fold: int = 0,
    seed: int = 1,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
    note: Callable[[str], None] = lambda text: None,
) -> Searched:
    """Search an architecture on the training speakers of a fold.

    Args:
        config: the whole configuration.
        out: the output folder; empty or absent, unless the search in it goes on or is replaced.
        fold: number of the fold.
        seed: seed of everything random.
        resume: go on with the search in the folder.
        overwrite: replace the run in the folder.
        progress: called after each step of a long job.
        note: called with what a person should know of the manifest before the search begins, and of a search that
            has not decided.

    Raises:
        EmodartsError: as for `load_corpus` and `nni_emodarts.search.run.search`; or the folder is taken.
    """
    check_search_together(config)
    if is_further_machine(config):
        return _further(config, Path(out), fold, seed, progress)
    config = pinned(config)
    folder, manifest = RunFolder(out), load_manifest(config)
    for each in manifest.notes:
        note(each)
    config = settle_overlap(config, manifest)
    checked = checked_folds(config, manifest, [fold])  # faults are reported before recordings are read
    for each in few_utterances(config, manifest, checked):
        note(each)
    RunFolder.check(out, resume, overwrite)
    if resume and not overwrite:
        refuse_other_settings(folder, config)
    if not overwrite and folder.has(METRICS):
        return _finished(folder, {"fold": fold, "seed": seed}, {"manifest": manifest.digest})
    if resume and not any(folder.has(name) for name in (CHECKPOINT, CANDIDATE_FOLDERS)):
        note(f"{out} holds nothing to go on with: the search starts over")
    # They import Lightning: a refusal does not wait for it.
    from nni_emodarts.search.run import search
    from nni_emodarts.training.parallel.machines import check_meeting, first_machine

    check_meeting(config)
    corpus = load_corpus(config, manifest, progress)
    task = FoldTask.of(config, corpus, fold, seed)
    folder = RunFolder.claim(out, resume, overwrite)
    with first_machine(config):
        architecture = search(task, folder, progress)
    metrics = folder.read_json(METRICS)
    if warning := warn_undecided(metrics):
        note(warning)
    return Searched(architecture, metrics, len(corpus.skipped))


def _further(config: ExperimentConfig, out: Path, fold: int, seed: int, progress: Progress) -> Searched:
    """What was found, on a machine that took part."""
    from nni_emodarts.search.further import take_part_in_search

    skipped = take_part_in_search(pinned(config), out, fold, seed, progress)
    return Searched(Architecture.load(out / ARCHITECTURE), RunFolder(out).read_json(METRICS), skipped)


def _finished(folder: RunFolder, task: JsonMapping, corpus: JsonMapping) -> Searched:
    """The finished search of a folder.

    Raises:
        RunFolderError: it is of another task or corpus.
    """
    metrics = folder.read_json(METRICS)
    refuse_other("search", folder, metrics, task)
    if folder.has(CORPUS):
        refuse_other("search", folder, folder.read_json(CORPUS), corpus)
    return Searched(Architecture.load(folder.path / ARCHITECTURE), metrics, earlier=True)
