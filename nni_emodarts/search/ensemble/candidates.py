"""What searches know of their candidates without any test speaker: answers to utterances not learnt from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.protocols import Rows
from nni_emodarts.errors import RunFolderError
from nni_emodarts.metrics.logits import decode_logits, decode_rows, decode_values
from nni_emodarts.metrics.truth import Answers
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.run_folder import (
    ARCHITECTURE,
    CANDIDATE_FOLDERS,
    CONFIG,
    METRICS,
    REPLICATES,
    RunFolder,
    refuse_different_corpora,
)
from nni_emodarts.search.multi_trial.estimating import read_replicates
from nni_emodarts.search.multi_trial.replicates import Replicate
from nni_emodarts.search.run import search_cost


@dataclass(frozen=True)
class Candidate:
    """A candidate of a search.

    Attributes:
        architecture: its architecture.
        answers: (n, K + D) to the pool's rows, each by networks that had not learnt from it.
    """

    architecture: Architecture
    answers: Answers


@dataclass(frozen=True)
class Pool:
    """The candidates of all searches on one fold.

    Attributes:
        fold: number of the fold.
        rows: rows of the manifest that were answered (n,), ascending: the fold's training and validation part.
        candidates: each architecture once.
        chosen: what the first of the searches took.
        searches: folders of the searches.
        cpu_seconds: what they cost together.
    """

    fold: int
    rows: Rows
    candidates: tuple[Candidate, ...]
    chosen: Architecture
    searches: tuple[RunFolder, ...]
    cpu_seconds: float


def read_pools(searches: Sequence[RunFolder]) -> list[Pool]:
    """The candidates of finished searches, by fold.

    Args:
        searches: folders of searches by trials that measured candidates on inner splits (`search.estimate`).

    Raises:
        RunFolderError: one is no finished search, keeps no answers, or they are of different corpora or features.
    """
    folds = [int(_finished(search)["fold"]) for search in searches]
    refuse_different_corpora("an ensemble", searches)
    first = configuration_of(searches[0])
    for search in searches[1:]:
        if configuration_of(search).features.meaning() != first.features.meaning():
            raise RunFolderError(
                f"searches {searches[0].path} and {search.path} hear with different features; make an ensemble of each"
            )
    by_fold: dict[int, list[RunFolder]] = {}
    for fold, search in zip(folds, searches, strict=True):
        by_fold.setdefault(fold, []).append(search)
    return [_pool(fold, group) for fold, group in sorted(by_fold.items())]


def configuration_of(search: RunFolder) -> ExperimentConfig:
    """What a search was made with."""
    return load_config(None, search.path / CONFIG)


def _finished(search: RunFolder) -> JsonObject:
    if not (search.has(METRICS) and search.has(ARCHITECTURE) and search.has(CONFIG)):
        raise RunFolderError(f"{search.path} holds no finished search; name the --out folders of emodarts search")
    return search.read_json(METRICS)


def _pool(fold: int, searches: Sequence[RunFolder]) -> Pool:
    found: dict[str, Candidate] = {}
    rows: Rows | None = None
    for search in searches:
        for architecture, replicates in _measured(search):
            answered, answers = out_of_fold(replicates)
            if rows is not None and not np.array_equal(rows, answered):
                raise RunFolderError(
                    f"candidates of {searches[0].path} and {search.path} answered different utterances; searches of "
                    f"one ensemble divide the training speakers alike (search.estimate.folds)"
                )
            rows = answered
            found.setdefault(architecture.id, Candidate(architecture, answers))
    if rows is None:
        raise RunFolderError(
            f"{searches[0].path} keeps no answers to training speakers that its candidates had not heard; search by "
            f"trials with --set search.estimate.folds=3"
        )
    chosen = Architecture.load(searches[0].path / ARCHITECTURE)
    cost = sum(search_cost(search.read_json(METRICS)) for search in searches)
    return Pool(fold, rows, tuple(found.values()), chosen, tuple(searches), cost)


def _measured(search: RunFolder) -> list[tuple[Architecture, list[Replicate]]]:
    """The candidates of a search that have all of its trainings, in the order of the search."""
    how = configuration_of(search).search.estimate
    if how is None or how.folds == 1:
        return []
    folders = [file.parent for file in sorted(search.path.glob(f"{CANDIDATE_FOLDERS}/*/{REPLICATES}"))]
    held = [(Architecture.load(each / ARCHITECTURE), read_replicates(RunFolder(each))) for each in folders]
    whole = [each for each in held if len(each[1]) == how.replicates]
    return sorted(whole, key=lambda each: int(each[0].origin.get("candidate", 0)))


def out_of_fold(replicates: Sequence[Replicate]) -> tuple[Rows, Answers]:
    """Rows (n,), ascending, and the answers (n, K + D) to each: means over the trainings that validated on it.

    Those of classes are the probabilities of the mean logits.
    """
    rows = np.concatenate([decode_rows(each.rows) for each in replicates])
    known, places = np.unique(rows, return_inverse=True)
    told = [decode_logits(each.logits) for each in replicates if each.logits]
    rated = [decode_values(each.values) for each in replicates if each.values is not None]
    parts = [softmax(_mean(told, places).astype(np.float32).astype(np.float64), axis=1)] if told else []
    return known, np.concatenate([*parts, *([_mean(rated, places)] if rated else [])], axis=1)


def _mean(answers: Sequence[npt.NDArray[np.floating]], places: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Mean over those of each place."""
    given = np.concatenate(answers)
    total = np.zeros((places.max() + 1, given.shape[1]))
    np.add.at(total, places, given)
    return np.asarray(total / np.bincount(places)[:, None])
