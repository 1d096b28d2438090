"""All trainings of a table that are missing, side by side; several commands may work on one table."""

import fcntl
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path

from nni_emodarts.benchmark.jobs import prepared
from nni_emodarts.benchmark.side_by_side import side_by_side
from nni_emodarts.benchmark.table.put import append_put, is_put, put
from nni_emodarts.benchmark.table.records import Table, Training, TrainingKey, read_trainings
from nni_emodarts.benchmark.table.training import Wanted, make_training, settings_of_table
from nni_emodarts.config import ExperimentConfig, refuse_several_machines
from nni_emodarts.data.corpus import Corpus, load_corpus, load_manifest, refuse_dimensions
from nni_emodarts.data.extraction import extract_in_jobs, heard_in_jobs
from nni_emodarts.data.fold_choice import FoldChoice
from nni_emodarts.data.front_ends.pinning import pinned
from nni_emodarts.data.overlap import unheard
from nni_emodarts.data.protocols import make_folds
from nni_emodarts.data.speaker_overlap import settle_overlap
from nni_emodarts.data.unfit import checked_folds
from nni_emodarts.errors import ArchitectureError, ConfigError, RunFolderError
from nni_emodarts.launching import LAUNCHED, Launch, Launcher
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.space.draws import draw_architectures
from nni_emodarts.runtime.json_lines import locked, read_lines
from nni_emodarts.runtime.progress import Progress, silent

logger = logging.getLogger(__name__)

Note = Callable[[str], None]


@dataclass(frozen=True)
class Draws:
    """Which architectures a table holds, and on what they are trained.

    Attributes:
        architectures: how many are drawn; or which, where they are named.
        draw_seed: seed of the draws; a larger table with the same seed begins with the same architectures.
        folds: folds of the configuration's protocol.
        seeds: seeds of the trainings.
        splits: inner splits of each fold's training speakers, on which networks are trained instead; None for the
            fold's own parts.
    """

    architectures: int | tuple[Architecture, ...]
    draw_seed: int = 0
    folds: FoldChoice | None = None
    seeds: Sequence[int] = (1,)
    splits: int | None = None

    def wanted(self, config: ExperimentConfig, corpus: Corpus) -> list[Wanted]:
        """The trainings, architecture by architecture.

        An architecture that is named is not trained on folds whose test speakers its search has seen.

        Raises:
            ConfigError: the space has fewer architectures, or one that is named is of another space.
            ProtocolError: a fold or split that the corpus does not give.
        """
        folds = [fold.index for fold in make_folds(corpus.manifest, corpus.protocol, self.folds)]
        inner: list[int | None] = [None] if self.splits is None else list(range(self.splits))
        return [
            Wanted(architecture, number, fold, seed, split, self.splits)
            for number, architecture in enumerate(self._architectures(config, corpus))
            for fold in (folds if isinstance(self.architectures, int) else unheard(architecture.origin, corpus, folds))
            for seed in self.seeds
            for split in inner
        ]

    def _architectures(self, config: ExperimentConfig, corpus: Corpus) -> Sequence[Architecture]:
        if not isinstance(self.architectures, int):
            return [_of_space(each, config, corpus) for each in self.architectures]
        drawn = list(islice(_drawn(config, corpus, self.draw_seed), self.architectures))
        if len(drawn) < self.architectures:
            raise ConfigError(f"architectures: {self.architectures} are more than the {len(drawn)} of the space")
        return drawn


def _of_space(architecture: Architecture, config: ExperimentConfig, corpus: Corpus) -> Architecture:
    """An architecture as the table's own space has it, with the memory of what its search has seen."""
    reason = "its size differs"
    try:
        own = Architecture.from_choices(
            config.space, architecture.sample(), corpus.num_classes, corpus.shapes, architecture.origin
        )
    except ArchitectureError as error:
        reason = str(error)
    else:
        if own.id == architecture.id:
            return own
    raise ConfigError(
        f"architecture {architecture.id} is none of the space of {config.preset} ({reason}); search it with the "
        f"configuration of the table"
    )


def _drawn(config: ExperimentConfig, corpus: Corpus, seed: int) -> Iterator[Architecture]:
    return draw_architectures(config.space, corpus.num_outputs, corpus.shapes, [seed], {"strategy": "random"})


