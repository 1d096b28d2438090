"""A search on a machine that is not the first: it takes part, and neither writes nor decides."""

from pathlib import Path

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import load_corpus, load_manifest
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.speaker_overlap import settle_overlap
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.progress import Progress
from nni_emodarts.runtime.run_folder import RESTART, RunFolder
from nni_emodarts.search.level_first import with_fixed
from nni_emodarts.search.one_shot.train import search_share
from nni_emodarts.search.restarts import restart_tasks
from nni_emodarts.training.parallel.machines import same_corpus
from nni_emodarts.training.parallel.start import take_part


def take_part_in_search(config: ExperimentConfig, out: Path, fold: int, seed: int, progress: Progress) -> int:
    """Train supernets that the first machine searches with, until all is done.

    Args:
        config: the whole configuration, as on the first machine.
        out: the output folder, on a file system that both have; a checkpoint in it is read.
        fold: number of the fold.
        seed: seed of everything random.
        progress: called after each block of recordings.

    Returns:
        The number of recordings that it went without.
    """
    manifest = load_manifest(config)
    config = settle_overlap(config, manifest)
    corpus = load_corpus(config, manifest, progress)
    task, folder = FoldTask.of(config, corpus, fold, seed), RunFolder(out)
    known = {task.seed: (task, folder)}
    if config.search.restarts > 1:
        known = {
            each.seed: (each, RunFolder(out / RESTART.format(number=number), within=folder))
            for number, each in enumerate(restart_tasks(task))
        }

    def find(job: JsonObject) -> tuple[object, ...]:
        same_corpus(corpus.manifest.digest, job)
        own, place = known[job["seed"]]
        return search_share, with_fixed(own, job["fixed"]), place

    take_part(config, find)
    return len(corpus.skipped)
