"""Is a search any good? Its architecture among random ones of the same space, under the same recipe and cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from statistics import mean, stdev
from typing import Self

import pandas as pd

from nni_emodarts.config import ExperimentConfig, load_config, refuse_other_settings
from nni_emodarts.data.corpus import Corpus, load_corpus, load_manifest
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.front_ends.pinning import heard_elsewhere
from nni_emodarts.data.overlap import refuse_overlap
from nni_emodarts.data.unfit import checked_folds
from nni_emodarts.errors import ConfigError, RunFolderError
from nni_emodarts.metrics.headline import HEADLINES, Headline, headline_of
from nni_emodarts.metrics.record import Record
from nni_emodarts.metrics.tracks import SCRATCH, Track, marked, one_track
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.space.draws import draw_architectures
from nni_emodarts.runtime.environment import same_speed
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import (
    ARCHITECTURE,
    BEGUN,
    CONFIG,
    ENVIRONMENT,
    METRICS,
    NETWORKS,
    SEARCHED,
    STUDY,
    STUDY_RUN,
    RunFolder,
    refuse_other,
)
from nni_emodarts.search.run import search_cost
from nni_emodarts.training.retrain import retrain_fold
from nni_emodarts.training.trainer import environment_of, pick_device


@dataclass(frozen=True)
class Finished:
    """A finished search.

    Attributes:
        architecture: what it found.
        fold: the fold that it searched on.
        seed: its seed.
        cpu_seconds: what it cost.
        environment: where it was computed.
        track: what its figures may be compared with.
    """

    architecture: Architecture
    fold: int
    seed: int
    cpu_seconds: float
    environment: JsonMapping = field(default_factory=dict)
    track: Track = field(default_factory=Track)


class Trained(Record):
    """A network of a study: its architecture's id, its headlines and what its training cost."""

    architecture: str
    val: float
    test: float
    parameters: int
    cpu_seconds: float


class SearchedNetwork(Record):
    """The searched architecture's network; `search_cpu_seconds` is the cost of the search, `cpu_seconds` its own."""

    architecture: str
    val: float
    test: float
    search_cpu_seconds: float
    cpu_seconds: float


class RandomSampling(Record):
    """Mean and standard deviation over all samples; no deviation of one."""

    samples: int
    val: float
    test: float
    val_std: float | None
    test_std: float | None


class RandomSearch(Record):
    """The best on validation of the `candidates` that the budget allows; there is one at least."""

    architecture: str
    val: float
    test: float
    candidates: int
    budget_cpu_seconds: float


class Rank(Record):
    """The share of the samples that the searched network beats, ties counted half, by validation and by test."""

    val: float
    test: float


class Judgement(Record):
    """How a searched network stands among random ones."""

    searched: SearchedNetwork
    random_sampling: RandomSampling
    random_search: RandomSearch
    rank: Rank


class Study(Record):
    """What a folder's study.json holds.

    Attributes:
        fold: the search's fold.
        seed: the search's seed, and that of all trainings.
        searched: the searched network.
        random_sampling: all samples.
        random_search: the best of those that the cost of the search allows.
        rank: how many of the samples the searched network beats.
        equal_cost: whether the search was computed on the kind of machine that trains the samples, so that its CPU
            seconds are theirs.
        track: of all of it, the search's as well.
        speaker_adapted: likewise.
        speaker_dependent: likewise.
        task: what networks learn, from which follows what `val` and `test` are: UAR, CCC, or the mean of both. Files
            call them by these names, `val_uar` and so on.
    """

    fold: int
    seed: int
    searched: SearchedNetwork
    random_sampling: RandomSampling
    random_search: RandomSearch
    rank: Rank
    equal_cost: bool
    track: str = SCRATCH
    speaker_adapted: bool = False
    speaker_dependent: bool = False
    task: str = "emotion"

    @property
    def headline(self) -> Headline:
        """The figure that networks are compared by."""
        return HEADLINES[self.task]

    @classmethod
    def from_data(cls, data: object) -> Self:
        """See `Record`."""
        given = data if isinstance(data, dict) else {}
        names = {name: key for key, name in _names(headline_of(given)).items()}
        return super().from_data(_renamed(given, names))

    def to_data(self) -> JsonObject:
        """See `Record`."""
        return _renamed(super().to_data(), _names(self.headline))


