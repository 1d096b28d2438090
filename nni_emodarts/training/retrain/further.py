"""A retraining on a machine that is not the first: it takes part, and neither writes nor decides."""

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import load_corpus, load_manifest
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.speaker_overlap import settle_overlap
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject
from nni_emodarts.runtime.progress import Progress
from nni_emodarts.training.parallel.machines import same_corpus
from nni_emodarts.training.parallel.start import take_part
from nni_emodarts.training.retrain.designs import widen
from nni_emodarts.training.retrain.fitting import learn_share


def take_part_in_retraining(config: ExperimentConfig, architecture: Architecture, progress: Progress) -> int:
    """Train what the first machine retrains, until all is done.

    Args:
        config: the whole configuration, as on the first machine, with the architecture's space.
        architecture: what is retrained.
        progress: called after each block of recordings.

    Returns:
        The number of recordings that it went without.
    """
    manifest = load_manifest(config)
    config = settle_overlap(config, manifest)
    corpus = load_corpus(config, manifest, progress, architecture.heard)

    def find(job: JsonObject) -> tuple[object, ...]:
        same_corpus(corpus.manifest.digest, job)
        task = _trained_on(FoldTask.of(config, corpus, job["fold"], job["seed"]), job)
        heard = task.hearing(architecture.levels, architecture.heard)
        return learn_share, heard, widen(architecture, config.retrain), job["epochs"], None

    take_part(config, find)
    return len(corpus.skipped)


def _trained_on(task: FoldTask, job: JsonMapping) -> FoldTask:
    """The task with the rows that the first machine trains on: the training part, with validation, or everything."""
    whole = FoldTask.of_all(task.config, task.corpus, task.seed)
    return next(each for each in (task, task.without_validation(), whole) if len(each.fold.train) == job["rows"])
