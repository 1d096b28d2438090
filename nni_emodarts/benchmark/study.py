"""Is a search any good? Its architecture among random ones of the same space, under the same recipe and cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pandas as pd

from nni_emodarts.config import ExperimentConfig, load_config, refuse_other_settings
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.overlap import refuse_overlap
from nni_emodarts.errors import RunFolderError
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.space.draws import draw_architectures
from nni_emodarts.runtime.environment import same_speed
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
    """

    architecture: Architecture
    fold: int
    seed: int
    cpu_seconds: float
    environment: Mapping[str, Any] = field(default_factory=dict)


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
    return Finished(architecture, metrics["fold"], metrics["seed"], search_cost(metrics), environment)


def run_study(
    search: str | Path,
    out: str | Path,
    *,
    manifest: str | None = None,
    settings: Sequence[str] = (),
    samples: int = 10,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Judge a finished search, by the configuration in its folder; see `study`.

    Args:
        search: the search's folder.
        out: the output folder; empty or absent, unless the study in it goes on or is replaced.
        manifest: the manifest, where it is another file by now.
        settings: `section.key=value` texts, laid over the configuration.
        samples: random architectures to train at least.
        resume: go on with the study in the folder.
        overwrite: replace the run in the folder.
        progress: called after each step of a long job.

    Raises:
        EmodartsError: as for `read_search`, `load_config`, `load_corpus` and `study`; or the folder is taken.
    """
    searched = read_search(RunFolder(search))
    config = load_config(None, Path(search) / CONFIG, settings, {"data.manifest": manifest})
    RunFolder.check(out, resume, overwrite)
    corpus = load_corpus(config, progress=progress)
    return study(config, corpus, searched, samples, RunFolder.claim(out, resume, overwrite), progress=progress)


def study(
    config: ExperimentConfig,
    corpus: Corpus,
    searched: Finished,
    samples: int,
    folder: RunFolder,
    *,
    progress: Progress = silent,
) -> dict[str, Any]:
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

    Returns:
        What the folder's study.json holds: what `judge` says, and `equal_cost`, whether the search was computed on
        the kind of machine that trains the samples, so that its CPU seconds are theirs.

    Raises:
        OverlapError: the search saw test speakers of what is this fold now.
        RunFolderError: the folder holds a study of another search or corpus, or with other settings.
    """
    task = FoldTask.of(config, corpus, searched.fold, searched.seed)
    refuse_overlap({task.fold.index: task.overlap(searched.architecture.origin)})
    device = pick_device(config.device)  # one that is not there is refused while an earlier study is still there
    with folder.held():
        return _study(task, searched, samples, folder, environment_of(device), progress)


def _study(
    task: FoldTask,
    searched: Finished,
    samples: int,
    folder: RunFolder,
    environment: Mapping[str, Any],
    progress: Progress,
) -> dict[str, Any]:
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
    draws = draw_architectures(config.space, corpus.num_classes, corpus.input_shape, [task.seed], origin)
    rows: list[dict[str, Any]] = []
    budget, spent = 0.0, 0.0
    progress("networks", 0, samples + 1)
    for architecture in chain([searched.architecture], draws):
        name = f"sample_{len(rows):03d}" if rows else SEARCHED
        row = _train(task, architecture, folder.child(name))
        rows.append({"name": name, **row})
        if name == SEARCHED:
            budget = searched.cpu_seconds + row["cpu_seconds"]
        else:
            spent += row["cpu_seconds"]
        progress("networks", len(rows), max(samples + 1, len(rows)), val_uar=row["val_uar"])
        if len(rows) > samples and spent >= budget:
            break
    folder.write_csv(NETWORKS, pd.DataFrame(rows))
    found = {"fold": searched.fold, "seed": searched.seed, **judge(rows[0], rows[1:], searched.cpu_seconds)}
    found["equal_cost"] = same_speed(searched.environment, environment)
    folder.write_json(STUDY, found)
    return found


def judge(searched: dict[str, Any], sampled: Sequence[dict[str, Any]], search_cost: float) -> dict[str, Any]:
    """Figures of the search, of random sampling, and of random search at equal cost.

    Args:
        searched: `val_uar`, `test_uar`, `cpu_seconds` of the searched architecture's network.
        sampled: likewise of the random ones, in the order in which they were drawn.
        search_cost: CPU seconds of the search.

    Returns:
        `searched`, `random_sampling` (mean and standard deviation), `random_search` (its `candidates` are those that
        the cost allows, at least one), and `rank`: the share of the samples that the searched network beats, ties
        counted half, by validation and by test.
    """
    budget = search_cost + searched["cpu_seconds"]
    affordable: list[dict[str, Any]] = []
    spent = 0.0
    for row in sampled:
        spent += row["cpu_seconds"]
        if affordable and spent > budget:
            break
        affordable.append(row)
    best = max(affordable, key=lambda row: row["val_uar"])
    return {
        "searched": {**_figures(searched), "search_cpu_seconds": search_cost, "cpu_seconds": searched["cpu_seconds"]},
        "random_sampling": {
            "samples": len(sampled),
            **{key: mean(row[key] for row in sampled) for key in ("val_uar", "test_uar")},
            **{f"{key}_std": _spread(sampled, key) for key in ("val_uar", "test_uar")},
        },
        "random_search": {
            **_figures(best),
            "candidates": len(affordable),
            "budget_cpu_seconds": budget,
        },
        "rank": {key: _rank(searched, sampled, key) for key in ("val_uar", "test_uar")},
    }


def _train(task: FoldTask, architecture: Architecture, folder: RunFolder) -> dict[str, Any]:
    if not folder.has(METRICS):
        retrain_fold(task, architecture, folder)
    metrics = folder.read_json(METRICS)
    return {key: metrics[key] for key in ("architecture", "val_uar", "test_uar", "parameters", "cpu_seconds")}


def _figures(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("architecture", "val_uar", "test_uar") if key in row}


def _spread(rows: Sequence[dict[str, Any]], key: str) -> float | None:
    return stdev(row[key] for row in rows) if len(rows) > 1 else None


def _rank(searched: dict[str, Any], sampled: Sequence[dict[str, Any]], key: str) -> float:
    return float(mean((searched[key] > row[key]) + 0.5 * (searched[key] == row[key]) for row in sampled))