def _names(headline: Headline) -> dict[str, str]:
    """What files call figures of a study."""
    bases = {"val": headline.val, "test": headline.test}
    return {**bases, **{f"{key}_std": f"{name}_std" for key, name in bases.items()}}


def _renamed(data: JsonMapping, names: Mapping[str, str]) -> JsonObject:
    """Plain data with other keys, in objects inside it, too."""
    return {
        names.get(key, key): _renamed(value, names) if isinstance(value, dict) else value for key, value in data.items()
    }


def read_search(folder: RunFolder) -> Finished:
    """A finished search's folder.

    Raises:
        RunFolderError: it holds none.
    """
    if not folder.has(METRICS) or not folder.has(ARCHITECTURE):
        raise RunFolderError(f"{folder.path} holds no finished search; name the --out folder of emodarts search")
    metrics = folder.read_json(METRICS)
    if "fold" not in metrics or not (folder.has(BEGUN) or "candidates" in metrics):
        raise RunFolderError(f"{folder.path} holds a run that is no search; name the --out folder of emodarts search")
    architecture = Architecture.load(folder.path / ARCHITECTURE)
    environment = folder.read_json(ENVIRONMENT) if folder.has(ENVIRONMENT) else {}
    return Finished(
        architecture, metrics["fold"], metrics["seed"], search_cost(metrics), environment, Track.of(metrics)
    )


