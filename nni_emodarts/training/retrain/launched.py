"""The networks of a run, trained in this process or by jobs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nni_emodarts.config import ExperimentConfig, validate
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.data.extraction import heard_on
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.other_corpora import Terms
from nni_emodarts.launching import Launcher
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import METRICS, RunFolder
from nni_emodarts.runtime.run_names import cell_name
from nni_emodarts.runtime.writing import look_anew
from nni_emodarts.runtime.yaml_reading import parse_yaml
from nni_emodarts.training.retrain.elsewhere import Asked, Elsewhere
from nni_emodarts.training.retrain.final import train_final
from nni_emodarts.training.retrain.fold import retrain_fold


@dataclass(frozen=True)
class InProcess:
    """Trains an architecture in this process, one network after the other.

    Attributes:
        architecture: what is trained.
        elsewhere: corpora that each network is scored on besides.
        progress: called after each epoch.
    """

    architecture: Architecture
    elsewhere: Elsewhere = field(default_factory=Elsewhere)
    progress: Progress = silent

    def train(self, tasks: Sequence[FoldTask], folder: RunFolder) -> None:
        """Train the networks of folds and seeds, each in its folder inside the run's."""
        for done, task in enumerate(tasks):
            self.progress("networks", done, len(tasks))
            overlap = task.overlap(self.architecture.origin)
            retrain_fold(
                task, self.architecture, folder.cell(task.fold.index, task.seed),
                overlap=overlap, progress=self.progress, elsewhere=self.elsewhere,
            )  # fmt: skip
        if tasks:
            self.progress("networks", len(tasks), len(tasks))

    def train_final(self, task: FoldTask, folder: RunFolder, cells: Sequence[RunFolder]) -> None:
        """Train the network to ship, as `train_final` does."""
        train_final(task, self.architecture, folder, cells, self.progress)


@dataclass(frozen=True)
class InJobs:
    """Likewise by jobs, of which each has networks of its own.

    Attributes:
        architecture: what is trained.
        elsewhere: corpora that each network is scored on besides.
        progress: called with the networks that are there.
        launcher: the jobs.
    """

    architecture: Architecture
    elsewhere: Elsewhere
    progress: Progress
    launcher: Launcher

    def train(self, tasks: Sequence[FoldTask], folder: RunFolder) -> None:
        """As `InProcess.train`.

        Raises:
            LaunchError: jobs did not do all of their share.
        """
        cells = [folder.cell(task.fold.index, task.seed) for task in tasks]
        for task in tasks:  # here, where nobody else does, since jobs share the run's list of what it wrote
            folder.note(f"{cell_name(task.fold.index, task.seed)}/")
        if tasks:
            self.progress("networks", 0, len(tasks))
        for _ in self.launcher.run(_train, [self._job(task, folder) for task in tasks]):
            for cell in cells:
                look_anew(cell.path)
            self.progress("networks", sum(cell.has(METRICS) for cell in cells), len(cells))

    def train_final(self, task: FoldTask, folder: RunFolder, cells: Sequence[RunFolder]) -> None:
        """As `InProcess.train_final`."""
        job = self._job(task, folder, [cell.path for cell in cells])
        self.progress("final network", 0, 1)
        for seen in self.launcher.run(_train_final, [job]):
            self.progress("final network", seen.done, seen.shares)

    def _job(self, task: FoldTask, folder: RunFolder, cells: Sequence[Path] = ()) -> "_Job":
        return _Job(
            task.config.to_yaml(), self.launcher.launch.device, self.architecture.to_dict(), folder.path.absolute(),
            task.fold.index, task.seed, self.elsewhere.asked, tuple(path.absolute() for path in cells),
        )  # fmt: skip


@dataclass(frozen=True)
class _Job:
    """A network, and what a process needs to train it.

    Attributes:
        config: the whole configuration, as text.
        device: whose features are heard.
        architecture: what is trained.
        folder: the run's.
        fold: number of the fold.
        seed: of everything random.
        asked: corpora that it is scored on besides.
        cells: of the network to ship, folders of the networks of each fold and seed.
    """

    config: str
    device: str
    architecture: JsonObject
    folder: Path
    fold: int
    seed: int
    asked: Asked
    cells: tuple[Path, ...] = ()

    def read(self) -> tuple[ExperimentConfig, Architecture, Corpus, Elsewhere]:
        """Configuration, architecture, corpus and further corpora, the same for all networks of a run."""
        config, architecture = validate(parse_yaml(self.config)), Architecture.from_dict(self.architecture)
        heard = heard_on(config, self.device)
        corpus = load_corpus(heard, heard=architecture.heard)
        return config, architecture, corpus, self.asked.load(heard, Terms.of(corpus.manifest))


def _train(jobs: Sequence[_Job]) -> Iterator[str]:
    """What a job of a launcher does: networks, but those that it had finished before it was preempted."""
    config, architecture, corpus, elsewhere = jobs[0].read()
    how = InProcess(architecture, elsewhere)
    for job in jobs:
        folder = RunFolder(job.folder)
        if not folder.cell(job.fold, job.seed).has(METRICS):
            how.train([FoldTask.of(config, corpus, job.fold, job.seed)], folder)
        yield ""


def _train_final(jobs: Sequence[_Job]) -> Iterator[str]:
    """Likewise the network to ship."""
    for job in jobs:
        config, architecture, corpus, _ = job.read()
        cells = list(map(RunFolder, job.cells))
        InProcess(architecture).train_final(FoldTask.of_all(config, corpus, job.seed), RunFolder(job.folder), cells)
        yield ""
