"""A train part divided in two for a search (DARTS): one half fits weights, the other alphas."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from nni_emodarts.data.manifest import Manifest
from nni_emodarts.data.protocols import Cast, Rows, Speakers
from nni_emodarts.errors import ProtocolError

HALVES_TRIALS = 1024
"""Random divisions of the speakers that `halves` tries."""

HALVES_EXHAUSTIVE = 12
"""Up to so many speakers, `halves` then looks at every division."""


def halves(manifest: Manifest, train: Rows, seed: int) -> tuple[Rows, Rows]:
    """Divide a train part for a search (DARTS): one half fits weights, the other alphas.

    The halves share no speaker where a division of the speakers leaves every class in both; the most balanced of many
    random ones is taken. Otherwise they are stratified by class.

    Args:
        manifest: the utterances.
        train: rows of the train part.
        seed: decides the division; equal seeds give equal halves.

    Returns:
        Rows for the weights and rows for the alphas.

    Raises:
        ProtocolError: a class has a single utterance, which cannot be in both halves.
    """
    train = np.sort(np.asarray(train, dtype=np.int64))
    names, numbers = manifest.strata
    labels = numbers[train]
    counts = np.bincount(labels, minlength=len(names))
    single = [name for name, count in zip(names, counts, strict=True) if count == 1]
    if single or not train.size:
        whose = f"class {', '.join(single)} has" if manifest.classes else "there is"
        fault = f"{whose} a single utterance" if single else "there is no utterance"
        raise ProtocolError(
            f"halves for weights and alphas: {fault} among the {len(train)} of the train part; every class needs two. "
            "Leave the class out with emotions, merge it into another, or add recordings"
        )
    rng = np.random.default_rng(seed)
    chosen = _divide_speakers(Cast(manifest).speaker[train], labels, rng)
    if chosen is not None:
        return train[chosen], train[~chosen]
    first, second = train_test_split(train, test_size=0.5, stratify=labels, random_state=int(rng.integers(2**32)))
    return np.sort(first), np.sort(second)


def _divide_speakers(
    speaker: Speakers, labels: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.bool_] | None:
    """Rows of one half, where a division of the speakers was found that keeps every class in both; else None."""
    speaker = np.unique(speaker, return_inverse=True)[1]
    labels = np.unique(labels, return_inverse=True)[1]
    counts = np.zeros((speaker.max() + 1, labels.max() + 1))
    np.add.at(counts, (speaker, labels), 1)
    if ((counts > 0).sum(axis=0) < 2).any():
        return None
    for masks in _divisions(counts.sum(axis=1), rng):
        inside = masks @ counts
        valid = ((inside > 0) & (inside < counts.sum(axis=0))).all(axis=1)
        if valid.any():
            imbalance = np.where(valid, np.abs(2 * inside.sum(axis=1) - len(labels)), np.inf)
            return np.asarray(masks[np.argmin(imbalance)][speaker])
    return None


def _divisions(utterances: npt.NDArray[np.float64], rng: np.random.Generator) -> Iterator[npt.NDArray[np.bool_]]:
    """Batches (trials, speakers) of divisions: random ones cut nearest to half of the utterances, at last all."""
    speakers = len(utterances)
    batch = max(4, min(64, 1_000_000 // speakers))
    for _ in range(0, HALVES_TRIALS, batch):
        order = rng.permuted(np.tile(np.arange(speakers), (batch, 1)), axis=1)
        reached = np.cumsum(utterances[order], axis=1)
        cut = np.argmin(np.abs(reached - utterances.sum() / 2), axis=1)
        masks = np.zeros((batch, speakers), dtype=bool)
        np.put_along_axis(masks, order, np.arange(speakers) <= cut[:, np.newaxis], axis=1)
        yield masks
    if speakers <= HALVES_EXHAUSTIVE:
        yield (np.arange(1, 2**speakers - 1)[:, np.newaxis] >> np.arange(speakers)) % 2 == 1
