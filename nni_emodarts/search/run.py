"""The search phase: a fold's training speakers -> an architecture."""

from collections.abc import Mapping
from typing import Any

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.config.strategies import MULTI_TRIAL
from nni_emodarts.data.corpus import Corpus, note_corpus
from nni_emodarts.data.origin import search_origin
from nni_emodarts.data.protocols import Fold
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.environment import Stopwatch
from nni_emodarts.runtime.progress import Progress, Report, silent
from nni_emodarts.runtime.run_folder import (
    ARCHITECTURE,
    BEGUN,
    CHECKPOINT,
    CONFIG,
    ENVIRONMENT,
    METRICS,
    RunFolder,
    refuse_other,
    refuse_other_settings,
)
from nni_emodarts.search.multi_trial import search_by_trials
from nni_emodarts.search.one_shot import check_space
from nni_emodarts.search.one_shot.train import search_one_shot
from nni_emodarts.training.trainer import environment_of, pick_device


def search(
    config: ExperimentConfig,
    corpus: Corpus,
    fold: Fold,
    seed: int,
    folder: RunFolder,
    progress: Progress = silent,
    report: Report | None = None,
) -> Architecture:
    """Search an architecture on the training speakers of a fold; the test speakers' recordings are never read.

    A strategy that trains one supernet: see `one_shot`; one that trains candidates by themselves: see `multi_trial`. A
    search that was cut off in the same folder is gone on with; a finished one gives its architecture at once.

    Args:
        config: the whole configuration.
        corpus: manifest and features.
        fold: the fold.
        seed: seed of everything random.
        folder: where the run's files go.
        progress: told of each epoch.
        report: given the supernet's validation UAR after each epoch.

    Returns:
        The architecture, also written to the folder.

    Raises:
        ConfigError: the strategy cannot search this space.
        DivergenceError: the loss is no number any more.
        RunFolderError: the folder holds a search with other settings.
    """
    if config.search.strategy in MULTI_TRIAL:
        return search_by_trials(config, corpus, fold, seed, folder, progress, report)
    device = pick_device(config.device)
    check_space(config.search, config.space)
    folder.begin()
    earlier = start_search(folder, config, corpus.manifest.digest, fold, seed)
    note_corpus(corpus, config.data.bad_audio, folder)
    if folder.has(METRICS):
        return Architecture.load(folder.path / ARCHITECTURE)
    watch = Stopwatch()

    def on_epoch(epochs: int, val_uar: float | None) -> None:
        progress("search", epochs, config.search.epochs, **({} if val_uar is None else {"val_uar": val_uar}))
        if val_uar is None:
            return
        folder.write_json(BEGUN, _add(earlier, watch.read()))
        if report is not None:
            report(val_uar)

    found = search_one_shot(config, corpus, fold, seed, folder, on_epoch)
    architecture = Architecture.from_choices(
        config.space, found.choices, corpus.num_classes, corpus.input_shape, search_origin(config, corpus, fold, seed)
    )
    if found.figures["epochs"] < config.search.epochs:  # stopped early: nothing is left
        progress("search", found.figures["epochs"], found.figures["epochs"], val_uar=found.val_uar)
    folder.write_json(ENVIRONMENT, environment_of(device))
    folder.write_json(ARCHITECTURE, architecture.to_dict())
    metrics = {"val_uar": found.val_uar, "architecture": architecture.id, "fold": fold.index, "seed": seed}
    spent = {key: _add(earlier, watch.read())[key] for key in ("seconds", "cpu_seconds")}
    folder.write_json(METRICS, {**metrics, **found.figures, **spent})
    (folder.path / CHECKPOINT).unlink(missing_ok=True)
    return architecture


def start_search(folder: RunFolder, config: ExperimentConfig, digest: str, fold: Fold, seed: int) -> dict[str, Any]:
    """Note what a search is to do, or check that a search that goes on is the same.

    Args:
        folder: the search's folder.
        config: the whole configuration.
        digest: hash of the manifest: another content divides the speakers otherwise.
        fold: the fold.
        seed: seed of everything random.

    Returns:
        The note, with the seconds that earlier parts of the search took.

    Raises:
        RunFolderError: it is another one.
    """
    asked = {"fold": fold.index, "seed": seed, "manifest": digest}
    note = {**asked, "seconds": 0.0, "cpu_seconds": 0.0}
    if folder.has(BEGUN):
        refuse_other_settings(folder, config.to_yaml())
        note = folder.read_json(BEGUN)
        refuse_other("search", folder, note, asked)
    folder.write_json(BEGUN, note)  # first, since it is the sign of a run
    folder.write_text(CONFIG, config.to_yaml())
    return note


def _add(earlier: dict[str, Any], spent: dict[str, float]) -> dict[str, Any]:
    return {**earlier, **{key: round(earlier[key] + value, 3) for key, value in spent.items()}}


def search_cost(metrics: Mapping[str, Any]) -> float:
    """CPU seconds of a finished search, of its metrics.json; candidates are trained in processes of their own."""
    return max(float(metrics["cpu_seconds"]), float(metrics.get("candidate_cpu_seconds", 0.0)))
