"""Finished networks, scored on corpora that they were not trained on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from nni_emodarts.config import ExperimentConfig, lay_over
from nni_emodarts.data.answer_tables import answer_table
from nni_emodarts.data.corpus import LEARNT, Corpus, load_corpus, manifest_paths
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.other_corpora import (
    LabelChoice,
    OtherManifest,
    Terms,
    facts_of,
    read_others,
    refuse_shared,
    shared_speakers,
)
from nni_emodarts.data.outputs import Outputs
from nni_emodarts.data.protocols import Fold
from nni_emodarts.deploy.folder import NetworkFolder, open_networks
from nni_emodarts.deploy.torch_network import read_model, read_whole_normalizer
from nni_emodarts.errors import RunFolderError
from nni_emodarts.metrics.other_corpora import CORPUS_COLUMN, figures_by_corpus
from nni_emodarts.metrics.tracks import Track, one_track
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.nn.answers import decode
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import ARCHITECTURE, CORPUS, METRICS
from nni_emodarts.runtime.writing import check_output, write_json_file, write_output

SCORES, ANSWERS = "scores.json", "predictions.csv"
"""What is written, where a folder is named."""


@dataclass(frozen=True)
class Scored:
    """What networks are worth on other corpora.

    Attributes:
        corpora: name -> figures, as `nni_emodarts.metrics.other_corpora.network_figures` gives them, with what
            `nni_emodarts.data.other_corpora.facts_of` says.
        predictions: of each network, all utterances of each corpus.
        track: of the networks.
    """

    corpora: Mapping[str, JsonObject]
    predictions: pd.DataFrame
    track: Track

    def to_data(self) -> JsonObject:
        """What `scores.json` holds."""
        return {**self.track.to_dict(), "corpora": dict(self.corpora)}


def run_score(
    run: str | Path,
    manifests: Sequence[str | Path],
    *,
    choice: LabelChoice = LabelChoice(),  # noqa: B008 - it does not change
    fold: int | None = None,
    seed: int | None = None,
    settings: Sequence[str] = (),
    front_end: str | None = None,
    allow_overlap: bool = False,
    out: Path | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
    note: Callable[[str], None] = lambda text: None,
) -> Scored:
    """Score a run's network, or all networks of its folds and seeds where it has no final one, on other corpora.

    Args:
        run: the run's folder, or that of one network.
        manifests: CSV files of the corpora; `synthetic` is the embedded one.
        choice: what becomes of labels and ratings that are not in the network's terms.
        fold: takes the networks of this fold.
        seed: likewise of this seed.
        settings: `section.key=value` texts laid over the run's configuration, such as another cache or device.
        front_end: where the weights of the network's pretrained encoder are, where not where the run had them.
        allow_overlap: score on speakers that the network learnt from, and mark the figures.
        out: folder for `scores.json` and `predictions.csv`; none where absent.
        overwrite: replace them.
        progress: called after each step of a long job.
        note: called with what a person should know of the figures.

    Raises:
        RunFolderError: the run holds no such network, or the files to write are there.
        ManifestError: as for `read_others`.
        OverlapError: a corpus shares speakers with the training.
        BadRecordings: recordings that cannot be used.
    """
    for name in (SCORES, ANSWERS) if out is not None else ():
        check_output(Path(out or ".") / name, overwrite, name)
    networks = [each.hearing_with(front_end) for each in open_networks(run, fold, seed)]
    first = networks[0]
    track = _one_track(networks)
    inherited = {**first.config.data.merge, **choice.inherited}
    config = lay_over(first.config, settings)
    terms = Terms(first.labels, first.outputs.dimensions, first.outputs.scale or config.data.scale)
    others = read_others(manifest_paths(manifests, config.data), terms, replace(choice, inherited=inherited))
    tables, facts = [], {}
    for other in others:
        for text in other.notes:
            note(text)
        corpus = load_corpus(config, other.manifest, progress)
        facts[other.name] = facts_of(other.manifest, _overlap(networks, other, corpus, allow_overlap, note))
        tables += list(_answer_all(networks, config, other, corpus, progress))
    predictions = pd.concat(tables, ignore_index=True)
    figures = figures_by_corpus(predictions, first.labels)
    scored = Scored({name: {**own, **facts[name]} for name, own in figures.items()}, predictions, track)
    if out is not None:
        write_output(out / ANSWERS, predictions.to_csv(index=False).encode())
        write_json_file(out / SCORES, scored.to_data())
    return scored


def _one_track(networks: Sequence[NetworkFolder]) -> Track:
    named = {str(each.folder.path): Track.of(each.folder.read_json(METRICS)) for each in networks}
    try:
        return one_track(named)
    except ValueError as error:
        raise RunFolderError(f"{error}; name a network of one of them") from None


def _overlap(
    networks: Sequence[NetworkFolder],
    other: OtherManifest,
    corpus: Corpus,
    allowed: bool,
    note: Callable[[str], None],
) -> list[str]:
    """Speakers of a corpus whom any of the networks learnt from.

    Raises:
        OverlapError: there are some, and that is not allowed.
    """
    found: set[str] = set()
    for network in networks:
        learnt = _learnt(network)
        if learnt is None:
            note(
                f"{network.folder.path} does not say whom it learnt from, as of an earlier version: speakers that "
                f"{other.name} shares with its training cannot be found"
            )
            continue
        found |= set(shared_speakers(learnt, corpus))
        found |= set(shared_speakers(_origin(network), corpus))
    if not allowed:
        refuse_shared(other.name, sorted(found))
    return sorted(found)


def _learnt(network: NetworkFolder) -> JsonMapping | None:
    """Whom a network learnt from; None where its folder does not say so."""
    if network.members:
        each = [_learnt(member) for member, _ in network.members]
        return each[0]  # members of one fold learn from the same speakers
    held = network.folder.read_json(CORPUS) if network.folder.has(CORPUS) else {}
    learnt = held.get(LEARNT)
    return learnt if isinstance(learnt, Mapping) else None


def _origin(network: NetworkFolder) -> JsonMapping:
    """Whom the search of its architecture saw."""
    architecture = _architecture(network)
    return {} if architecture is None else architecture.origin


def _architecture(network: NetworkFolder) -> Architecture | None:
    folder = network.folder
    return Architecture.load(folder.path / ARCHITECTURE) if folder.has(ARCHITECTURE) else None


def _answer_all(
    networks: Sequence[NetworkFolder],
    config: ExperimentConfig,
    other: OtherManifest,
    corpus: Corpus,
    progress: Progress,
) -> list[pd.DataFrame]:
    """A table of each network's answers to all utterances of a corpus."""
    tables, rows = [], np.arange(len(corpus.manifest))
    progress(f"networks on {other.name}", 0, len(networks))
    for number, network in enumerate(networks, 1):
        task = _task_of(network, config, other, corpus)
        table = answer_table(task, rows, _answer(network, task))
        table.insert(0, CORPUS_COLUMN, other.name)
        tables.append(table)
        progress(f"networks on {other.name}", number, len(networks))
    return tables