def run_table(
    config: ExperimentConfig,
    file: Path,
    draws: Draws,
    *,
    workers: int = 1,
    launch: Launch | None = None,
    progress: Progress = silent,
    note: Note = logger.warning,
) -> Table:
    """Make the trainings that a table lacks, and append a line for each.

    Args:
        config: the whole configuration.
        file: the table; several commands may append to it, each others of its trainings.
        draws: which trainings.
        workers: trainings at once, each on its share of the processor's cores; of each job where there are jobs.
        launch: jobs that make them; this process and its workers where absent.
        progress: called after each training.
        note: called with lines that hold no training, and with trainings that another command makes meanwhile.

    Returns:
        The table.

    Raises:
        RunFolderError: the table is of other settings or recordings.
        ConfigError: a process died.
        LaunchError: jobs did not do all of their share; what is finished stays.
        UnfitSpeakers: speakers are to be normalised by themselves, and too many are unfit for it.
    """
    refuse_several_machines(config)
    config = pinned(config)
    refuse_dimensions(config.data, "a table of trained networks")
    manifest = load_manifest(config)
    config = settle_overlap(config, manifest)
    checked_folds(config, manifest, draws.folds)  # faults are reported before recordings are read
    extract_in_jobs(config, manifest, launch, progress, note)
    corpus = load_corpus(heard_in_jobs(config, launch), manifest, progress)
    file.parent.mkdir(parents=True, exist_ok=True)
    launcher = None if launch is None else Launcher(launch, file.with_suffix(f".{LAUNCHED}"), note)
    if launcher is not None:
        launcher.settle()
    append_put(file)
    held = read_trainings(file)
    for text in held.damaged:
        note(f"{text}; its training counts as missing")
    _refuse_other(file, held, settings_of_table(config, corpus.manifest.identity), corpus.recordings)
    missing = [each for each in draws.wanted(config, corpus) if each.key not in held.trainings]
    elsewhere = 0
    if missing:
        progress("trainings", 0, len(missing))
    jobs = [_Job(config.to_yaml(), file, wanted, "" if launch is None else launch.device) for wanted in missing]
    making: Iterator[Training | None]
    making = _side_by_side(jobs, workers) if launcher is None else _in_jobs(launcher, jobs, workers)
    for number, training in enumerate(making, 1):
        elsewhere += training is None
        figures = {} if training is None or training.kept is None else {"val_uar": training.kept}
        progress("trainings", number, len(missing), **figures)
    if elsewhere:
        note(f"{elsewhere} trainings are made by another command; this one left them out")
    return read_trainings(file)


def _refuse_other(file: Path, held: Table, settings: str, recordings: str) -> None:
    for training in held:
        if (training.settings, training.recordings) != (settings, recordings):
            what = "settings" if training.settings != settings else "recordings"
            raise RunFolderError(f"table {file} holds trainings with other {what} ({training.key}); name another file")


@dataclass(frozen=True)
class _Job:
    """A training, and what a process needs to make it.

    Attributes:
        config: the whole configuration, as text.
        file: the table.
        wanted: the training.
        device: whose features are heard, where that is not the configuration's; it is of a job then, which leaves the
            training to the command that waits for it.
    """

    config: str
    file: Path
    wanted: Wanted
    device: str = ""


def _in_jobs(launcher: Launcher, jobs: Sequence[_Job], workers: int) -> Iterator[Training]:
    """The trainings that jobs make, as they are seen to be there."""
    for _ in launcher.run(partial(_share, workers=workers), jobs):
        yield from append_put(jobs[0].file)


def _share(jobs: Sequence[_Job], workers: int) -> Iterator[str]:
    """What a job of a launcher does: trainings. One that diverges is a training, too."""
    yield from ("" for _ in _side_by_side(jobs, workers))


def _side_by_side(jobs: Sequence[_Job], workers: int) -> Iterator[Training | None]:
    """The trainings as they end; None for one that another process makes, or has made."""
    if min(workers, len(jobs)) <= 1:
        yield from map(_make, jobs)
        return
    yield from side_by_side(_make, jobs, workers, f"what is in {jobs[0].file} stays, go on with fewer workers")


def _make(job: _Job) -> Training | None:
    config, corpus = prepared(job.config, job.device)
    if job.device:  # nobody else has it, and nothing has to be locked
        if is_put(job.file, job.wanted.key) or _holds(job.file, job.wanted.key):  # before it was preempted
            return None
        training = make_training(config, corpus, job.wanted)
        put(job.file, training)
        return training
    with _claimed(job.file, job.wanted.key) as ours:
        if not ours:
            return None
        training = make_training(config, corpus, job.wanted)
        with locked(job.file) as lines:
            lines.append([training.to_data()])
    return training


@contextmanager
def _claimed(file: Path, key: TrainingKey) -> Iterator[bool]:
    """Whether no other process makes this training: a lock on a byte of a file beside the table, one for each key.

    Locks of ranges end with the process that holds them, whatever ends it.
    """
    place = int.from_bytes(sha256(str(key).encode()).digest()[:6], "big")
    with file.with_name(f".{file.name}.claims").open("a+b") as claims:
        try:
            fcntl.lockf(claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except BlockingIOError:
            yield False
            return
        except OSError:  # a file system without locks: two commands may make one training, of which the first counts
            pass
        yield not _holds(file, key)


def _holds(file: Path, key: TrainingKey) -> bool:
    """Whether a training is in the table by now; only lines that name its architecture are parsed."""
    name = key.architecture.encode()
    for line in read_lines(file):
        if name in line.text:
            with suppress(ValueError):
                if Training.from_data(line.parse()).key == key:
                    return True
    return False