def run_study(
    search: str | Path,
    out: str | Path,
    *,
    manifest: str | None = None,
    settings: Sequence[str] = (),
    front_end: str | None = None,
    samples: int = 10,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Study:
    """Judge a finished search, by the configuration in its folder; see `study`.

    Args:
        search: the search's folder.
        out: the output folder; empty or absent, unless the study in it goes on or is replaced.
        manifest: the manifest, where it is another file by now.
        settings: `section.key=value` texts, laid over the configuration.
        front_end: where the weights of the search's pretrained encoder are, where not where it had them.
        samples: random architectures to train at least.
        resume: go on with the study in the folder.
        overwrite: replace the run in the folder.
        progress: called after each step of a long job.

    Raises:
        EmodartsError: as for `read_search`, `load_config`, `load_corpus` and `study`; or the folder is taken.
    """
    searched = read_search(RunFolder(search))
    config = load_config(None, Path(search) / CONFIG, settings, {"data.manifest": manifest})
    config = heard_elsewhere(config, front_end, f"the search in {search}")
    try:
        one_track({f"the search in {search}": searched.track, "the study": Track.of(config.tracks)})
    except ValueError as error:
        raise ConfigError(f"{error}; study the search with its own features") from None
    RunFolder.check(out, resume, overwrite)
    manifest_read = load_manifest(config)
    checked_folds(config, manifest_read, [searched.fold])
    corpus = load_corpus(config, manifest_read, progress)
    return study(config, corpus, searched, samples, RunFolder.claim(out, resume, overwrite), progress=progress)


def study(
    config: ExperimentConfig,
    corpus: Corpus,
    searched: Finished,
    samples: int,
    folder: RunFolder,
    *,
    progress: Progress = silent,
) -> Study:
    """Retrain the searched architecture and random ones of its space on the search's fold, with the search's seed.

    Random sampling is the mean over all samples. Random search is what a person gets who spends what the search and
    its one retraining cost on random architectures instead, and keeps the best on validation (Li & Talwalkar 2019).
    Samples are drawn until that cost is spent, and `samples` of them at least.
    Samples are of the same space, recipe, fold and seed, so that only the choice of the architecture differs.

    Args:
        config: the search's configuration.
        corpus: manifest and features.
        searched: the search.
        samples: random architectures to train at least.
        folder: where the runs go; finished ones are kept.
        progress: called after each network.

    Raises:
        OverlapError: the search saw test speakers of what is this fold now.
        RunFolderError: the folder holds a study of another search or corpus, or with other settings.
    """
    task = FoldTask.of(config, corpus, searched.fold, searched.seed)
    refuse_overlap({task.fold.index: task.overlap(searched.architecture.origin)})
    pick_device(config.device)  # one that is not there is refused while an earlier study is still there
    with folder.held():
        return _study(task, searched, samples, folder, progress)


def _study(
    task: FoldTask,
    searched: Finished,
    samples: int,
    folder: RunFolder,
    progress: Progress,
) -> Study:
    """Train the networks of a study, as the one writer of the folder."""
    config, corpus = task.config, task.corpus
    folder.begin(STUDY_RUN)
    refuse_other_settings(folder, config)
    if folder.child(SEARCHED).has(METRICS):
        asked = {"architecture": searched.architecture.id, "fold": searched.fold, "seed": searched.seed}
        refuse_other("study", folder, folder.child(SEARCHED).read_json(METRICS), asked)
    task.note_corpus(folder)
    folder.write_text(CONFIG, config.to_yaml())
    origin = task.origin(strategy="random")
    draws = draw_architectures(config.space, corpus.num_outputs, corpus.shapes, [task.seed], origin)
    rows: list[Trained] = []
    budget, spent = 0.0, 0.0
    progress("networks", 0, samples + 1)
    for architecture in chain([searched.architecture], draws):
        row = _train(task, architecture, folder.child(_name(len(rows))))
        if rows:
            spent += row.cpu_seconds
        else:
            budget = searched.cpu_seconds + row.cpu_seconds
        rows.append(row)
        progress("networks", len(rows), max(samples + 1, len(rows)), **{task.headline.val: row.val})
        if len(rows) > samples and spent >= budget:
            break
    names = _names(task.headline)
    table = [{"name": _name(number), **_renamed(row.to_data(), names)} for number, row in enumerate(rows)]
    folder.write_csv(NETWORKS, marked(pd.DataFrame(table), config.tracks))
    found = Study(
        fold=searched.fold,
        seed=searched.seed,
        **dict(judge(rows[0], rows[1:], searched.cpu_seconds)),
        equal_cost=same_speed(searched.environment, environment_of(pick_device(config.device))),
        **config.tracks,
    )
    folder.write_json(STUDY, found.to_data())
    return found


def _name(number: int) -> str:
    """Of a network's folder: the searched one is the first."""
    return f"sample_{number:03d}" if number else SEARCHED


def judge(searched: Trained, sampled: Sequence[Trained], search_cost: float) -> Judgement:
    """Figures of the search, of random sampling, and of random search at equal cost.

    Args:
        searched: the searched architecture's network.
        sampled: the random ones, in the order in which they were drawn.
        search_cost: CPU seconds of the search.
    """
    budget = search_cost + searched.cpu_seconds
    affordable: list[Trained] = []
    spent = 0.0
    for row in sampled:
        spent += row.cpu_seconds
        if affordable and spent > budget:
            break
        affordable.append(row)
    best = max(affordable, key=lambda row: row.val)
    validated, tested = [row.val for row in sampled], [row.test for row in sampled]
    return Judgement(
        searched=SearchedNetwork(
            architecture=searched.architecture,
            val=searched.val,
            test=searched.test,
            search_cpu_seconds=search_cost,
            cpu_seconds=searched.cpu_seconds,
        ),
        random_sampling=RandomSampling(
            samples=len(sampled),
            val=mean(validated),
            test=mean(tested),
            val_std=stdev(validated) if len(sampled) > 1 else None,
            test_std=stdev(tested) if len(sampled) > 1 else None,
        ),
        random_search=RandomSearch(
            architecture=best.architecture,
            val=best.val,
            test=best.test,
            candidates=len(affordable),
            budget_cpu_seconds=budget,
        ),
        rank=Rank(val=_rank(searched.val, validated), test=_rank(searched.test, tested)),
    )


def _train(task: FoldTask, architecture: Architecture, folder: RunFolder) -> Trained:
    if not folder.has(METRICS):
        retrain_fold(task, architecture, folder)
    metrics, headline = folder.read_json(METRICS), task.headline
    return Trained.from_data({**metrics, "val": metrics[headline.val], "test": metrics[headline.test] or 0.0})


def _rank(searched: float, sampled: Sequence[float]) -> float:
    return float(mean((searched > figure) + 0.5 * (searched == figure) for figure in sampled))