def _task_of(network: NetworkFolder, config: ExperimentConfig, other: OtherManifest, corpus: Corpus) -> FoldTask:
    """The task of answering all rows of another corpus with a network; answers are brought to the corpus's scale."""
    figures, none = network.folder.read_json(METRICS), np.empty(0, dtype=np.int64)
    fold = Fold(int(figures.get("fold", 0)), 1, none, none, np.arange(len(corpus.manifest)))
    meaning = network.outputs.brought(other.terms.scale, corpus.manifest.scale)
    return FoldTask(config, corpus, fold, int(figures.get("seed", 0)), meaning=meaning)


def _answer(network: NetworkFolder, task: FoldTask) -> np.ndarray:
    """Answers (n, K + D) to all rows of a task."""
    if network.members:
        return np.asarray(np.sum([share * _answer(member, task) for member, share in network.members], axis=0))
    task = replace(task, fitted=read_whole_normalizer(network))
    architecture = _architecture(network)
    task = task.hearing({}, [each.name for each in network.whole_streams]) if architecture is None else task.hearing(
        architecture.levels, architecture.heard
    )  # fmt: skip
    batches = task.evaluation_batches(task.fold.test, task.config.retrain.batch_size)
    return _decoded(read_model(network), batches, task.outputs)


@torch.inference_mode()
def _decoded(model: torch.nn.Module, batches: Any, outputs: Outputs) -> np.ndarray:
    """Answers (n, K + D) to all rows of batches, in the rows' order."""
    model.eval()
    rows, found = [], []
    for batch in batches:
        found.append(decode(model(*batch.heard(torch.device("cpu"))), outputs))
        rows.append(batch.rows.numpy())
    return np.asarray(np.concatenate(found)[np.argsort(np.concatenate(rows))])
